"""Results of trials as objects for programs, and a trial as a job: plain data in, plain data out.

Owns the fields of both. What is asked was read before; what is measured is the business of `beside_controls`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attention.capture.extraction import Adapted
from attention.limits import Limits
from attention.readings.forecast import flat_words
from attention.runs.partial import PartialRun
from attention.runs.regions import Region
from attention.runs.run import open_run

from .beside_controls import BesideControls, try_heads, try_region


def tried_record(found: BesideControls, region: Region | None = None, heads: Any = None) -> dict[str, Any]:
    """Describe a trial for programs, in nats: of a region, or of heads [(layer, head)].

    `caution` is a sentence on the forecast where it says little, '' elsewhere.
    """
    what: dict[str, Any] = {} if region is None else {"region": list(region.place), "image": region.image}
    what |= {} if heads is None else {"heads": [list(head) for head in heads]}
    other = found.first_other
    return what | {
        "value": found.value, "change": found.change, "painted": found.painted, "forecast": found.forecast,
        "controls": found.controls.tolist(), "gap": found.gap,
        "first_other": None if other is None else dict(zip(("token", "was", "becomes"), other, strict=True)),
        "caution": flat_words(found.value), "paths": found.paths,
    }  # fmt: skip


def try_job(
    asked: dict[str, Any], partial: PartialRun, limits: Limits | None = None, adapted: Adapted | None = None
) -> dict[str, Any]:
    """Try what {folder, readings, place, image, paint, heads, silence, seed} says, and return its record.

    `place` is a box or a point of an image, or None: then `heads`, a list of [layer, head] or how many, are silenced.
    """
    with open_run(asked["folder"]) as run:
        common: dict[str, Any] = {
            "limits": limits, "partial": partial, "adapted": adapted, "seed": asked["seed"],
            "readings": Path(asked["readings"]),
        }  # fmt: skip
        if asked["place"] is not None:
            region = Region(tuple(asked["place"]), asked["image"])
            found = try_region(run, region, paint=asked["paint"], **common)
            return tried_record(found, region=region) | {"paint": asked["paint"]}
        heads = asked["heads"]
        which = heads if isinstance(heads, int) else [(layer, head) for layer, head in heads]
        silenced, found = try_heads(run, which, asked["silence"], **common)
        return tried_record(found, heads=silenced) | {"paint": None}
