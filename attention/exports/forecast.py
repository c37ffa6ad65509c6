"""Bytes of an export before anything is written, and the refusal of one that is too large.

Whole layers grow with the square of the tokens: a run of some megabytes may be gigabytes as `dense`. What is drawn, and
tables of one row, are bounded by themselves and count as nothing here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from attention.comparisons.comparison import Comparison
from attention.errors import LimitExceeded
from attention.limits import MAX_HTML_MEGABYTES
from attention.runs.run import Run, is_reduction

from .folder_zip import folder_bytes
from .html.page import MEGABYTES
from .wanted import Wanted

VALUE_BYTES = 2  # float16


def export_bytes(found: Run | Comparison, format: str, wanted: Wanted) -> int:  # noqa: A002 - the word of every way in
    """Bytes that `export` will write, as far as they can be many; 0 for the rest, and for what it will refuse."""
    if format == "zip":
        return folder_bytes(found, not wanted.without_readings)
    if format == "html":
        asked = MEGABYTES if wanted.megabytes is None else wanted.megabytes
        return round(asked * 1e6) if 0 < asked <= MAX_HTML_MEGABYTES else 0
    if format not in ("dense", "bin") or not isinstance(found, Run):
        return 0
    tower = wanted.tower if format == "dense" else "language"
    if tower not in found.info["towers"] or is_reduction(wanted.layer):
        return 0
    n_layers = 1 if format == "dense" and wanted.layer is not None else len(found.layers(tower))
    return n_layers * layer_bytes(found, tower)


def layer_bytes(run: Run, tower: str) -> int:
    """Bytes of one layer with every row of every head."""
    return VALUE_BYTES * run.heads(tower) * len(run.queries_with_rows(tower)) * len(run.keys_with_columns(tower))


def check_export(found: Run | Comparison, format: str, wanted: Wanted, most: int) -> int:  # noqa: A002
    """Bytes of an export of at most so many. Raises LimitExceeded, with both numbers and what would do."""
    size = export_bytes(found, format, wanted)
    if size <= most:
        return size
    instead = []
    if format in ("dense", "bin") and isinstance(found, Run):
        tower = wanted.tower if format == "dense" else "language"
        one = layer_bytes(found, tower)
        if one <= most < size:
            instead.append(f"give one layer, of {_mb(one)}, with format dense")
        instead.append("take npz, which is one row in numbers")
        bare = folder_bytes(found, readings=False)
        instead.append(f"take the run itself as a zip of {_mb(bare)} and export it on your own machine")
    elif format == "zip":
        bare = folder_bytes(found, readings=False)
        if bare <= most:
            instead.append(f"leave its readings out (without_readings), {_mb(size - bare)} of it")
        instead.append("take it from its address .../export?format=zip, which sends it as it is read")
    else:
        instead.append("ask for fewer megabytes")
    raise LimitExceeded(
        f"This export has {_mb(size)}; the limit here is {_mb(most)}. Instead, {', or '.join(instead)}."
    )


def check_free(size: int, place: Path) -> None:
    """Refuse what the disk of a place has no room for. Raises LimitExceeded, with both numbers."""
    folder = next((folder for folder in (place, *place.absolute().parents) if folder.is_dir()), None)
    free = shutil.disk_usage(folder).free if folder else size
    if size > free:
        raise LimitExceeded(
            f"This export takes {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free. "
            "Export one layer, or name another disk."
        )


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
