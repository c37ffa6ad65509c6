"""One row, column or map of a run: which one is meant, its numbers, and the words that find it again.

Knows runs by the methods of `attention.runs.run.Run`. Knows no file format, no colour, neither models nor Gradio.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from attention.errors import InvalidRequest

from .regions import Region, is_on, read_region, region_cells
from .run import Run, is_reduction

ANSWERING = ("language", "cross")  # towers in which the row of a token predicts the next
Choice = int | str | None  # a layer or head: its number, mean or max; None is mean


def default_query(run: Run) -> int:
    """The row that predicts the answer's first token; without an answer the last token's."""
    answer = [token["index"] for token in run.info["tokens"] if token["role"] in ("answer", "thinking")]
    return answer[0] - 1 if answer else len(run.info["tokens"]) - 1


def first_grid(run: Run, tower: str) -> int | None:
    """The first picture, tile or frame of a tower; None for a tower without pictures."""
    return next(iter(run.grids(tower)), None)


@dataclass(frozen=True)
class Selection:
    """A row, a column, or what every key receives; `until` makes it a mean over positions.

    Made by `select`, which fills in what is left out. `grid` is None where the tower has no picture. `region` is a
    place on a picture at which it is measured.
    """

    run: Run
    tower: str
    layer: int | str
    head: int | str
    query: int | None
    key: int | None
    until: int | None
    received: bool
    grid: int | None
    region: Region | None = None

    @property
    def position(self) -> int | None:
        return self.query if self.key is None else self.key

    @property
    def image(self) -> int:
        """The picture that its map is drawn on: of frames that share a grid the one of its region, else the first."""
        record = self.run.info["grids"][self.grid]
        return self.region.image if self.region is not None and is_on(record, self.region) else record["image"]

    @property
    def points_at_tokens(self) -> bool:
        """True if its position is that of a token, and of no patch."""
        run = self.run
        return run.queries_are_tokens(self.tower) if self.key is None else run.keys_are_tokens(self.tower)

    @property
    def are_of_tokens(self) -> bool:
        """True if its values are of tokens, and of no patches: the keys of a row, the readers of a column."""
        run = self.run
        return run.keys_are_tokens(self.tower) if self.key is None else run.queries_are_tokens(self.tower)

    @property
    def has_map(self) -> bool:
        """True if its values lie on a picture: there may be none, or cells that are read and read nothing."""
        return self.grid is not None and (self.key is None or self.run.cells_read(self.tower))

    @property
    def are_shares(self) -> bool:
        """True if its values are shares of one row, which add up to 1: a column and the largest of many are not."""
        return self.key is None and "max" not in (self.layer, self.head) and self.run.is_attention

    def sink_mass(self, values: np.ndarray, sinks: Sequence[int] | np.ndarray | None = None) -> float:
        """Mass of the row on sinks, the rest of which `renormalised` divides by; 0 where values are no shares."""
        keys = np.asarray(self.sinks if sinks is None else sinks, np.int64)
        return float(values[keys].sum(dtype=np.float64)) if self.are_shares else 0.0

    def values(self, exact: bool = False) -> tuple[np.ndarray, str]:
        """float32 [keys], or [queries] of a column, and where they come from: `stored` (in float16) or `factors`.

        With `exact` from the factors wherever the run keeps them, otherwise as the page shows them.
        """
        run, tower, until = self.run, self.tower, self.until
        if self.received:
            return run.received(self.layer, tower, head=self.head), "factors"
        if self.key is not None:
            return self.summed(run.reduced_column(self.layer, self.head, self.key, tower, until)), run.SOURCE
        if not run.is_attention:
            rows: Any = self.query  # None: all of them
            return self.summed(run.reduced_row(self.layer, self.head, rows, tower, until=until)), run.SOURCE
        assert self.query is not None  # `select` names one
        layer = run.layers(tower)[0] if is_reduction(self.layer) else self.layer
        source = run.exact_source(layer, tower) if exact else "auto"
        values = run.reduced_row(self.layer, self.head, self.query, tower, source, until)
        return values, run.row_source(layer, self.query, tower, source, until)

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Effects as their sum over heads, layers and positions where `values` are their mean; others as they are."""
        if not self.run.is_signed:
            return values
        positions = 1 if self.until is None or self.position is None else self.until + 1 - self.position
        heads = self.run.heads(self.tower) if self.head == "mean" else 1
        layers = len(self.run.layers(self.tower)) if self.layer == "mean" else 1
        return (values * float(positions * heads * layers)).astype(np.float32)

    def cells(self) -> np.ndarray:
        """The key of every cell of the picture: int [rows, cols]. Raises InvalidRequest where there is no map."""
        if self.grid is None:
            raise InvalidRequest(
                f"The {self.tower} tower of this run has no picture to draw on. Use npz or csv: they hold the row."
            )
        if not self.has_map:
            raise InvalidRequest(
                f"Cells of the {self.tower} tower are read, and read nothing: give a query instead of a key."
            )
        return self.run.tower_cells(self.grid, self.tower)

    def in_region(self, values: np.ndarray | None = None) -> dict[str, float]:
        """Measures of `attention.measures.regions.NAMES` of its row on its region, with `uniform` and `central` chance.

        `values` [keys] are its own, by default as exact as there are. Raises InvalidRequest where it is no row of
        shares or has no region, NotInRun where nothing of the region is read in its tower.
        """
        if self.region is None:
            raise InvalidRequest("Name a region: select(..., region=(x0, y0, x1, y1)), or a point (x, y).")
        if not self.are_shares or self.received:
            raise InvalidRequest(
                "A share in a region is of what one row reads: give a query, and no max over layers or heads."
            )
        cells = region_cells(self.run, self.region, self.tower)
        found = cells.measures(self.values(exact=True)[0] if values is None else values)
        return {name: float(value) for name, value in found.items()} | {
            "uniform": cells.uniform, "central": cells.central
        }  # fmt: skip

    @cached_property
    def sinks(self) -> list[int]:
        """The attention sinks of its layer; over layers those of any layer. Readers and effects have none."""
        if self.key is not None or not self.run.is_attention:
            return []
        layers = self.run.layers(self.tower) if is_reduction(self.layer) else [self.layer]
        return sorted({key for layer in layers for key in self.run.sinks(layer, self.tower)})

    @cached_property
    def texts(self) -> tuple[str, str] | None:
        """The text of the tokens at its positions, and of those that their rows predict; None for patches."""
        tokens, start = self.run.info["tokens"], self.position
        if start is None or not self.points_at_tokens:
            return None
        stop = (start if self.until is None else self.until) + 1
        own, predicted = ("".join(token["text"] for token in tokens[i : i + stop - start]) for i in (start, start + 1))
        return own, predicted if self.key is None and self.tower in ANSWERING else ""

    def settings(self) -> dict[str, Any]:
        """Description of what it is of, in words and numbers that find it again."""
        info = self.run.info
        settings = {
            "run": info["id"], "model": info["model"]["id"], "revision": info["model"].get("revision") or "",
            "model_dtype": info["model"]["dtype"], "adapter": (info.get("adapter") or {}).get("id") or "",
            "tower": self.tower, "layer": self.layer, "head": self.head,
        }  # fmt: skip
        settings |= self.run.reading_settings()
        if self.run.is_signed and ("mean" in (self.layer, self.head) or self.until is not None):
            settings["means"] = "sums"  # of effects
        if info.get("forced"):
            settings["forced"] = True  # its answer was given, and is not the model's own
        if self.received:
            settings["received"] = "the mean over all queries"
        elif self.position is None:
            settings["rows"] = "all"
        else:
            settings["query" if self.key is None else "key"] = self.position
        if self.until is not None:
            settings["until"] = self.until
        if self.texts is not None:
            settings["token"] = self.texts[0]
            if self.texts[1]:
                settings["predicts"] = self.texts[1]
        if self.grid is not None:
            record = info["grids"][self.grid]
            place = {name: record[name] for name in ("box_px", "row_edges_px", "col_edges_px") if name in record}
            settings |= {"grid": self.grid, "image": self.image, **place}
        if self.region is not None:
            settings |= {"region": list(self.region.place), "region_image": self.region.image}
            settings |= {"region_label": self.region.label} if self.region.label else {}
        return settings

    def name(self) -> str:
        """Name of a file of it, in plain ASCII: 3f2a_language_L12_H3_row69."""
        return f"{run_name(self.run.info)}_{self.place_name()}"

    def place_name(self) -> str:
        """The same without its run: language_L12_H3_row69."""
        what = "received" if self.received else f"{'row' if self.key is None else 'key'}{self.position}"
        what = "allrows" if self.position is None and not self.received else what
        until = "" if self.until is None else f"-{self.until}"
        grid = "" if self.grid in (None, first_grid(self.run, self.tower)) else f"_grid{self.grid}"
        region = "" if self.region is None else "_region"
        read = "" if self.run.is_attention else f"{self.run.SOURCE}_"
        return f"{read}{plain(self.tower)}_L{self.layer}_H{self.head}_{what}{until}{grid}{region}"


