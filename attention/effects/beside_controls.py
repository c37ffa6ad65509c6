"""A region or some heads tried without, beside controls and beside what was forecast.

Owns what is measured and what is set beside it; the sentence is the reader's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from attention.capture.extraction import Adapted
from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.capture.tried import Paint, Trials, Tried, trials
from attention.errors import InvalidRequest, NotInRun, quoted
from attention.limits import Limits
from attention.readings.agreement import box_of, keys_of, tower_of_pictures
from attention.readings.forecast import KIND
from attention.readings.target import Target
from attention.readings.trial import Hide, Silence
from attention.runs.partial import PartialRun
from attention.runs.regions import Region
from attention.runs.run import Run

from .controls import control_heads, control_regions


@dataclass(frozen=True)
class BesideControls:
    """Change of the target, in nats: `change` without it, `painted` with it painted over, or None.

    `forecast` is the first order of hiding or silencing; `controls` [n] what the same does to others as large and as
    much read, whose mass differs by `gap` of its own at most. `said` are the likeliest tokens at the answer's places,
    before and after; `first_other` is the first place of the answer at which another becomes the likeliest, and the
    texts of both, or None where none does; `paths` is a sentence where other paths stay open.
    """

    value: float
    change: float
    forecast: float
    controls: np.ndarray
    gap: float
    said: tuple[list[int], list[int]]
    painted: float | None = None
    paths: str = ""
    first_other: tuple[int, str, str] | None = None


def try_region(
    run: Run,
    region: Region,
    target: Target | None = None,
    *,
    paint: Paint | None = None,
    model=None,
    limits: Limits | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
    seed: int = 0,
    readings: Path | None = None,
) -> BesideControls:
    """Hide the cells of a region from every row outside of it, and others like it, each by itself.

    `partial` is where progress is told and a stop is asked for, `readings` the folder in which the forecast is found
    or kept (default: beside the run).

    Raises NotInRun for a region that no cell stands for, and what `trials` raises.
    """
    target, tower = target or Target.of(run), tower_of_pictures(run)
    keys = keys_of(run, region, tower)
    if not keys:
        raise NotInRun(f"The region ({region}) covers half of no cell: no token stands for it. Mark a larger one.")
    controls = control_regions(run, keys, [token - 1 for token in target.tokens], seed=seed)
    kept = None if readings is None else readings / target.name(KIND, (tower,))
    forecast = forecast_knock_outs(
        run, target.tokens, target.against, towers=(tower,), model=model, limits=limits, folder=kept, partial=partial,
        adapted=adapted,
    )  # fmt: skip
    with trials(run, target, model=model, limits=limits, partial=partial, adapted=adapted) as ready:
        tried = ready.without([Hide(each, tower=tower) for each in (keys, *controls.keys)])
        box = Region(box_of(run, keys, region.image, tower), region.image) if len(region.place) == 2 else region
        painted = None if paint is None else float(ready.painted([box], paint).changes[0])
        first_other = _first_other(ready, tried)
    expected = float(forecast.knock_out(keys, tower).sum(dtype=np.float64))
    return _beside(run, tried, expected, controls.gap, painted, first_other)


def try_heads(
    run: Run,
    heads: Sequence[tuple[int, int]] | int,
    by: Literal["zero", "mean"] = "zero",
    target: Target | None = None,
    *,
    model=None,
    limits: Limits | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
    seed: int = 0,
    readings: Path | None = None,
) -> tuple[list[tuple[int, int]], BesideControls]:
    """Silence heads, (layer, head), together; or so many of the largest forecast. Controls are as many others each.

    Those that together read about as much of pictures. Returns the heads too.
    """
    target, tower = target or Target.of(run), run.picture_tower()
    if not isinstance(heads, int):
        heads = list(dict.fromkeys((layer, head) for layer, head in heads))
        Silence(tuple(heads), by, tower).check(run)
    kept = None if readings is None else readings / target.name(KIND, (tower,))
    forecast = forecast_knock_outs(
        run, target.tokens, target.against, towers=(tower,), model=model, limits=limits, folder=kept, partial=partial,
        adapted=adapted,
    )  # fmt: skip
    effects, layers = forecast.silenced(by, tower), forecast.layers(tower)
    if isinstance(heads, int):
        if not 1 <= heads <= effects.size:
            raise InvalidRequest(f"{quoted(heads)} heads were asked for; the {tower} tower has {effects.size}.")
        order = np.argsort(effects, axis=None)[:heads]
        heads = [(layers[int(i) // effects.shape[1]], int(i) % effects.shape[1]) for i in order]
    silence = Silence(tuple(heads), by, tower)
    places = [(layers.index(layer), head) for layer, head in heads]
    cells = run.pictures(tower)[0]
    rows = np.stack([run.exact_rows(token - 1, tower) for token in target.tokens]).mean(axis=0)
    masses = rows[..., cells].sum(axis=-1)
    sets, gap = control_heads(masses, places, seed=seed)
    controls = [Silence(tuple((layers[i], head) for i, head in one), by, tower) for one in sets]
    with trials(run, target, model=model, limits=limits, partial=partial, adapted=adapted) as ready:
        tried = ready.without([silence, *controls])
        first_other = _first_other(ready, tried)
    expected = float(sum(effects[place] for place in places))
    return list(heads), _beside(run, tried, expected, gap, None, first_other)


def _first_other(ready: Trials, tried: Tried) -> tuple[int, str, str] | None:
    """The first place of the answer at which the first trial makes another token the likeliest, and both texts."""
    before, after = tried.said[0].tolist(), tried.said[1].tolist()
    pairs = enumerate(zip(before, after, strict=True))
    return next(((i, ready.text_of(was), ready.text_of(now)) for i, (was, now) in pairs if was != now), None)


def _beside(
    run: Run,
    tried: Tried,
    expected: float,
    gap: float,
    painted: float | None,
    first_other: tuple[int, str, str] | None,
) -> BesideControls:
    said = tried.said[0].tolist(), tried.said[1].tolist()
    change, controls = float(tried.changes[0]), tried.changes[1:]
    return BesideControls(tried.value, change, expected, controls, gap, said, painted, open_paths(run), first_other)


def open_paths(run: Run) -> str:
    """A sentence where a model has layers without attention, through which what is hidden is read all the same."""
    others = sorted(set(run.other_layers().values()))
    return f"Other paths stay open: {len(run.other_layers())} layers have {', '.join(others)}." if others else ""
