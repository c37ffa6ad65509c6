"""Cost of trials and of agreement: a forecast of knock-outs, and passes with something hidden or painted over."""

from __future__ import annotations

from attention.readings.agreement import picture_blocks
from attention.readings.cost import Cost, cost_of_forecast, cost_of_trials
from attention.runs.run import Run

from .controls import N_CONTROLS


def cost_of_trying(run: Run, paints: bool) -> Cost:
    """The cost of a region, or of heads, tried without, beside controls."""
    return _with_forecast(run, cost_of_trials(1 + N_CONTROLS, 1 if paints else 0))


def cost_of_agreeing(run: Run, sides: int, paints: bool) -> Cost:
    """The cost of agreement on one input. Raises NotInRun for a run whose pictures have no place."""
    n = len(picture_blocks(run, sides))
    return _with_forecast(run, cost_of_trials(n, n if paints else 0))


def _with_forecast(run: Run, trials: Cost) -> Cost:
    return cost_of_forecast(run, (run.picture_tower(),)).and_then(trials)
