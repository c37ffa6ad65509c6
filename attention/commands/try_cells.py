"""`try --cells`: every cell of a run's pictures hidden by itself, kept as far as it was measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from attention.errors import Interrupted

from .of_a_run import model_of
from .output import print_json
from .progress import Progress
from .reading import adapter_of
from .time_left import roughly

WORST = 5  # that are told


def try_cells(options, progress: Progress) -> int:
    """Measure the map, or what is missing of it; Ctrl-C keeps what there is."""
    from attention.effects.cells import measure_cells
    from attention.readings.cells import Cells, CellsAsked
    from attention.runs.run import open_run

    run = open_run(options.run)
    asked = CellsAsked.of(run, block=options.blocks)
    is_first = True

    def tell(found: Cells, seconds_left: float | None) -> None:
        nonlocal is_first
        left = "" if seconds_left is None else f"about {roughly(seconds_left)} left"
        if is_first and left:
            progress.say(f"{_what(found)}: {left}.")
            is_first = False
        progress.show("Trying every cell", _how_many(found), left)

    try:
        model = model_of(options)
        adapted = adapter_of(run) if model is None else None
        found = measure_cells(run, asked, paint=options.paint, model=model, adapted=adapted, on_found=tell)
    except KeyboardInterrupt:
        progress.end()
        if (kept := _kept(run, asked)) is None:
            raise
        raise Interrupted(f"Stopped: {_how_many(kept)} are kept. The same command goes on from there.") from None
    progress.end()
    if options.json:
        print_json({"run": options.run, "reading": found.folder.name, **found.to_dict()})
        return 0
    print(f"{_what(found)}; the answer has a log-probability of {found.value:.3g}.")
    for measure in found.to_dict()["measured"]:
        _say(found, measure)
    if found.total > 1:
        print("Each is tried by itself: a place of several cells may lose little by one of them, and much by all.")
    if found.info["paths"]:
        print(found.info["paths"])
    print(f"Kept in {found.folder}.")
    return 0


def _say(found: Any, measure: str) -> None:
    """The changes in numbers: their spread, and the places where the answer lost most."""
    from attention.readings.cells import HIDDEN, block_grids, region_of_block

    places = [
        (float(change), region_of_block(found.run, each, *place))
        for each in block_grids(found.run, found.asked.block)
        for place, change in np.ndenumerate(found.changes(each.grid, measure))
    ]
    changes = np.array([change for change, _ in places])
    low, middle, high = np.nanquantile(changes, (0, 0.5, 1))
    done = "Hidden from all others" if measure == HIDDEN else f"Painted over ({measure})"
    print(f"{done}: {middle:+.3g} nats in the middle, {low:+.3g} to {high:+.3g}. Most is lost without")
    for index in np.argsort(changes)[:WORST]:
        change, region = places[index]
        print(f"  {change:+.3g}  image {region.image}, {region}")


def _what(found: Any) -> str:
    down, right = found.asked.block
    return f"{found.total:,} {'cells' if down == right == 1 else f'blocks of up to {down} x {right} cells'}"


def _how_many(found: Any) -> str:
    return ", ".join(f"{name} {n:,} of {found.total:,}" for name, n in found.to_dict()["measured"].items())


def _kept(run, asked) -> Any:
    from attention.readings.cells import Cells
    from attention.readings.reading import INDEX, place_of

    place = place_of(run, asked.name())
    return Cells(run, place) if (place / INDEX).is_file() else None
