"""The kind `forecast`: what the answer would lose if a place were read a little less."""

from __future__ import annotations

from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.fields import Field
from attention.readings.as_forecast import RunAsForecast
from attention.readings.cost import cost_of_forecast
from attention.readings.forecast import KIND, Forecast
from attention.readings.target import Target
from attention.runs.run import Run

from .given import target_of, words
from .kind import Asked, Cost, Given, Kind, Making

TOKENS = Field("tokens", list, None, "positions of the answer's tokens that are asked about (default: all of them)")
AGAINST = Field(
    "against",
    int | str,
    None,
    "another token, its text, or a number for its id: the one's logit less the other's is asked about",
)
TOWERS = Field("towers", list, None, "towers that are differentiated (default: those in which text reads)")


def read(run: Run, given: Given) -> Asked:
    """Read {tokens, against, towers} as `make` takes it."""
    target = target_of(run, given)
    towers = words("towers", given.get("towers")) or [name for name in run.towers() if name != "vision"]
    unknown = [name for name in towers if name not in run.towers()]
    if unknown:
        raise InvalidRequest(f"There is no tower {quoted(unknown[0])} in this run; it has {', '.join(run.towers())}.")
    return {**target.to_dict(), "towers": [name for name in run.towers() if name in towers]}


def name_of(_: Run, asked: Asked) -> str:
    return Target(tuple(asked["tokens"]), asked["against"]).name(KIND, asked["towers"])


def make(making: Making) -> Forecast:
    """Make it, by one pass forward and one back."""
    from attention.capture.knock_out_forecast import forecast_knock_outs

    asked = making.asked
    return forecast_knock_outs(
        making.run, asked["tokens"], asked["against"], towers=asked["towers"], model=making.model,
        processor=making.processor, limits=making.limits, folder=making.folder, partial=making.partial,
        adapted=making.adapted,
    )  # fmt: skip


def cost(run: Run, asked: Asked) -> Cost:
    return cost_of_forecast(run, asked["towers"])


def describe(forecast: Forecast) -> dict[str, Any]:
    other = {"other": forecast.info["other"]} if "other" in forecast.info else {}  # older ones have none
    return {"value": forecast.info["value"], "caution": forecast.caution, **other}


FORECAST = Kind(
    KIND,
    "What would the answer lose if a place were read a little less? A slope, and no explanation.",
    {"tokens": TOKENS, "against": AGAINST, "towers": TOWERS},
    read,
    name_of,
    make,
    Forecast,
    cost,
    describe,
    RunAsForecast,
)
