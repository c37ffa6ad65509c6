"""The kind `direct`: what heads, layers and cells add to the answer's logits by the residual stream alone."""

from __future__ import annotations

from attention.readings.cost import cost_of_direct
from attention.readings.direct import KIND, Direct
from attention.readings.target import Target
from attention.runs.run import Run

from .forecast import AGAINST, TOKENS
from .given import target_of
from .kind import Asked, Cost, Given, Kind, Making


def read(run: Run, given: Given) -> Asked:
    """Read {tokens, against} as `make` takes it."""
    return target_of(run, given).to_dict()


def name_of(_: Run, asked: Asked) -> str:
    return Target(tuple(asked["tokens"]), asked["against"]).name(KIND, ())


def make(making: Making) -> Direct:
    """Make it, by one pass forward and one back along the residual stream."""
    from attention.capture.direct_attribution import attribute_directly

    return attribute_directly(
        making.run, making.asked["tokens"], making.asked["against"], model=making.model, processor=making.processor,
        limits=making.limits, folder=making.folder, partial=making.partial, adapted=making.adapted,
    )  # fmt: skip


def cost(run: Run, asked: Asked) -> Cost:
    return cost_of_direct(run, len(asked["tokens"]))


DIRECT = Kind(
    KIND,
    "What do a head, a layer, a cell add to the answer's logit by themselves?",
    {"tokens": TOKENS, "against": AGAINST},
    read,
    name_of,
    make,
    Direct,
    cost,
    lambda direct: {"budget": direct.budget},
)
