"""A finished comparison: a base and others on the same tokens, read from its folder.

Knows the layout of the folder, and which rows of its members stand for each other; how two rows are measured is the
business of `measuring`. Knows neither models nor PEFT nor Gradio, and needs NumPy alone. Everything here is read-only
and may be called from several threads.

    comparison.json  comparison.safetensors  base/  adapter_1/  model_2/ ...   each a run

Members whose towers have other layers or heads are shown side by side: no head stands for another, so there is no
change of heads and no difference of maps. Log-probabilities and what each member puts in a region are compared still.

The others are adapters on the base (`adapter_1`), other models (`model_1`) or runs that were there already (`run_1`).
Each is named by its place, from 0, whatever it is: `adapter_1` is 0. `query` is the position of the row itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from attention.errors import DamagedRun, NotInRun, quoted, shown_path
from attention.limits import MAX_ADAPTERS
from attention.measures import differences
from attention.runs.checks.json_fields import parse_json
from attention.runs.layer_file import LayerFile
from attention.runs.run import Run

from . import floors
from .asked_beside import PARTS
from .change_table import change_csv
from .measuring import of_group, of_layer, range_of
from .tables_beside import part_table

FORMAT = 2
OWN_TOWERS = 2  # the format from which members may have towers of their own; all others are written as 1
INDEX, TABLES = "comparison.json", "comparison.safetensors"
BASE, ADAPTER, MODEL, KEPT = "base", "adapter", "model", "run"  # a member's folder: the base's, and how others begin


NO_PARTS = "The parts of a change were not asked for: compare anew, with parts (compare --parts)."
OWN_WORDS = "each is shown by itself; region numbers and log-probabilities are compared."


def open_comparison(folder: str | os.PathLike[str]) -> Comparison:
    """Open a comparison's folder. Raises DamagedRun when it is none, or was written by a later version."""
    return Comparison(folder)


