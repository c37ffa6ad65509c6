"""A data set as records, whatever it lies in: JSON lines, Parquet, tars, a folder of them, or the Hub.

Owns by what name each form is known. Nothing is left out: what cannot be read of a record is its reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from attention.errors import InvalidRequest, quoted, shown_path

from .hub import hub_records
from .json_lines import count_json, json_records
from .parquet import count_parquet, parquet_records
from .record import Record, RecordSet
from .tar import tar_records

ON_THE_HUB = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Form:
    """A form of files: `read(path, folder, before)` gives records, `count(path)` their number."""

    endings: tuple[str, ...]
    read: Callable[[Path, Path, str], Iterator[Record]]
    count: Callable[[Path], int | None]


FORMS = (
    Form((".jsonl", ".ndjson"), json_records, count_json),
    Form((".parquet",), parquet_records, count_parquet),
    Form((".tar", ".tar.gz", ".tgz"), tar_records, lambda path: None),
)


def read_set(
    source: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    split: str | None = None,
    config: str | None = None,
) -> RecordSet:
    """The records of a file, of a folder's files in the order of their names, or of `owner/name` on the Hub.

    Relative paths begin at the folder `images`, by default where the file lies. A file of another ending is JSON.
    `split` and `config` are of the Hub alone. Raises InvalidRequest.
    """
    path = Path(source)
    if not path.exists() and isinstance(source, str) and ON_THE_HUB.fullmatch(source):
        return hub_records(source, split or "train", config)
    if split or config:
        raise InvalidRequest(f"{shown_path(source)} is no data set of the Hub, so it has no split and no config.")
    if not path.is_dir():
        own = form_of(path) or FORMS[0]
        return RecordSet(own.read(path, path.parent if images is None else Path(images), ""), own.count(path))
    files = sorted(each for each in path.rglob("*") if form_of(each) is not None and each.is_file())
    forms = {form for each in files if (form := form_of(each)) is not None}
    if len(forms) != 1:
        known = ", ".join(ending for form in FORMS for ending in form.endings)
        found = f"files of several forms ({quoted(', '.join(each.name for each in files[:5]))})" if forms else "no file"
        raise InvalidRequest(
            f"{shown_path(path)} has {found} that is a set: give a file, or a folder of {known} files."
        )
    only = forms.pop()

    def records() -> Iterator[Record]:
        for each in files:
            yield from only.read(each, each.parent if images is None else Path(images), f"{each.name} ")

    counts = [only.count(each) for each in files]
    return RecordSet(records(), None if None in counts else sum(count for count in counts if count is not None))


def form_of(path: Path) -> Form | None:
    """The form that a file's ending says; None for one that says none."""
    return next((form for form in FORMS if path.name.lower().endswith(form.endings)), None)
