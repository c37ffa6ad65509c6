"""A batch whose items have places as scores over a set: what `score` and `heads` say, without any model.

Owns which place of a batch is which item of scores: each is one, named after its item.
"""

from __future__ import annotations

import os
from typing import Any

from attention.errors import InvalidRequest, quoted, shown_path
from attention.scoring.item_rows import ItemRows, scores_folder
from attention.scoring.measuring import listed
from attention.scoring.names import BY, MEASURES
from attention.scoring.row_file import key_of
from attention.scoring.scores import Scores, worked_out, write_scores

from .batch import Batch

OF_A_ROW = ("model_id", "revision", "adapter", "tower", "layers", "row", "until", "answer", "forced", "prompt", "size")
Lines = tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]


def scores_of(folder: str | os.PathLike[str], by: str = "region_share", seed: int = 0) -> Scores:
    """Scores of a batch, worked out and written nowhere. Raises InvalidRequest for one without any place."""
    batch = Batch(folder)
    rows = _Rows(batch)
    return worked_out(batch.folder, *_said(batch, rows, by, seed), rows)[0]


def write_scores_of(
    folder: str | os.PathLike[str], target: str | os.PathLike[str], by: str = "region_share", seed: int = 0
) -> Scores:
    """Write the scores of a batch into a folder of their own, as `score_items` writes them, and return them."""
    batch = Batch(folder)
    rows = _Rows(batch)
    said = _said(batch, rows, by, seed)
    path = scores_folder(target)
    kept = ItemRows(path)
    for key in rows:
        row = rows.get(key)
        if row is not None and kept.get(key) is None:
            kept.add({"key": key, **row})
    return write_scores(path, *said, kept)


class _Rows:
    """Rows of scores made of a batch's, as they are asked for."""

    def __init__(self, batch: Batch):
        self._batch = batch
        self._found: dict[str, tuple[dict[str, Any], int]] = {}
        self._bad: dict[str, dict[str, Any]] = {}

    def __iter__(self) -> Any:
        return iter([*self._found, *self._bad])

    def add(self, row: dict[str, Any], place: int) -> str:
        """Let a place of a row be an item; return its key."""
        key = key_of("batch", row["key"], row["member"], place)
        self._found[key] = row, place
        return key

    def add_bad(self, name: str, member: str, reason: str) -> str:
        """Let an item be one that was not scored; return its key."""
        key = key_of("batch", "bad", name, member, reason)
        self._bad[key] = {"member": member, "name": name, "place": None, "error": reason}
        return key

    def get(self, key: str) -> dict[str, Any] | None:
        """The row of a key, with its tables."""
        if key not in self._found:
            return self._bad.get(key)
        row, place = self._found[key]
        tables, at = self._batch.tables_of(row), row["places"][place]
        has_other = at["elsewhere"] is not None
        return {
            "member": row["member"], "name": row["name"], "image": next(iter(row["images"]), None),
            "picture": row["pictures"][0], **{name: row[name] for name in OF_A_ROW}, "place": at["place"],
            "outcome": at["outcome"], "uniform": at["uniform"], "central": at["central"],
            "measures": {name: listed(tables[f"{place}.{name}"]) for name in MEASURES},
            "elsewhere": {name: listed(tables[f"{place}.elsewhere_{name}"]) for name in BY} if has_other else None,
        }  # fmt: skip


def _said(batch: Batch, rows: _Rows, by: str, seed: int) -> Lines:
    """Settings, models and items of scores, as `write_scores` takes them."""
    if by not in BY:
        raise InvalidRequest(f"Heads are found by {quoted(by)}; it is one of {', '.join(BY)}.")
    items: dict[tuple[str, int], dict[str, Any]] = {}
    for member in batch.members:
        for row in batch.rows(member):
            several = len(row["places"]) > 1
            for place in range(len(row["places"])):
                name = f"{row['name']}.{place + 1}" if several else row["name"]
                item = items.setdefault((row["id"], place), {"name": name, "picture": row["pictures"][0], "keys": {}})
                item["keys"][member] = rows.add(row, place)
    if not items:
        raise InvalidRequest(
            f"{shown_path(batch.folder)} has no item with a place (box, click or boxes): nothing says where to look."
        )
    found = list(items.values())
    for error in batch.errors():
        found.append({"name": error["name"], "picture": None, "keys": {}})
        found[-1]["reason"] = error["reason"]
    for item in found:
        reason = item.pop("reason", "It is not done yet.")
        for member in batch.members:
            if member not in item["keys"]:
                item["keys"][member] = rows.add_bad(item["name"], member, reason)
    info = batch.info
    model = info["members"][0]["model"]
    settings = {
        "model": {name: model[name] for name in ("id", "revision")}, "settings": info["settings"],
        "rows": info["rows"], "by": by, "seed": seed,
    }  # fmt: skip
    models = [{name: member[name] for name in ("member", "name", "adapter")} for member in info["members"]]
    return settings, models, found
