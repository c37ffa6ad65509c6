"""Check that a comparison holds what reading it relies on; asked of comparisons that somebody else made.

Owns how the members must fit each other and the tables fit them; what each field of comparison.json may hold by itself
says `attention.runs.schema`. What is asked of each member is the business of `attention.runs.checks`. Judges no number
that a file is there to hold, only whether all of them are there. Knows no zip, no model and no Gradio.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from attention.errors import DamagedRun, LimitExceeded, quoted
from attention.limits import (
    MAX_CHANGED_HEADS,
    MAX_MEASURES,
    MAX_PARTS,
    MAX_TABLE_VALUES,
)
from attention.measures import differences
from attention.runs.checks.by_schema import check_comparison_fields
from attention.runs.checks.json_fields import Fields
from attention.runs.checks.run import check_run
from attention.runs.checks.tensor_header import broken, kind_of, read_header
from attention.runs.run import Run
from attention.runs.selection import ANSWERING

from .alike import first_unlike, has_own_towers, layers_of
from .asked_beside import PARTS
from .comparison import (
    ADAPTER,
    BASE,
    INDEX,
    MODEL,
    OWN_TOWERS,
    TABLES,
    Comparison,
    answering_rows,
    member_folders,
)
from .tables_beside import CELLS, ON_CELLS, floor_table, part_table

WORDS = ("base", "own", "typed")  # or the number of an adapter, from 1

_FIELDS = Fields(f"{INDEX} of this comparison")
_whole, _number, _record, _wrong = _FIELDS.whole, _FIELDS.number, _FIELDS.record, _FIELDS.wrong


def check_comparison(comparison: Comparison | str | os.PathLike[str]) -> None:
    """Look at everything that reading a comparison relies on: its index, its runs, its tables, and that they fit.

    Of a folder, what is opened for this is closed. What passes answers every question of `Comparison` and every route
    with numbers or with a sentence. Raises DamagedRun with what is wrong, and in which member; LimitExceeded for what
    no page could show.
    """
    if not isinstance(comparison, Comparison):
        with Comparison(comparison) as found:
            return check_comparison(found)
    check_index(comparison.info)
    for name, run in comparison.runs.items():
        with naming(name):
            check_run(run)
    check_members(comparison.info, {name: run.info for name, run in comparison.runs.items()})
    return check_tables(comparison.folder, comparison.info, comparison.base.info)


@contextmanager
def naming(member: str) -> Iterator[None]:
    """Say what is wrong with a member's run with the member's name."""
    try:
        yield
    except (DamagedRun, LimitExceeded) as error:
        raise type(error)(f"{member}: {error}") from None


# comparison.json


def check_index(info: dict[str, Any]) -> None:
    """All of comparison.json that can be told without its runs."""
    _FIELDS.plain(info)
    names = member_folders(info)
    check_comparison_fields(info, _FIELDS)
    for name, member in zip(names, info["members"], strict=True):
        _check_member(name, member)
    words = info["words"]
    if isinstance(words, int):
        _whole(words, "words", 1, len(names))
    elif words not in WORDS:
        raise _wrong("words", words, f"{', '.join(WORDS)} or the number of an adapter, from 1")
    others = [member["folder"] for member in info["members"][1:]]
    for member in info.get("parts", []):
        if member not in others:
            raise _wrong("a member of parts", member, f"one of {', '.join(others)}")
    measures, own = info["measures"], any(member.get("own_towers") for member in info["members"])
    if own and info["format"] < OWN_TOWERS:
        raise _wrong("format", info["format"], f"{OWN_TOWERS}, of members with towers of their own")
    if own and measures:
        raise _wrong("measures", list(measures), "empty: members have towers of their own")
    if own:
        return
    if len(measures) > MAX_MEASURES or not set(differences.NAMES) <= set(measures):
        raise _wrong("measures", list(measures), f"{', '.join(differences.NAMES)}, and {MAX_MEASURES} at most")
    for name in measures:
        if not re.fullmatch(r"\w{1,60}", name, re.ASCII):
            raise _wrong("the name of a measure", name, "letters and digits")


def _check_member(name: str, member: dict[str, Any]) -> None:
    adapter, kind = member["adapter"], name.split("_", maxsplit=1)[0]
    if kind == ADAPTER:
        if not _record(adapter, f"the adapter of {name}")["id"]:
            raise _wrong(f"the adapter's id of {name}", "", "a name")
        _number(adapter.get("scale"), f"the adapter's scale of {name}")
    elif adapter is not None and not member.get("name"):
        raise _wrong(f"the adapter of {name}", adapter, "null")
    elif name != BASE and not member.get("name"):
        raise _wrong(f"the name of {name}", member.get("name"), "a text")
    if kind == MODEL:
        _record(member.get("model"), f"the model of {name}")
    parts = {change["part"] for change in member.get("changes") or []}
    if len(parts) > MAX_PARTS:
        raise _wrong(f"the changed parts of {name}", f"{len(parts):,} different ones", f"at most {MAX_PARTS}")


# Its runs


def check_members(info: dict[str, Any], runs: dict[str, dict[str, Any]]) -> None:
    """That a checked comparison.json fits the checked run.json of each member, and that these fit each other."""
    base = runs[BASE]
    shared = _whole(info["shared_tokens"], "shared_tokens", 1, 1 + min(len(run["tokens"]) for run in runs.values()))
    for member in info["members"]:
        run = runs[member["folder"]]
        if run.get("adapter") != member.get("adapter"):
            wanted = f"that of its run, {quoted(run.get('adapter'))}"
            raise _wrong(f"the adapter of {member['folder']}", member.get("adapter"), wanted)
        _check_alike(member["folder"], run, base, shared, member.get("own_towers"))
    _check_rows(info, base, runs, shared)


def _check_alike(name: str, run: dict[str, Any], base: dict[str, Any], shared: int, is_said: bool | None) -> None:
    """That a run is one of the same tokens and pictures as the base's, and of the same towers unless it says so."""
    unlike = first_unlike(run, base, shared, may_have_own_towers=bool(is_said))
    if unlike is not None:
        said = unlike.rule or f"{quoted(unlike.wanted)}, as the base's is"
        raise DamagedRun(
            f"{name} does not fit this comparison: {unlike.where} of its run is {quoted(unlike.value)}; it must be "
            f"{said}."
        )
    if is_said and not has_own_towers(run, base):
        raise _wrong(f"own_towers of {name}", is_said, "left out: its layers and heads are those of the base")


