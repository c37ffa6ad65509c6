"""Folders that are sent to the Hub: which repositories of it are meant, and that no other one is written over.

Owns what is asked of the Hub's library. It sends with the login that a person has on this machine.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention.errors import AttentionError, InvalidRequest, LimitExceeded, shortened

MOST_FILES, MOST_IN_A_FOLDER = 100_000, 10_000  # of a repository, as the Hub advises, and of one folder, as it refuses


@dataclass(frozen=True)
class Kind:
    """A kind of repository: what begins its name here, `mark` the file by which one of ours is known.

    `settings` are of a new one, `replaced` the patterns of files that go where new ones do not replace them.
    """

    prefix: str
    name: str
    repo_type: str
    mark: str
    address: str
    replaced: tuple[str, ...]
    settings: dict[str, Any]


SPACE = Kind(
    "space:", "Space", "space", "site.json", "https://huggingface.co/spaces/", ("run/*", "viewer/*"),
    {"space_sdk": "static"},
)  # fmt: skip
DATA_SET = Kind(
    "dataset:", "data set", "dataset", "attention.json", "https://huggingface.co/datasets/",
    ("data/*", "runs/*", "rows/*"), {},
)  # fmt: skip
KINDS = (SPACE, DATA_SET)


def kind_of(to: str) -> Kind | None:
    """The kind of repository that a target names; None for a folder. Raises InvalidRequest for a name that is none."""
    kind = next((kind for kind in KINDS if to.startswith(kind.prefix)), None)
    if kind is not None and (to.count("/") != 1 or not all(to.removeprefix(kind.prefix).split("/"))):
        raise InvalidRequest(f"{shortened(to)} is no {kind.name}. Name it {kind.prefix}OWNER/NAME.")
    return kind


@contextlib.contextmanager
def folder_for(to: str, beside: Path) -> Iterator[Path]:
    """The folder to write: the one that is named, or one that goes once it was sent, on the disk of `beside`."""
    if kind_of(to) is None:
        yield Path(to)
        return
    try:
        place = tempfile.mkdtemp(prefix=".publish-", dir=beside.absolute().parent)  # where what is kept can be linked
    except OSError:
        place = tempfile.mkdtemp(prefix="publish-")
    try:
        yield Path(place) / "folder"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def check_files(folder: Path, names: list[str]) -> None:
    """Refuse more files than a repository of the Hub takes. Raises LimitExceeded, with the numbers."""
    total = 0
    for name in names:
        entries = sum(1 for _ in (folder / name).iterdir())
        total += sum(1 for file in (folder / name).rglob("*") if file.is_file())
        if entries > MOST_IN_A_FOLDER or total > MOST_FILES:
            raise LimitExceeded(
                f"{name}/ has {entries:,} entries and {total:,} files; the Hub takes {MOST_IN_A_FOLDER:,} in a folder, "
                f"and {MOST_FILES:,} in all. Leave them out with --without-kept, or keep scores alone."
            )


def send(folder: Path, to: str, message: str) -> str:
    """Send a folder to the repository that is named, made private where there is none; return its address.

    Raises InvalidRequest for one that holds something else, and AttentionError with the Hub's reason.
    """
    from huggingface_hub import HfApi

    from attention.models.download import cause_of

    kind = kind_of(to)
    assert kind is not None
    api: Any = HfApi()
    repo_id, of = to.removeprefix(kind.prefix), {"repo_type": kind.repo_type}
    try:
        if not api.repo_exists(repo_id, **of):
            api.create_repo(repo_id, private=True, **of, **kind.settings)
        elif not api.file_exists(repo_id, kind.mark, **of):
            raise InvalidRequest(f"The {kind.name} {shortened(repo_id)} holds something else. Name a new one.")
        api.upload_folder(
            repo_id=repo_id, folder_path=folder, commit_message=message, delete_patterns=list(kind.replaced), **of
        )
    except AttentionError:
        raise
    except Exception as error:  # noqa: BLE001 - the Hub's libraries fail in many ways
        raise AttentionError(
            f"It could not be sent to {shortened(repo_id)} ({cause_of(error)}). Log in with hf auth login, and check "
            "that you may write there."
        ) from None
    return f"{kind.address}{repo_id}"
