"""Answers that take long: over all rows, computed while the page asks how far they are."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any

from starlette.responses import Response

from attention.answers.numbers import numbers
from attention.answers.of_run import as_read
from attention.answers.query import read_number_or_word, read_tower
from attention.readings.as_forecast import RunAsForecast
from attention.runs.run import walks_at_once

from .responses import as_json, sent

ANSWER_WAIT_S = 0.25  # a short computation is answered at once instead of with "ask again"
ASYNC = "respond-async"  # of the header Prefer
GONE_S = 70  # without being asked how far it is, until a walk is nobody's: a hidden page asks once a minute

Told = Callable[[int, int], None]


class NobodyAsks(Exception):
    """A computation that nobody waits for any more."""


class _Walk:
    """One computation: how far it is, and what came of it."""

    def __init__(self, total: int):
        self.done, self.total, self.asked, self.ended = 0, total, time.monotonic(), threading.Event()
        self.value: Any = None
        self.error: Exception | None = None

    def tell(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if time.monotonic() - self.asked > GONE_S:
            raise NobodyAsks


class OverAllRows:
    """What every key receives, and effects over all rows: computed by threads of ours while the page asks how far.

    The run keeps what was computed, as long as there is room; a walk is forgotten with its answer, and ends where
    nobody asks for it any more. `place` is held while effects are computed.
    """

    def __init__(self, place: Callable[[], AbstractContextManager[None]]):
        self._walks: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        self._lock, self._place = threading.Lock(), place

    def received(self, run, request) -> Response:
        """float32 [heads, keys], with `head` [1, keys]; `layer` and `head` may be `mean` or `max`, as in a row.

        202 with {done, total}, in queries of all layers that are asked for, while it is computed.
        """
        asked = request.query_params
        tower = read_tower(asked)
        layer, head = read_number_or_word(asked, "layer"), read_number_or_word(asked, "head", optional=True)
        if "reading" in asked:
            as_read(run, asked).received(layer, tower)  # refuses: nothing is received in one
        layers = run.layers(tower) if isinstance(layer, str) else [layer]
        for index in layers:
            run.layer_file(index, tower)  # refuses a layer that is not there before a thread is started for it
        walk = self._walk(
            run, ("received", tower, layer, head), len(layers) * run.queries(tower),
            lambda tell: run.received(layer, tower, tell, head),
        )  # fmt: skip
        if walk.value is None:
            return as_json({"done": walk.done, "total": walk.total}, 202)
        return sent(numbers(walk.value if head is None else walk.value[None], "factors"))

    def effects(self, run, request) -> Response | None:
        """Compute what a forecast's rows or maps over all rows are made of; None once that is there.

        202 with {done, total}, in rows of all layers that are asked for, while it is computed: for whoever prefers that
        (RFC 7240), all others wait for the answer itself.
        """
        asked = request.query_params
        is_over_all = "reading" in asked and "query" not in asked and "key" not in asked
        if not is_over_all or ASYNC not in request.headers.get("prefer", ""):
            return None
        read = as_read(run, asked)
        if not isinstance(read, RunAsForecast):
            return None
        tower, forecast = read_tower(asked), read.forecast
        layer = read_number_or_word(asked, "layer", optional=True)
        layers = [layer] if isinstance(layer, int) else read.layers(tower)
        for index in layers:
            forecast.layer_path(index, tower)
        n, done = run.queries(tower), dict.fromkeys(layers, 0)
        total = len(layers) * n

        def compute(tell: Told) -> bool:
            def one(index: int) -> None:
                def count(rows: int) -> None:
                    done[index] = rows
                    tell(sum(done.values()), total)

                forecast.keys(index, tower, count)
                count(n)  # it may have been there

            with self._place():
                list(walks_at_once().map(one, layers))
            return True

        walk = self._walk(run, (forecast.folder.name, tower, layer), total, compute)
        return None if walk.value else as_json({"done": walk.done, "total": walk.total}, 202)

    def _walk(self, run, name: Hashable, total: int, compute: Callable[[Told], Any]) -> _Walk:
        """The computation of this name: begun, or on its way, or ended, and then forgotten. Raises what it raised."""
        with self._lock:
            walks = self._walks.setdefault(run, {})
            walk = walks.get(name)
            if walk is None or isinstance(walk.error, NobodyAsks):
                walk = walks[name] = _Walk(total)
                threading.Thread(target=_compute, args=(walk, compute), daemon=True).start()
            walk.asked = time.monotonic()
        walk.ended.wait(ANSWER_WAIT_S)
        with self._lock:
            is_there = walk.value is not None or walk.error is not None
            if is_there and walks.get(name) is walk:
                del walks[name]
        if walk.error is not None and not isinstance(walk.error, NobodyAsks):
            raise walk.error
        return walk


def _compute(walk: _Walk, compute: Callable[[Told], Any]) -> None:
    try:
        walk.value = compute(walk.tell)
    except Exception as error:  # noqa: BLE001 - raised again in the request that asks for the result
        walk.error = error
    finally:
        walk.ended.set()
