"""The cost of an item with its readings, before any weight is loaded: passes, bytes, and memory at most.

What a reading of a finished run costs says `attention.readings.cost`; here no run is there yet, so that its shapes are
those of the inputs with the longest answer. Masks and biases that a model writes out are seen in a run alone: where it
has such, each reading is held against the memory that there is once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

from attention.capture.forecast import forecast
from attention.capture.reading_forecast import reading_work
from attention.capture.room_for_reading import check_room, sized
from attention.errors import InvalidRequest
from attention.families.family import Inputs
from attention.limits import Limits
from attention.readings.cost import ITEM, Cost, cost_of_forecast, cost_of_lens, cost_of_trials
from attention.request import Request

from .items import BatchItem
from .readings import Asked, lacks_answer
from .tables import AGREEMENT, FORECAST, LENS, RELATIVE


@dataclass(frozen=True)
class ItemCost:
    """Cost of an item in each model: of its run, and of its readings in passes over its tokens.

    Bytes of the disk are there while the item is made; `keeps` says whether they stay. `items` are those of the set,
    None where they are not counted.
    """

    name: str
    members: int
    tokens: int
    run_bytes: int
    run_memory: int
    passes: float
    reading_bytes: int
    reading_memory: int
    keeps: bool
    items: int | None = None

    @property
    def words(self) -> str:
        """The cost in one line, for whoever waits."""
        of_each = " in each model" if self.members > 1 else ""
        first = f"{self.name}{of_each}: its run is a pass over {self.tokens:,} tokens at most"
        memory = f"{sized(max(self.run_memory, self.reading_memory))} of memory at most"
        disk = f"{sized(self.run_bytes + self.reading_bytes)} on disk{'' if self.keeps else ' for its time'}"
        readings = f", its readings {self.passes:,.0f} more" if self.passes else ""
        total = f"; {self.items:,} items" if self.items is not None else ""
        return f"{first}{readings}; {disk}, {memory}{total}"

    def to_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "item": self.name, "members": self.members, "items": self.items, "tokens": self.tokens,
            "reading_passes": self.passes, "run_bytes": self.run_bytes, "reading_bytes": self.reading_bytes,
            "kept": self.keeps, "memory_bytes": max(self.run_memory, self.reading_memory),
        }  # fmt: skip


def cost_of_item(
    item: BatchItem,
    request: Request,
    readings: Asked,
    keep: str,
    members: int,
    limits: Limits,
    place: Path,
    items: int | None = None,
) -> ItemCost:
    """Work out what an item costs in a model, from its processor and the model's config alone.

    `place` is a folder on the disk on which it comes to lie. Raises LimitExceeded, with the numbers, for what does not
    fit, and what `forecast` raises.
    """
    question = item.question
    if question is None:
        raise InvalidRequest(item.reason or "This line asks nothing.")
    vision = request.vision if keep == "all" else request.vision is True
    request = replace(
        request, images=question.images, prompt=question.prompt, messages=question.messages, answer=question.answer,
        vision=vision,
    )  # fmt: skip
    lacks = lacks_answer(readings, request.mode)
    if lacks is not None:
        raise InvalidRequest(lacks)
    expected = forecast(request, limits)
    model, work = expected.model, expected.work
    assert model is not None and work is not None  # a forecast has both
    found = ItemCost(
        item.name,
        members,
        expected.tokens,
        expected.bytes_on_disk,
        expected.memory_bytes,
        0,
        0,
        0,
        keep == "all",
        items,
    )
    if not readings:
        return found
    shapes: Any = _Shapes(expected, request)
    costs = list(_costs(shapes, readings))
    cost = reduce(Cost.and_then, costs)
    weights = 0 if work.is_loaded else work.weight_bytes
    memory = weights + max(check_room(shapes, each, model, limits, weights, place) for each in costs)
    passes = reading_work(shapes, cost, model, work)
    return replace(found, passes=passes.passes + passes.members, reading_bytes=cost.n_bytes, reading_memory=memory)


def _costs(shapes: Any, readings: Asked) -> Iterator[Cost]:
    tower = shapes.picture_tower()
    through = [name for name in shapes.towers() if name != "vision"]
    if FORECAST in readings:
        yield cost_of_forecast(shapes, through)
    if RELATIVE in readings:
        n_bytes = ITEM * shapes.heads(tower) * shapes.n_cells(tower) * len(shapes.info["towers"][tower]["layers"])
        yield Cost(2, n_bytes + shapes.info["bytes"])
    if LENS in readings:
        yield cost_of_lens(shapes)
    if AGREEMENT in readings:
        regions = readings[AGREEMENT]["sides"] ** 2 * len(shapes.info["images"])
        trials = cost_of_trials(regions, regions)
        yield trials if FORECAST in readings else cost_of_forecast(shapes, (tower,)).and_then(trials)


class _Shapes:
    """Shapes of a run to come, as costs ask for them: towers, heads, queries, keys, and what its index would say."""

    def __init__(self, expected: Any, request: Request):
        prepared, model = expected.prepared, expected.model
        n_answer = expected.tokens - len(prepared.inputs.ids)
        inputs = prepared.inputs
        if n_answer:
            inputs = model.family.extend(prepared.processor, inputs, [0] * n_answer)
        self._inputs: Inputs = inputs
        shapes = model.family.towers(model.config)
        keeps = [name for name in shapes if name != "vision" or request.vision is not False]
        self._towers = {name: shapes[name] for name in keeps if inputs.key_count(name)}
        self.info: dict[str, Any] = {
            "tokens": [{"role": role} for role in inputs.roles], "prompt_tokens": len(prepared.inputs.ids),
            "model": {"dtype": str(model.dtype).removeprefix("torch.")}, "images": request.images,
            "bytes": expected.bytes_on_disk,
            "towers": {name: {"layers": _layers(shape)} for name, shape in self._towers.items()},
        }  # fmt: skip

    def towers(self) -> list[str]:
        return list(self._towers)

    def picture_tower(self) -> str:
        return "cross" if "cross" in self._towers and self.n_cells("cross") else "language"

    def heads(self, tower: str) -> int:
        heads: int = self._towers[tower].heads
        return heads

    def queries(self, tower: str) -> int:
        return self._inputs.query_count(tower)

    def keys(self, tower: str) -> int:
        return self._inputs.key_count(tower)

    def n_cells(self, tower: str) -> int:
        return sum(cell is not None for cell in self._inputs.cells_of(tower))

    @staticmethod
    def layers(tower: str) -> list[int]:
        """No layer: their masks and biases are not written yet."""
        return []


def _layers(shape: Any) -> list[dict[str, Any]]:
    own = [(layer, shape.sizes_of(layer)) for layer in shape.layers]
    with_attention = [
        {"index": layer, "file": "-", "kv_heads": heads, "head_dim": size} for layer, (heads, size) in own
    ]
    return with_attention + [{"index": layer} for layer in shape.others]