def run_name(info: dict[str, Any]) -> str:
    """The run's id, which may come from anybody's zip, as a part of a file's name."""
    return plain(info["id"]) or "run"


def plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", str(text))[:80].strip(".-")


def select(
    run: Run,
    tower: str = "language",
    layer: Choice = None,
    head: Choice = None,
    query: int | None = None,
    key: int | None = None,
    until: int | None = None,
    received: bool = False,
    grid: int | None = None,
    region: Region | Sequence[float] | None = None,
) -> Selection:
    """The selection that these name. Without query and key it is the row that predicts the answer's first token, or of
    a forecast all rows together.

    `layer` and `head` are by default their mean, `grid` is the tower's first. `region` is one of
    `attention.runs.regions`, or a box (x0, y0, x1, y1) or a point (x, y) in pixels of the grid's picture. Raises
    InvalidRequest or NotInRun.
    """
    if [query, key, received or None].count(None) < 2:
        raise InvalidRequest(
            "A map is of one query (what it reads), of one key (who reads it) or of what every key receives: "
            "give one of the two, or received alone."
        )
    if received and until is not None:
        raise InvalidRequest(f"What keys receive is a mean over all queries: leave until={until} out.")
    run.keys(tower)  # refuses a tower that is not there
    if query is None and key is None and not received and not run.is_signed:
        query = default_query(run)
        if tower not in ANSWERING:
            raise InvalidRequest(f"Say which query or key of the {tower} tower.")
    if first_grid(run, tower) is None and grid in (None, 0):
        grid = None  # 0 is what scripts send that do not care
    else:
        grid = first_grid(run, tower) if grid is None else grid
        assert grid is not None  # one that was left out is the first, which there is
        run.tower_cells(grid, tower)  # refuses one that is not there, or another tower's
    layer, head = ("mean" if choice is None else choice for choice in (layer, head))
    if region is not None and not isinstance(region, Region):
        region = read_region(run, region, 0 if grid is None else run.info["grids"][grid]["image"])
    return Selection(run, tower, layer, head, query, key, until, bool(received), grid, region)
