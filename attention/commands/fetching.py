"""A kept run of a data set on the Hub, fetched to be looked at: that run's files alone, with this machine's login."""

from __future__ import annotations

import re
from pathlib import Path

from attention.errors import AttentionError, InvalidRequest, shortened

PREFIX = "dataset:"
NAME = re.compile(r"dataset:([\w.-]+/[\w.-]+)/([0-9a-f]{32}(?:\.\w+)?)")


def fetch_run(name: str) -> Path:
    """The folder of `dataset:OWNER/NAME/ID`, a run or a comparison, looked over: it is a stranger's.

    Raises InvalidRequest for what names none, DamagedRun for one that is not what it says, and AttentionError with the
    Hub's reason.
    """
    from huggingface_hub import snapshot_download

    from attention.folders import check, open_folder
    from attention.models.download import cause_of

    found = NAME.fullmatch(name)
    if found is None:
        raise InvalidRequest(f"{shortened(name)} names no run. It is dataset:OWNER/NAME/ID, with the id of an item.")
    repo_id, run_id = found.groups()
    try:
        patterns = [f"runs/{run_id}/*", f"runs/{run_id}.readings/*"]
        folder = snapshot_download(repo_id, repo_type="dataset", allow_patterns=patterns)
    except Exception as error:  # noqa: BLE001 - the Hub's libraries fail in many ways
        raise AttentionError(
            f"{shortened(repo_id)} could not be fetched ({cause_of(error)}). Check its name; if it is private, log in "
            "with hf auth login."
        ) from None
    path = Path(folder) / "runs" / run_id
    if not path.is_dir():
        raise InvalidRequest(
            f"The data set {shortened(repo_id)} has no run {run_id}: its column `kept` says which are there."
        )
    with open_folder(path) as run:
        check(run)
    return path