def _aligned_rows(info: dict[str, Any], base: dict[str, Any], runs: dict[str, dict[str, Any]], shared: int) -> set[int]:
    """The base's rows that stand for others' beyond the tokens in common, once all of them are checked."""
    found: set[int] = set()
    for member, groups in (info.get("aligned") or {}).items():
        if member == BASE or member not in runs:
            raise _wrong("a member of aligned", member, f"one of {', '.join(list(runs)[1:])}")
        for group in groups:
            for which, run in (("base", base), ("other", runs[member])):
                if len(group[which]) != 2:
                    raise _wrong(f"rows aligned with {member}", group[which], "the first row and the last")
                first = _whole(group[which][0], f"a row aligned with {member}", 0, len(run["tokens"]))
                _whole(group[which][1], f"a row aligned with {member}", first, len(run["tokens"]))
            found.update(row for row in range(group["base"][0], group["base"][1] + 1) if row >= shared)
    return found


def _check_rows(info: dict[str, Any], base: dict[str, Any], runs: dict[str, dict[str, Any]], shared: int) -> None:
    """Check which rows were compared, in which layers, and which of them predict the answer."""
    answer, beyond = info["answer_rows"], _aligned_rows(info, base, runs, shared)
    if len(answer) != 2:
        raise _wrong("answer_rows", answer, "the first row and the last")
    last_row = max([shared - 1, *beyond])
    first = _whole(answer[0], "the first of answer_rows", 0, last_row + 1)
    last = _whole(answer[1], "the last of answer_rows", first, last_row + 1)
    queries, layers = info["queries"], info["layers"]
    for what, found in (("queries", queries), ("layers", layers)):
        if set(found) != set(base["towers"]):
            raise _wrong(f"the list of towers of {what}", list(found), f"{', '.join(base['towers'])}, as in its runs")
    _check_floors(info, base)
    for tower, record in base["towers"].items():
        if layers[tower] != layers_of(record):
            raise _wrong(f"the layers of tower {tower}", layers[tower], f"{quoted(layers_of(record))}, as in its runs")
        rows = queries[tower]
        end = shared if tower != "vision" else record.get("queries", len(record["keys"]))
        for row in rows:
            if tower == "vision" or row not in beyond:
                _whole(row, f"a query of tower {tower}", 0, end)
        if any(after <= before for before, after in pairwise(rows)):
            raise _wrong(f"the queries of tower {tower}", rows, "ascending")
        if tower in ANSWERING and not any(first <= row <= last for row in rows):
            raise _wrong(
                f"the queries of tower {tower}", rows, f"with one of answer_rows, {first:,} to {last:,}, at least"
            )
        n_adapters, n_heads = len(info["members"]) - 1, len(layers[tower]) * record["heads"]
        for count, most in (
            (n_adapters * n_heads, MAX_CHANGED_HEADS),
            (n_adapters * n_heads * len(rows), MAX_TABLE_VALUES),
        ):
            if count > most:
                raise LimitExceeded(
                    f"Tower {tower} of this comparison has {n_adapters} adapters, {n_heads:,} heads in all layers and "
                    f"{len(rows):,} rows: {count:,} numbers. The limit is {most:,}."
                )


