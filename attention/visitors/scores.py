"""Scores that the page shows: folders that a person has named, read again when they have changed.

Owns their tables in memory, and which kept run belongs to an item and a model, as a ticket. Knows no route and no page.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention.errors import InvalidRequest, NotInRun, quoted
from attention.scoring.item_rows import NAME
from attention.scoring.item_table import item_table
from attention.scoring.scores import INDEX, read_index

from .store import RunCache
from .thumbnails import small_picture, thumbnail

RUNS = "runs"
NOT_KEPT = (
    "This run was not kept. Score the set into the same folder with --keep-runs: then every run opens here; what is "
    "known already stays."
)


def has_scores(folder: Path) -> bool:
    """True for a folder of finished scores."""
    return (folder / INDEX).is_file()


class ShownScores:
    """Some folders of scores, by their number. Every method may be called from any thread.

    Raises DamagedRun for a folder that holds none.
    """

    def __init__(self, folders: Sequence[Path], cache: RunCache):
        self.folders, self._cache = [folder.resolve() for folder in folders], cache
        self._tables: dict[Path, tuple[tuple, dict[str, Any]]] = {}
        self._mutex = threading.Lock()
        for folder in self.folders:
            read_index(folder)

    def table(self, number: int) -> dict[str, Any]:
        """The table of a folder, see `item_table`. Raises NotInRun and DamagedRun."""
        folder = self._folder(number)
        stamp = tuple((status.st_mtime_ns, status.st_size) for status in ((folder / n).stat() for n in (INDEX, NAME)))
        with self._mutex:
            kept = self._tables.get(folder)
            if kept is None or kept[0] != stamp:
                self._tables[folder] = kept = (stamp, item_table(folder))
        return kept[1]

    def row(self, number: int, item: int) -> dict[str, Any]:
        """An item's row. Raises NotInRun."""
        rows: list[dict[str, Any]] = self.table(number)["items"]
        if not 0 <= item < len(rows):
            raise NotInRun(f"There is no item {quoted(item)} in these scores; there are {len(rows)}.")
        return rows[item]

    def run(self, number: int, item: int, model: int) -> tuple[str, dict[str, Any]]:
        """Ticket of a kept run, and the view with which it is to be opened: the item's place, at the found head.

        Raises NotInRun, and InvalidRequest where the run was not kept or has gone.
        """
        row = self.row(number, item)
        if not 0 <= model < len(row["models"]):
            raise NotInRun(f"There is no model {quoted(model)} in these scores; there are {len(row['models'])}.")
        said = row["models"][model]
        if "error" in said:
            raise InvalidRequest(f"This item was not scored: {said['error']}")
        return self._cache.ticket_of_folder(self._kept(number, said)), view_of(row, said)

    def pair(self, number: int, item: int, model: int) -> tuple[list[str], list[str] | None, dict[str, Any]]:
        """Tickets of the kept runs of the base and another model, their names, and the view. Raises as `run`.

        The view's `heads` is the other's found head, for a page that shows the two side by side.
        """
        tickets = [self.run(number, item, 0)[0], self.run(number, item, model)[0]]
        models, row = self.table(number)["models"], self.row(number, item)
        names = [models[0]["name"], models[model]["name"]]
        other = row["models"][model]
        own = {} if other["head"] is None else {"heads": f"{other['layer']}.{other['head']}"}
        return tickets, names if len(set(names)) > 1 else None, view_of(row, row["models"][0]) | own

    def picture(self, number: int, item: int) -> bytes | None:
        """A small picture of an item: of a kept run's, or of its file where that is as it was scored; else None."""
        row = self.row(number, item)
        for said in row["models"]:
            if said.get("run"):
                return thumbnail(self._kept(number, said), self._cache.thumbnails)
        if not row["image"]:
            return None
        try:
            with Path(row["image"]).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError):
            return None
        return small_picture(Path(row["image"]), self._cache.thumbnails) if digest == row["picture"] else None

    def _folder(self, number: int) -> Path:
        if not 0 <= number < len(self.folders):
            raise NotInRun(f"There are no scores {quoted(number)}.")
        return self.folders[number]

    def _kept(self, number: int, said: dict[str, Any]) -> Path:
        runs = self._folder(number) / RUNS
        kept = (self._folder(number) / said["run"]).resolve() if said["run"] else None
        if kept is None or kept.parent != runs or not kept.is_dir():
            raise InvalidRequest(NOT_KEPT)
        return kept


def view_of(row: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """A viewer's beginning: the place marked, the row that was measured, and the head that was found, if one was."""
    head = {"layer": said["layer"], "head": said["head"]} if said["head"] is not None else {}
    return {**head, "query": said["row"], "image": 0, "region": {"image": 0, "place": row["place"]}}
