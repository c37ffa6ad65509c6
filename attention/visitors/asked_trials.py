"""A trial as a visitor asks for it: fields of the page or an endpoint, checked before a model is loaded.

Owns which fields go together and what is refused at once; what is tried is the business of `attention.effects`.
"""

from __future__ import annotations

from typing import Any

from attention.coordinates import AUTO
from attention.errors import InvalidRequest, NotInRun, quoted
from attention.exports.regions import place_of_answer, read_place
from attention.kinds.given import number
from attention.readings.agreement import keys_of, tower_of_pictures
from attention.readings.target import Target
from attention.readings.trial import Silence
from attention.runs.run import Run

WHAT = ("box", "point", "answer", "heads", "top_heads")
PAINTS, SILENCES = ("none", "mean", "blur"), ("zero", "mean")
MAX_SEED = 2**32 - 1


def read_trial(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    """Read {place, image, paint, heads, silence, seed} as `effects.record.try_job` takes it from what was given.

    Raises InvalidRequest or NotInRun for what is wrong with it, or cannot be tried on this run.
    """
    named = [name for name in WHAT if given.get(name) not in (None, False, [])]
    if len(named) != 1:
        raise InvalidRequest(f"Name one of {', '.join(WHAT)}: what the answer is to be tried without.")
    (what,) = named
    paint, silence = given.get("paint") or "none", given.get("silence") or "zero"
    for name, value, words in (("paint", paint, PAINTS), ("silence", silence, SILENCES)):
        if value not in words:
            raise InvalidRequest(f"{name} is {quoted(value)}; it must be one of {', '.join(words)}.")
    seed = number("seed", given.get("seed"), 0)
    if seed > MAX_SEED:
        raise InvalidRequest(f"seed is {quoted(seed)}; it must be at most {MAX_SEED}.")
    Target.of(run)  # refuses a run without an answer
    tower = tower_of_pictures(run)
    asked: dict[str, Any] = {"place": None, "image": 0, "paint": None, "heads": None, "silence": silence, "seed": seed}
    if what in ("heads", "top_heads"):
        if paint != "none":
            raise InvalidRequest("paint is for a region: leave it out, or name a box.")
        return asked | {"heads": _heads(run, what, given[what], silence, tower)}
    coordinates = given.get("coordinates") or AUTO
    if what == "answer":
        region = place_of_answer(run, None if coordinates == AUTO else coordinates)
    else:
        region = read_place(run, given.get("box"), given.get("point"), number("image", given.get("image"), 0))
    if not keys_of(run, region, tower):
        raise NotInRun(f"The region ({region}) covers half of no cell: no token stands for it. Mark a larger one.")
    place = [float(side) for side in region.place]
    return asked | {"place": place, "image": region.image, "paint": None if paint == "none" else paint}


def _heads(run: Run, what: str, given: Any, silence: Any, tower: str) -> int | list[list[int]]:
    """The heads, [layer, head] each, or a count: so many of the largest forecast."""
    if what == "top_heads":
        count, n = number(what, given, 0), len(run.layers(tower)) * run.heads(tower)
        if not 1 <= count <= n:
            raise InvalidRequest(f"top_heads is {quoted(given)}; it must be from 1 to {n}, the heads of this run.")
        return count
    pairs = given if isinstance(given, list) else []
    if not pairs or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise InvalidRequest(f"heads is {quoted(given)}; it must be a list of [layer, head], such as [[3, 1]].")
    heads = [[number("a layer", layer), number("a head", head)] for layer, head in pairs]
    Silence(tuple(dict.fromkeys((layer, head) for layer, head in heads)), silence, tower).check(run)
    return heads