def _check_floors(info: dict[str, Any], base: dict[str, Any]) -> None:
    """That floors of regions are of towers, and of rows of the base's."""
    for tower in info.get("floor_regions", []):
        if tower not in base["towers"]:
            raise _wrong("a tower of floor_regions", tower, f"one of {', '.join(base['towers'])}")
    for rows in (rows for floor in info.get("floors", []) for rows in floor.get("together", [])):
        if len(rows) != 2:
            raise _wrong("rows together of a floor", rows, "the first row and the last")
        first = _whole(rows[0], "a row of a floor", 0, len(base["tokens"]))
        _whole(rows[1], "a row of a floor", first, len(base["tokens"]))


# Its tables


def check_tables(folder: Path, info: dict[str, Any], base: dict[str, Any]) -> None:
    """That comparison.safetensors, by its header, has a table of each measure in each tower, and the logprobs."""
    tables, _ = read_header(folder, TABLES, "comparison")
    n_adapters = len(info["members"]) - 1
    wanted: dict[str, tuple[int, ...]] = {
        "logprob": (n_adapters + 1, max(0, info["shared_tokens"] - 1 - info["answer_rows"][0]))
    }
    for tower, rows in info["queries"].items():
        shape = n_adapters, len(info["layers"][tower]), base["towers"][tower]["heads"], len(rows)
        wanted |= {f"{tower}.{measure}": shape for measure in info["measures"]}
    if info.get("floors") or info.get("parts"):
        wanted |= _wanted_beside(folder, info, base)
    for name, expected in wanted.items():
        if name not in tables:
            raise broken(TABLES, f"it has no {name}", "comparison")
        if tables[name] != ("F32", expected):
            raise broken(TABLES, f"{name} is {kind_of(*tables[name])}, not {kind_of('F32', expected)}", "comparison")


def _wanted_beside(folder: Path, info: dict[str, Any], base: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The tables of noise floors and of the parts of a change, as far as comparison.json names these."""
    n_floors = sum("why" not in record for record in info.get("floors", []))
    n_tokens = max(0, info["shared_tokens"] - 1 - info["answer_rows"][0])
    wanted: dict[str, tuple[int, ...]] = {floor_table("logprob"): (n_floors, n_tokens)} if n_floors else {}
    with Run(folder / BASE) as run:
        for tower, rows in info["queries"].items() if info["measures"] else ():
            heads = len(info["layers"][tower]), base["towers"][tower]["heads"]
            parts = [part_table(part, name, tower) for part in PARTS for name in differences.NAMES]
            wanted |= dict.fromkeys(parts if info.get("parts") else (), (len(info["members"]) - 1, *heads, len(rows)))
            if n_floors:
                of_rows = [floor_table(name, tower) for name in differences.NAMES]
                wanted |= dict.fromkeys(of_rows, (n_floors, *heads, len(rows)))
                n_cells = len(np.arange(run.keys(tower))[run.pictures(tower)[0]])
                wanted |= dict.fromkeys([floor_table(name, tower) for name in CELLS], (n_floors, *heads, n_cells))
                if tower in info.get("floor_regions", []):
                    n_rows = len(answering_rows(tower, rows, info["answer_rows"]))
                    shape = (n_floors, *heads, n_rows, n_cells)
                    if math.prod(shape) > MAX_TABLE_VALUES:
                        raise LimitExceeded(
                            f"The floors' rows of tower {tower} are {math.prod(shape):,} numbers. The limit is "
                            f"{MAX_TABLE_VALUES:,}."
                        )
                    wanted[floor_table(ON_CELLS, tower)] = shape
    return wanted
