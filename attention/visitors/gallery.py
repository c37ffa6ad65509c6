"""Finished examples: of a folder, and a gallery of a real model's, a data set of the Hub that is fetched at the start.

A folder of examples has `examples.json`, a list of {name, label, prompt, view}, and below each name a finished run;
`view`, {layer, head}, is where to look first, and may be left out. A gallery comes from somebody else, whoever that is:
its size is asked before a byte of it is fetched, and each of its runs is looked over before it is shown. What cannot be
had is said in the log; the others are shown.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from attention.comparisons.comparison import INDEX as COMPARISON_INDEX
from attention.errors import AttentionError, DamagedRun, InvalidRequest, LimitExceeded, quoted, shortened, words_for
from attention.folders import check, kind_of, open_folder
from attention.limits import GALLERY_MB, MAX_GALLERY, MAX_GALLERY_INDEX_BYTES, MAX_INDEX_BYTES

from .store import RunCache

INDEX = "examples.json"
SOURCE, SIZE = "ATTENTION_GALLERY", "ATTENTION_GALLERY_MB"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
DATA_SET = re.compile(r"([A-Za-z0-9][\w.-]*/[\w.-]+)(?:@([\w./-]+))?")
VIEW = ("layer", "head")
FILES = (INDEX, "*/run.json", "*/*.safetensors", "*/image_*.png", "*/preview_*.jpg")  # of a data set; * is folders too
HUB_TIMEOUT_S = 10

log = logging.getLogger(__name__)


def open_examples(cache: RunCache, folder: Path) -> dict[str, str]:
    """Make our own finished examples readable for everyone; return their tickets by what they are called."""
    tickets = {}
    for entry in read_index(folder):
        if (folder / entry["name"] / "run.json").is_file():
            ticket = f"example-{entry['name']}"
            cache.add_public(ticket, folder / entry["name"], entry.get("view"))
            tickets[f"{entry['label']}: {entry['prompt']}"] = ticket
    return tickets


def open_comparisons(cache: RunCache, folder: Path) -> dict[str, str]:
    """Make our own finished comparisons readable for everyone; return their tickets by what the page calls them."""
    tickets = {}
    for index in sorted(folder.glob(f"*/{COMPARISON_INDEX}")):
        info = json.loads(index.read_text(encoding="utf-8"))
        ticket = f"example-{index.parent.name}"
        cache.add_public(ticket, index.parent)
        named = ", ".join(Path(member["adapter"]["id"]).name for member in info["members"][1:])
        tickets[f"{named}: {info['prompt']}"] = ticket
    return tickets


def read_index(folder: Path) -> list[dict[str, Any]]:
    """Entries {name, label, prompt, view} of a folder's examples.json. Raises DamagedRun for one that is none."""
    path = folder / INDEX
    try:
        if path.stat().st_size > MAX_GALLERY_INDEX_BYTES:
            raise DamagedRun(f"{INDEX} is larger than {MAX_GALLERY_INDEX_BYTES:,} bytes.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedRun(f"There is no {INDEX} that can be read ({type(error).__name__}).") from None
    if not isinstance(found, list) or len(found) > MAX_GALLERY:
        raise DamagedRun(f"{INDEX} must be a list of at most {MAX_GALLERY} examples.")
    return [_entry(each) for each in found]


def _entry(found: Any) -> dict[str, Any]:
    entry = {name: found.get(name) for name in ("name", "label", "prompt")} if isinstance(found, dict) else {}
    texts = {name: text for name, text in entry.items() if isinstance(text, str) and text}
    if len(texts) < 3 or not NAME.fullmatch(texts["name"]):
        raise DamagedRun(f"{INDEX} has the entry {quoted(found)}; it must be a name, a label and a prompt.")
    read: dict[str, Any] = {"name": texts["name"]}
    read |= {name: shortened(texts[name], 200) for name in ("label", "prompt")}
    view = found.get("view")
    if view is None:
        return read
    if not isinstance(view, dict) or not all(type(view.get(name)) is int and view[name] >= 0 for name in VIEW):
        raise DamagedRun(f"{INDEX} has the view {quoted(view)}; it must be a layer and a head.")
    return read | {"view": {name: view[name] for name in VIEW}}


def _called(entry: dict[str, Any], taken: dict[str, str]) -> str:
    """Name of an example: its label and prompt; where another is called so, its folder too."""
    plain = f"{entry['label']}: {entry['prompt']}"
    return plain if plain not in taken else f"{entry['label']} ({entry['name']}): {entry['prompt']}"


class Gallery:
    """The gallery that the environment names, if any."""

    def __init__(self, source: str, limit_bytes: int):
        self.source, self.limit_bytes = source, limit_bytes

    @classmethod
    def of_environment(cls) -> Gallery | None:
        """Raises InvalidRequest for a size that is none."""
        source, size = os.environ.get(SOURCE, "").strip(), os.environ.get(SIZE, str(GALLERY_MB))
        if not re.fullmatch(r"[1-9][0-9]{0,6}", size):
            raise InvalidRequest(f"{SIZE} is {quoted(size)}; it must be a number of megabytes, such as {GALLERY_MB}.")
        return cls(source, int(size) * 1_000_000) if source else None

    def begin(self, cache: RunCache, show: Callable[[dict[str, str]], None]) -> threading.Thread:
        """Fetch it in a thread, which `show(tickets by names)` ends where there is something to show; return that."""

        def work() -> None:
            try:
                tickets = self.open(cache)
                if tickets:
                    show(tickets)
            except Exception as error:  # noqa: BLE001 - a page without a gallery is a page
                words = words_for(error) or f"{type(error).__name__}: {error}"
                log.warning("The gallery %s is not shown: %s", shortened(self.source), shortened(words, 300))

        thread = threading.Thread(target=work, name="gallery", daemon=True)
        thread.start()
        return thread

    def open(self, cache: RunCache) -> dict[str, str]:
        """Make its runs readable for everyone; return their tickets by what they are called.

        Raises InvalidRequest for a source that is none, LimitExceeded, DamagedRun, and what the Hub's library raises.
        """
        folder = self._folder()
        tickets: dict[str, str] = {}
        for entry in read_index(folder):
            try:
                self._look(folder / entry["name"])
            except AttentionError as error:
                log.warning("Of the gallery, %s is left out: %s", entry["name"], error)
                continue
            ticket = f"gallery-{entry['name']}"
            cache.add_public(ticket, folder / entry["name"], entry.get("view"))
            tickets[_called(entry, tickets)] = ticket
        return tickets

    def _look(self, run: Path) -> None:
        if kind_of(run) != "run" or (run / "run.json").stat().st_size > MAX_INDEX_BYTES:
            raise DamagedRun(f"It is no finished run, with a run.json of at most {MAX_INDEX_BYTES / 1e6:.0f} MB.")
        with closing(open_folder(run)) as found:
            check(found)

    def _folder(self) -> Path:
        folder = Path(self.source).expanduser()
        if folder.is_dir():
            return folder.resolve()
        named = DATA_SET.fullmatch(self.source)
        if named is None:
            raise InvalidRequest("It must be a folder, or a data set of the Hub: owner/name or owner/name@revision.")
        import huggingface_hub as hub

        repository, revision = named[1], named[2]
        asked = {"repo_id": repository, "repo_type": "dataset"}
        found = hub.HfApi().repo_info(**asked, revision=revision, files_metadata=True, timeout=HUB_TIMEOUT_S)
        files = [*hub.utils.filter_repo_objects(found.siblings, allow_patterns=FILES, key=lambda file: file.rfilename)]
        n_bytes = sum(self.limit_bytes + 1 if file.size is None else file.size for file in files)
        if n_bytes > self.limit_bytes:
            raise LimitExceeded(
                f"It has {n_bytes / 1e6:,.0f} MB; the limit is {self.limit_bytes / 1e6:,.0f} MB ({SIZE})."
            )
        # at the commit that was looked at
        return Path(
            hub.snapshot_download(**asked, revision=found.sha, allow_patterns=[*FILES], etag_timeout=HUB_TIMEOUT_S)
        )
