"""The kind `agreement`: how far maps agree with hiding and painting on this input."""

from __future__ import annotations

from attention.effects.cost import cost_of_agreeing
from attention.fields import Field
from attention.limits import MOST_SIDES
from attention.readings.agreement import SIDES
from attention.readings.kept_agreement import KIND, KeptAgreement, agreement_name, check_sides
from attention.readings.target import Target
from attention.runs.run import Run

from .forecast import AGAINST, TOKENS
from .given import number, target_of
from .kind import Asked, Cost, Given, Kind, Making

REGIONS = Field("sides", int, SIDES, f"regions along each side of a picture, 2 to {MOST_SIDES}")


def read(run: Run, given: Given) -> Asked:
    """Read {tokens, against, sides} as `make` takes it."""
    target, sides = target_of(run, given), number("sides", given.get("sides"), SIDES)
    check_sides(run, sides)
    return {**target.to_dict(), "sides": sides}


def name_of(run: Run, asked: Asked) -> str:
    target = Target(tuple(asked["tokens"]), asked["against"])
    return agreement_name(target, asked["sides"], not run.info.get("videos"))


def make(making: Making) -> KeptAgreement:
    """Make it, by a pass for each region hidden and for each painted over, and the forecast where there is none."""
    from attention.effects.keeping_agreement import keep_agreement

    asked = making.asked
    return keep_agreement(
        making.run, Target(tuple(asked["tokens"]), asked["against"]), sides=asked["sides"], model=making.model,
        processor=making.processor, limits=making.limits, folder=making.folder, partial=making.partial,
        adapted=making.adapted,
    )  # fmt: skip


def cost(run: Run, asked: Asked) -> Cost:
    check_sides(run, asked["sides"])
    return cost_of_agreeing(run, asked["sides"], paints=not run.info.get("videos"))


AGREEMENT = Kind(
    KIND,
    "How far do maps of this input agree with what hiding and painting do? One input says little.",
    {"tokens": TOKENS, "against": AGAINST, "sides": REGIONS},
    read,
    name_of,
    make,
    KeptAgreement,
    cost,
    KeptAgreement.summary,
    content=KeptAgreement.to_dict,
)
