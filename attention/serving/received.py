"""The one answer that takes long: what every key receives, computed while the page asks how far it is."""

from __future__ import annotations

import threading
import weakref

from starlette.responses import Response

from attention.answers.numbers import numbers
from attention.answers.of_run import as_read
from attention.answers.query import read_number_or_word, read_tower

from .responses import as_json, sent

RECEIVED_WAIT_S = 0.25  # a short computation is answered at once instead of with "ask again"


class Received:
    """Attention that every key receives: computed by a thread of ours while the page asks how far it is.

    The run keeps what was computed, as long as there is room; a job is forgotten with its answer.
    """

    def __init__(self):
        self._jobs: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def answer(self, run, request) -> Response:
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
        with self._lock:
            jobs = self._jobs.setdefault(run, {})
            job = jobs.get((tower, layer, head))
            if job is None:
                job = {"done": 0, "total": len(layers) * run.queries(tower), "ended": threading.Event()}
                jobs[tower, layer, head] = job
                threading.Thread(target=self._compute, args=(run, tower, layer, head, job), daemon=True).start()
        if not job["ended"].wait(RECEIVED_WAIT_S):
            return as_json({"done": job["done"], "total": job["total"]}, 202)
        with self._lock:
            if jobs.get((tower, layer, head)) is job:
                del jobs[tower, layer, head]
        if "error" in job:
            raise job["error"]
        return sent(numbers(job["values"] if head is None else job["values"][None], "factors"))

    def _compute(self, run, tower, layer, head, job) -> None:
        try:
            job["values"] = run.received(layer, tower, lambda done, total: job.update(done=done, total=total), head)
        except Exception as error:  # noqa: BLE001 - raised again in the request that asks for the result
            job["error"] = error
        finally:
            job["ended"].set()
