"""Agreement of maps with hiding and painting on one input, kept: the regions, what each map expects, what happened.

    <run>.readings/<name>/heads.safetensors   maps: float32 [layers, heads, regions], minus the mass

One input says little, and no map is an explanation. Needs NumPy alone; `attention.effects.keeping_agreement` fills it.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from attention.errors import DamagedReading, InvalidRequest, LimitExceeded, NotInRun, quoted
from attention.limits import MAX_KNOCK_OUTS, MOST_SIDES
from attention.runs.run import Run

from .agreement import (
    HIDDEN,
    NAMES,
    PAINTED,
    Agreement,
    agreement,
    agreements,
    picture_blocks,
    rank_by_chance,
    tower_of_pictures,
)
from .reading import Reading, check_numbers, tensor_file
from .target import Target

KIND, FILE = "agreement", "heads.safetensors"
FLAT_ORDER = "The answer is near-certain: a first-order forecast is nearly flat. Its order is judged, not its size."


def agreement_name(target: Target, sides: int, paints: bool = True) -> str:
    """The name of the reading's folder, the same for the same question."""
    return target.name(f"{KIND} of {sides} x {sides}{'' if paints else ', hidden'}", ())


def check_sides(run: Run, sides: int) -> int:
    """Number of trials that it takes. Raises InvalidRequest, or LimitExceeded for too many."""
    if not 2 <= sides <= MOST_SIDES:
        raise InvalidRequest(f"sides is {quoted(sides)}; it must be from 2 to {MOST_SIDES} regions along each side.")
    n = len(picture_blocks(run, sides)) * (1 if run.info.get("videos") else 2)
    if n > MAX_KNOCK_OUTS:
        most = f"the limit is {MAX_KNOCK_OUTS:,}. Ask for fewer"
        raise LimitExceeded(f"{sides} x {sides} regions of each picture are {n:,} trials; {most}.")
    return n


class KeptAgreement(Reading):
    """Agreement on one input, read from its folder."""

    kind = KIND

    def _check(self) -> None:
        info, run = self.info, self.run
        self._check_target()
        check_numbers(info, "value", "sides")
        n, keys = len(info["regions"]), run.keys(tower_of_pictures(run))
        for region in info["regions"]:
            check_numbers(dict(enumerate(region["box"])), *range(4))
            if (
                type(region["image"]) is not int
                or len(region["box"]) != 4
                or not all(type(key) is int and 0 <= key < keys for key in region["keys"])
            ):
                raise ValueError("a region is no box of cells of the run")
        if list(info["measured"]) not in ([HIDDEN], [HIDDEN, PAINTED]) or not set(info["maps"]) <= set(NAMES):
            raise ValueError("it has other maps, or was measured otherwise")
        for values in (*info["measured"].values(), *info["maps"].values()):
            if len(values) != n or not all(isinstance(each, int | float) and math.isfinite(each) for each in values):
                raise ValueError("a map has not one number for each region")
        if info["towers"] or not all(isinstance(info[name], str) for name in ("paths", "caution", "note")):
            raise ValueError("it has no layers; paths, caution and note are sentences")

    @property
    def own_name(self) -> str:
        return agreement_name(self.target, self.info["sides"], PAINTED in self.info["measured"])

    def files(self) -> list[str]:
        return [FILE]

    def _check_files(self) -> None:
        self._heads  # noqa: B018 - reading them holds them against the run

    @property
    def measured(self) -> dict[str, np.ndarray]:
        """Change of the target by each region, in nats: {`hidden`, `painted`: float64 [regions]}."""
        return {name: np.array(values, np.float64) for name, values in self.info["measured"].items()}

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """Harm that each map expects of each region, {name: float64 [regions]}: negative is harm."""
        return {name: np.array(values, np.float64) for name, values in self.info["maps"].items()}

    def table(self) -> dict[str, dict[str, Agreement]]:
        """Agreement of each map with each truth, as `agreements` has it."""
        return agreements(self.maps, self.measured)

    def of_head(self, layer: int, head: int | None = None) -> dict[str, Agreement]:
        """Agreement of one head's attention with each truth, or without `head` of the mean of a layer's heads.

        Of the rows that predict the answer. Raises NotInRun.
        """
        tower = tower_of_pictures(self.run)
        if layer not in self.run.layers(tower):
            raise NotInRun(f"There is no layer {quoted(layer)} with attention in the {tower} tower of this run.")
        if head is not None and not 0 <= head < self.run.heads(tower):
            raise NotInRun(f"There is no head {quoted(head)}: layers of this run have {self.run.heads(tower)}.")
        own = self._heads[self.run.layers(tower).index(layer)].astype(np.float64)
        expected = own.mean(axis=0) if head is None else own[head]
        return {truth: agreement(expected, found) for truth, found in self.measured.items()}

    @cached_property
    def _heads(self) -> np.ndarray:
        tower = tower_of_pictures(self.run)
        wanted = (len(self.run.layers(tower)), self.run.heads(tower), len(self.info["regions"]))
        with tensor_file(self.folder / FILE) as file:
            found = file.read("maps") if "maps" in file and file.shape("maps") == wanted else None
        if found is None or found.dtype != np.float32:
            raise DamagedReading(f"{FILE} in {self.folder.name} does not fit its run. Remove it, and ask again.")
        return found

    def summary(self) -> dict[str, Any]:
        """Describe it for programs: each map's agreement, and `chance`, which a random order reaches in 1 of 20.

        `hits` of chance is the share in which a random order finds the most harmful region.
        """
        n = len(self.info["regions"])
        return {
            "value": self.info["value"], "sides": self.info["sides"], "n_inputs": 1, "n_regions": n,
            "agreement": {
                name: {truth: _plain(each) for truth, each in row.items()} for name, row in self.table().items()
            },
            "chance": {
                truth: {"rank": _number(rank_by_chance(found)), "hits": 1 / n}
                for truth, found in self.measured.items()
            },
            **{name: self.info[name] for name in ("paths", "caution", "note")},
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The same, with every region, its `keys`, and what became of it."""
        own = {name: self.info[name] for name in ("target", "regions", "measured", "maps")}
        return {**self.summary(), **own, "tower": tower_of_pictures(self.run), "names": NAMES}


def _plain(each: Agreement) -> dict[str, Any]:
    return {"rank": _number(each.rank), "hits": each.hits}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