class Comparison:
    """The base's run and the others', what was measured between them. `info` is the content of comparison.json."""

    kind: Literal["comparison"] = "comparison"

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        where = shown_path(self.folder)
        try:
            self.info = parse_json((self.folder / INDEX).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise DamagedRun(f"{where} is not a finished comparison: it has no {INDEX}.") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DamagedRun(f"{INDEX} in {where} cannot be read: {reason}.") from None
        version = self.info.get("format") if isinstance(self.info, dict) else None
        if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= FORMAT:
            raise DamagedRun(f"{where} has format {quoted(version)}; this version reads up to {FORMAT}. Update it.")
        self.runs = {name: Run(self.folder / name) for name in member_folders(self.info)}
        self._tables: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def _repr_html_(self) -> str:
        """Show it as the last line of a notebook's cell: the viewer in a frame, see `attention.notebook_html`."""
        from attention import notebook_html

        return str(notebook_html(self))

    def __enter__(self) -> Comparison:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every file. The comparison may be used again, or its folder deleted."""
        for run in self.runs.values():
            run.close()

    @property
    def base(self) -> Run:
        """The base's run."""
        return self.runs[BASE]

    @property
    def adapters(self) -> list[Run]:
        """The runs of the others, in their order: of adapters, of other models, or as they were there."""
        return [run for name, run in self.runs.items() if name != BASE]

    def run(self, member: str) -> Run:
        """A member's run: `base`, `adapter_1`, `model_2`, ... Raises NotInRun."""
        try:
            return self.runs[member]
        except KeyError:
            raise NotInRun(
                f"There is no {quoted(member)} in this comparison; there is {', '.join(self.runs)}."
            ) from None

    def info_of(self, member: str) -> dict[str, Any]:
        """The content of a member's run.json, with the places of its own answer where it read another's."""
        record = next(each for each in self.info["members"] if each["folder"] == member)
        own = {name: record[name] for name in ("points", "boxes", "unplaced") if name in record}
        return {**self.run(member).info, **own, **({"has_own_places": True} if own else {})}

    def have_one_picture(self, *members: str) -> bool:
        """True if these members read the same pictures; of finished runs only their sizes need be the same."""
        records = {each["folder"]: each for each in self.info["members"]}
        return not any(records[name].get("own_pictures") for name in members)

    @property
    def is_side_by_side(self) -> bool:
        """True if a member's towers have other layers or heads than the base's: then no change of heads is known."""
        return any(member.get("own_towers") for member in self.info["members"])

    def why_side_by_side(self) -> str:
        """Sentence on what differs in the members' towers, and what is compared all the same."""
        for tower in self.base.towers():
            shapes = [(len(run.layers(tower)), run.heads(tower)) for run in self.runs.values()]
            if len(different := list(dict.fromkeys(shapes))) > 1:
                whose = "The models" if tower == self.base.towers()[0] else f"The models' {tower} towers"
                sizes = " and ".join(f"{count} × {heads}" for count, heads in different)
                have_others = any(run.other_layers(tower) for run in self.runs.values())
                layers = "layers with maps" if have_others else "layers"
                return f"{whose} have {sizes} {layers} and heads: {OWN_WORDS}"
        return f"The models have attention in different layers: {OWN_WORDS}"

    def require_heads(self) -> None:
        """Raise NotInRun where no head stands for another."""
        if self.is_side_by_side:
            raise NotInRun(f"{self.why_side_by_side()} There is no change of heads and no difference of maps.")

    def measures(self, tower: str = "language") -> list[str]:
        """The measures of this tower; none of members side by side."""
        self._queries(tower)
        return list(self.info["measures"])

    def table(self, measure: str, tower: str = "language", part: str | None = None) -> np.ndarray:
        """A measure of every compared row: float32 [adapters, layers, heads, rows], rows as in `queries(tower)`.

        With `part` one part of the change alone: `direct` or `inherited`, NaN of those that are no adapters. Raises
        NotInRun.
        """
        self.require_heads()
        if measure not in self.measures(tower):
            raise NotInRun(f"There is no measure {quoted(measure)}; there is {', '.join(self.info['measures'])}.")
        if part is None:
            return self.read_table(f"{tower}.{measure}")
        if part not in PARTS:
            raise NotInRun(f"There is no part {quoted(part)} of a change; there is {', '.join(PARTS)}.")
        if not self.parts():
            raise NotInRun(NO_PARTS)
        return self.read_table(part_table(part, measure, tower))

    def parts(self) -> list[str]:
        """The members whose change is told apart, `direct` and `inherited`; none where that was not asked for."""
        return list(self.info.get("parts", []))

    def queries(self, tower: str = "language") -> list[int]:
        """The rows that were compared beforehand, ascending; any other is compared when it is asked for."""
        return list(self._queries(tower))

    def answer_rows(self) -> list[int]:
        """The rows that predict the shared answer's tokens; of a prompt without answer its last."""
        first, last = self.info["answer_rows"]
        return list(range(first, last + 1))

    def change(
        self,
        measure: str,
        adapter: int,
        query: int | str = "mean",
        tower: str = "language",
        part: str | None = None,
    ) -> np.ndarray:
        """Change of each head: float32 [layers, heads], of one row, or as a mean over the answer's rows.

        With `part` that which comes by a layer's own weights (`direct`: the adapter's layer on the base's inputs), or
        by what enters it (`inherited`: the base's layer on the adapter's); the two need not add up to the whole.

        In the vision tower the mean is over the rows that were compared, in the others over those of the answer's that
        were: all but the first of a very long one. NaN where the measure has no value; a mean is over the rows that
        have one. Raises NotInRun, also of members side by side.
        """
        self.require_heads()
        self._check_adapter(adapter)
        queries = self._queries(tower)
        if query == "mean":
            wanted = [queries.index(row) for row in self.rows_of_change(query, tower)]
            return mean_of_known(self.table(measure, tower, part)[adapter][:, :, wanted])
        if query in queries:
            measured: np.ndarray = self.table(measure, tower, part)[adapter][:, :, queries.index(query)].copy()
            if isinstance(query, int) and query >= self.shared(tower):
                self.group_of(self.member_of(adapter), query)  # it is another's
            return measured
        if measure not in self.measures(tower):
            raise NotInRun(f"There is no measure {quoted(measure)}; there is {', '.join(self.info['measures'])}.")
        if part is not None or measure not in differences.NAMES:
            which = f"The {part} part of {measure}" if part else measure
            raise NotInRun(f"{which} is known of the rows that were compared, and row {quoted(query)} was not.")
        run, layers, (row,) = self.adapters[adapter], self.base.layers(tower), self.rows_of_change(query, tower)
        if row < self.shared(tower):
            shared = self.shared()
            found = [of_layer(self.base, run, tower, layer, [row], shared)[measure][:, 0] for layer in layers]
        else:
            group = self.group_of(self.member_of(adapter), row)
            found = [of_group(self.base, run, tower, layer, group, self.shared())[measure] for layer in layers]
        return np.stack(found)

    def rows_of_change(self, query: int | str = "mean", tower: str = "language") -> list[int]:
        """The base's rows that a change is of: one, or those of its mean. Raises NotInRun."""
        queries = self._queries(tower)
        if query == "mean":
            return answering_rows(tower, queries, self.info["answer_rows"])
        n_rows = self.base.queries(tower)
        if isinstance(query, bool) or not isinstance(query, int | np.integer) or not 0 <= query < n_rows:
            raise NotInRun(f"There is no row {quoted(query)} in the base's run: it has 0 to {n_rows - 1}.")
        return [int(query)]

    def member_of(self, adapter: int) -> str:
        """The folder of an adapter, counted from 0. Raises NotInRun."""
        self._check_adapter(adapter)
        return list(self.runs)[adapter + 1]

    def moved(
        self, adapter: int, measure: str = "js_image", tower: str | None = None, n: int = 20
    ) -> list[dict[str, Any]]:
        """The heads that an adapter moved most over the answer: [{layer, head, value}], largest first.

        They are of the tower in which text reads pictures, where none is named. Where noise floors were measured each
        has `times`, {kind: multiple of it}, None where the floor is exactly 0 or not known.
        """
        tower = self.base.picture_tower() if tower is None else tower
        change = self.change(measure, adapter, tower=tower)
        size = np.nan_to_num(np.abs(change), nan=-1.0)
        times = {kind: self.times_floor(kind, measure, adapter, tower=tower) for kind in self.floor_kinds()}
        found: list[dict[str, Any]] = []
        for index in np.argsort(-size, axis=None, kind="stable")[:n]:
            layer, head = np.unravel_index(index, change.shape)
            if size[layer, head] >= 0:
                value = float(change[layer, head])
                record = {"layer": self.base.layers(tower)[layer], "head": int(head), "value": value}
                each = {kind: float(table[layer, head]) for kind, table in times.items()}
                known = {kind: multiple if np.isfinite(multiple) else None for kind, multiple in each.items()}
                found.append(record | ({"times": known} if known else {}))
        return found

    def csv(self, tower: str = "language") -> str:
        """Every measure of every head as a table: see `change_table.change_csv`."""
        return change_csv(self, tower)

    def floor_kinds(self) -> list[str]:
        """The kinds of noise floors that were measured, of `zero`, `dtype` and `paraphrase`."""
        return floors.floor_kinds(self)

    def floor(
        self,
        kind: str,
        measure: str,
        query: int | str = "mean",
        tower: str = "language",
    ) -> np.ndarray:
        """Movement of each head of the base by itself: see `floors.floor_change`."""
        return floors.floor_change(self, kind, measure, query, tower)

    def times_floor(
        self,
        kind: str,
        measure: str,
        adapter: int,
        query: int | str = "mean",
        tower: str = "language",
        part: str | None = None,
    ) -> np.ndarray:
        """A change as a multiple of a noise floor: see `floors.times_floor`."""
        return floors.times_floor(self, kind, measure, adapter, query, tower, part)

    def logprobs(self) -> np.ndarray:
        """The log-probability of each shared token of the answer: float32 [members, tokens], nats; the base first."""
        return self.read_table("logprob")

    def difference(self, layer: int, query: int, adapter: int, tower: str = "language") -> np.ndarray:
        """One row of the adapter less the base's: float32 [heads, keys]. Raises NotInRun of members side by side."""
        self.require_heads()
        self._check_adapter(adapter)
        base, other = (run.row(layer, query, tower, "factors") for run in (self.base, self.adapters[adapter]))
        n = self.shared(tower) if self.base.keys_are_tokens(tower) else base.shape[1]
        difference: np.ndarray = other[:, :n] - base[:, :n]
        return difference

    def aligned(self, member: str) -> list[dict[str, Any]]:
        """The rows of a member that stand for rows of the base's, beyond those in common: [{how, name, base, other}].

        `how` is `text` where they are of the same word, `field` of the same field of a place (`name`: x, y, action), or
        `start` where they predict the answers' first tokens; `base` and `other` are the first and the last row.
        """
        self.run(member)
        found: list[dict[str, Any]] = self.info.get("aligned", {}).get(member, [])
        return list(found)

    def compared_tokens(self) -> int:
        """Number of the base's tokens up to the last that is compared, in common or aligned."""
        beyond = [group["base"][1] + 2 for groups in self.info.get("aligned", {}).values() for group in groups]
        return min(len(self.base.info["tokens"]), max([self.shared(), *beyond]))

    def rows_of(self, member: str, query: int, whose: str | None = None) -> tuple[int, int]:
        """The first and the last row of a member that stand for a row of the base's. Raises NotInRun for none.

        With `whose="base"` the base's own rows that are taken together with it: of a field all that predict it.
        """
        if member == BASE or query < self.shared():
            return query, query
        first, last = self.group_of(member, query)["base" if whose == BASE else "other"]
        return first, last

    def span_of(
        self, member: str, row: int, tower: str = "language", beside: str | None = None
    ) -> tuple[int, int] | None:
        """The first and the last row of a member that stand for a row of the base's; None where there is none.

        Of the base itself: those that are taken together with it where it is set against the member `beside`.
        """
        if row < self.shared(tower) or (member == BASE and beside in (None, BASE)):
            return row, row
        groups = self.aligned(member if member != BASE else str(beside))
        group = next((each for each in groups if row in range_of(each["base"])), None)
        if group is None:
            return None
        first, last = group["base" if member == BASE else "other"]
        return first, last

    def group_of(self, member: str, query: int) -> dict[str, Any]:
        """The rows of a member that stand for a row of the base's beyond those in common: one of `aligned`.

        Raises NotInRun for a row that stands for none.
        """
        found = next((group for group in self.aligned(member) if query in range_of(group["base"])), None)
        if found is None:
            raise NotInRun(
                f"Row {quoted(query)} is not compared: the base's words there stand for none of {member}. The first "
                f"{self.shared()} positions are in common."
            )
        return found

    def shared(self, tower: str = "language") -> int:
        """Number of positions of a tower that all members have in common, from 0 on."""
        return self.base.queries(tower) if tower == "vision" else self.info["shared_tokens"]

    def _queries(self, tower: str) -> list[int]:
        try:
            queries: list[int] = self.info["queries"][tower]
            return queries
        except KeyError:
            has = ", ".join(self.info["queries"])
            raise NotInRun(f"This comparison has no tower {quoted(tower)}; it has {has}.") from None

    def _check_adapter(self, adapter: int) -> None:
        if isinstance(adapter, bool) or not isinstance(adapter, int) or not 0 <= adapter < len(self.adapters):
            raise NotInRun(
                f"There is no adapter {quoted(adapter)} in this comparison: it has 0 to {len(self.adapters) - 1}."
            )

    def read_table(self, name: str) -> np.ndarray:
        """A table of comparison.safetensors by its name, read once; not to be written into."""
        with self._lock:
            if name not in self._tables:
                with LayerFile(self.folder / TABLES) as file:
                    self._tables[name] = file.read(name)
                self._tables[name].setflags(write=False)
            return self._tables[name]


def member_folders(info: dict[str, Any]) -> list[str]:
    """The folders of the members that a comparison.json names, the base's first. Raises DamagedRun for any other."""
    members = info.get("members")
    members = members if isinstance(members, list) else []
    names = [member.get("folder") if isinstance(member, dict) else None for member in members]
    others = [f"{str(name).rpartition('_')[0]}_{n}" for n, name in enumerate(names[1:], 1)]
    are_known = all(name.rpartition("_")[0] in (ADAPTER, MODEL, KEPT) for name in others)
    if not 2 <= len(names) <= MAX_ADAPTERS + 1 or names != [BASE, *others] or not are_known:
        raise DamagedRun(
            f"{INDEX} of this comparison is damaged: its members are {quoted(names)}; they must be {BASE}, adapter_1 "
            f"(or model_1, run_1) and so on, up to adapter_{MAX_ADAPTERS}."
        )
    return names


def answering_rows(tower: str, queries: Sequence[int], answer_rows: Sequence[int]) -> list[int]:
    """Those of the compared rows of a tower over which means are taken: the answer's, first and last of them given.

    All where none is the answer's: of patches, and of an encoder's tokens, none answers.
    """
    first, last = answer_rows
    answering = [row for row in queries if first <= row <= last] if tower != "vision" else []
    return answering or list(queries)


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis of what is not NaN."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = np.where(known, values, 0).sum(axis=-1, dtype=np.float64) / known.sum(axis=-1)
    return mean.astype(np.float32)
