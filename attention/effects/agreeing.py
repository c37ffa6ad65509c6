"""Agreement on one input: maps of a run against what its model does when regions are hidden, and when painted over.

Owns which maps are judged. What each says of a region is harm expected: negative where the answer should lose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from attention.capture.extraction import Adapted
from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.capture.tried import trials
from attention.limits import Limits
from attention.readings.agreement import (
    HIDDEN,
    PAINTED,
    SIDES,
    Agreement,
    Block,
    agreements,
    head_maps,
    picture_blocks,
    read_maps,
    tower_of_pictures,
)
from attention.readings.forecast import Forecast
from attention.readings.target import Target
from attention.readings.trial import Hide
from attention.runs.partial import PartialRun
from attention.runs.run import Run


@dataclass(frozen=True)
class Agreeing:
    """Expectations of maps for each region, and what became of it, on one input.

    `maps` {name: [regions]}, `measured` {`hidden`, `painted`: [regions]}: changes of the target in nats; `heads`
    [layers, heads, regions] what each head's attention alone says.
    """

    blocks: list[Block] = field(repr=False)
    target: Target
    value: float
    maps: dict[str, np.ndarray]
    measured: dict[str, np.ndarray]
    heads: np.ndarray = field(repr=False)

    def table(self) -> dict[str, dict[str, Agreement]]:
        """Agreement of each map with each truth, as `agreements` has it."""
        return agreements(self.maps, self.measured)


def agree(
    run: Run,
    target: Target | None = None,
    *,
    sides: int = SIDES,
    paints: bool = True,
    model=None,
    limits: Limits | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
    on_done: Callable[[int, int], None] | None = None,
    seed: int = 0,
) -> Agreeing:
    """Set maps of a run beside what hiding and painting each of sides x sides regions of its pictures does.

    Raises NotInRun for a run whose pictures have no place, and what `trials` raises.
    """
    target = target or Target.of(run)
    blocks = picture_blocks(run, sides)
    forecast = forecast_knock_outs(
        run, target.tokens, target.against, towers=(tower_of_pictures(run),), model=model, limits=limits,
        partial=partial, adapted=adapted,
    )  # fmt: skip
    total = len(blocks) * (2 if paints else 1)

    def told(before: int) -> Callable[[int, int], None]:
        def tell(done: int, _: int) -> None:
            if on_done is not None:
                on_done(before + done, total)
            elif partial is not None:
                partial.report("try", before + done, total)

        return tell

    with trials(run, target, model=model, limits=limits, partial=partial, adapted=adapted) as ready:
        tower = tower_of_pictures(run)
        hidden = ready.without([Hide(block.keys, tower=tower) for block in blocks], told(0))
        measured = {HIDDEN: hidden.changes}
        if paints:
            measured[PAINTED] = ready.painted([block.region for block in blocks], "mean", told(len(blocks))).changes
    maps = expected_harm(run, forecast, blocks, seed)
    by_head = head_maps(run, blocks, [token - 1 for token in target.tokens])
    return Agreeing(blocks, target, hidden.value, maps, measured, by_head)


def expected_harm(run: Run, forecast: Forecast, blocks: list[Block], seed: int = 0) -> dict[str, np.ndarray]:
    """Harm that each map expects of each region, [regions] each: NAMES but `hidden`."""
    tower = tower_of_pictures(run)
    queries = [token - 1 for token in forecast.target.tokens]
    keys = [list(block.keys) for block in blocks]
    signed, positive = np.zeros(len(blocks)), np.zeros(len(blocks))
    for layer in forecast.layers(tower):
        for query in queries:
            row = forecast.gradient_times_attention(layer, query, tower).astype(np.float64)
            signed -= [row[:, own].sum() for own in keys]
            positive -= [np.maximum(row[:, own], 0).sum() for own in keys]
    return {
        "random": np.random.default_rng(seed).permutation(len(blocks)).astype(np.float64),
        **read_maps(run, blocks, queries),
        "gradient": signed,
        "gradient_relu": positive,
        "forecast": forecast.knock_outs(keys, tower).sum(axis=(1, 2), dtype=np.float64),
    }
