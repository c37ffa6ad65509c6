"""Maps of a model whose layers are drawn anew, from the last one on: a map that stays says nothing of those layers.

Owns the cascade (Adebayo et al. 2018, arXiv:1810.03292) and the comparison: Spearman's rank correlation of a map's
cells with those of the whole model's, for the attention and for the forecast of knock-outs. Weights are drawn in a copy
of the language layers, never in the model itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from attention.capture.asked_again import request_of
from attention.capture.direct_path import decoder_layers
from attention.capture.extraction import Extraction
from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.capture.room_for_reading import check_weights
from attention.limits import Limits
from attention.models.kept import LoadedModel
from attention.models.own_layers import OwnLayers
from attention.readings.agreement import spearman
from attention.readings.target import Target
from attention.runs.partial import PartialRun
from attention.runs.run import Run
from attention.runs.temporary import temporary_place

MOST_DEPTHS = 8  # of a model of more layers several are drawn at a time
READ, FORECAST, SIZE = "read", "forecast", "forecast_size"
CASCADE_NAMES = {
    READ: "attention, mean of all heads",
    FORECAST: "forecast of knock-outs",
    SIZE: "forecast, without its sign",
}


@dataclass(frozen=True)
class Cascade:
    """Rank correlations of maps with the whole model's as its last layers are drawn anew.

    `layers` the first layer that is drawn anew, of each step; `values` the target then; `ranks` {map: [steps]}.
    """

    layers: list[int]
    values: list[float]
    ranks: dict[str, list[float]]


class Reinitialised:
    """A model whose layers can be drawn anew, last ones first; the model itself is left alone.

    Raises LimitExceeded where a copy of its language layers has no room.
    """

    def __init__(self, loaded: LoadedModel, limits: Limits | None = None):
        layers = decoder_layers(loaded)
        check_weights(loaded, sum(each.nbytes for layer in layers for each in layer.parameters()))
        self._own, self._limits = OwnLayers(loaded, layers), limits
        self.steps = [int(part[0]) for part in np.array_split(np.arange(len(layers)), min(len(layers), MOST_DEPTHS))]

    def cascade(self, run: Run, target: Target | None = None, seed: int = 0, check: Callable[[], None] = lambda: None):
        """Draw layers anew, from the last to the first, and compare the maps of the run's own tokens each time.

        `check` is called before each step, and may raise. The maps of the whole model are made in the same way.
        """
        target, own = target or Target.of(run), self._own
        whole = self._maps(run, target)
        values, ranks, drawn = list[float](), {name: list[float]() for name in CASCADE_NAMES}, len(own.layers)
        try:
            for first in reversed(self.steps):
                check()
                for layer in range(first, drawn):
                    own.draw(layer, seed * len(own.layers) + layer)
                drawn = first
                value, maps = self._maps(run, target)
                values.append(value)
                for name, found in maps.items():
                    ranks[name].append(spearman(whole[1][name], found))
        finally:
            own.restore()
        return Cascade(self.steps[::-1], values, ranks)

    def _maps(self, run: Run, target: Target) -> tuple[float, dict[str, np.ndarray]]:
        """The target and the maps over all cells of pictures, of the copy as it is now."""
        place = temporary_place()
        try:
            folder = _read_again(run, self._own.loaded, place, self._limits)
            with Run(folder) as again:
                tower = again.picture_tower()
                cells = again.pictures(tower)[0]
                rows = np.stack([again.exact_rows(token - 1, tower) for token in target.tokens])
                forecast = forecast_knock_outs(
                    again, target.tokens, target.against, towers=(tower,), model=self._own.loaded, limits=self._limits
                )
                effect = np.sum([forecast.keys(layer, tower).sum(axis=0) for layer in forecast.layers(tower)], axis=0)
                value = float(forecast.info["value"])
        finally:
            shutil.rmtree(place.parent, ignore_errors=True)
        read = rows.mean(axis=(0, 1, 2), dtype=np.float64)[cells]
        return value, {READ: read, FORECAST: effect[cells], SIZE: np.abs(effect[cells])}


def _read_again(run: Run, loaded: LoadedModel, place: Path, limits: Limits | None) -> Path:
    """A run of the same tokens by another model, in a folder of its own."""
    partial = PartialRun.create(place)
    request = replace(request_of(run), mode="generate", vision=False)
    ids = [token["id"] for token in run.info["tokens"]][run.info["prompt_tokens"] :]
    limits = limits and limits.of_kept_pictures()
    with Extraction(request, partial, loaded, limits) as extraction:
        return extraction.keep(partial, ids)
