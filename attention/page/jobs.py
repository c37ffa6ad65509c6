"""A job as plain data, done in the process that runs the model: a run, a comparison, a question to a finished run."""

from __future__ import annotations

from typing import Any

from attention.comparisons.asked_beside import asked_beside
from attention.environment import is_debugging
from attention.errors import AttentionError
from attention.limits import Limits
from attention.request import Request
from attention.runs.partial import PartialRun

from .sentences import in_words


def do_job(job: dict, prepared: Any, limits: Limits | None) -> dict:
    """Make the run that {partial, request, adapters, words} describes; return {run: its folder} or {error: why not}.

    With `words` it is a comparison of the base with the adapters, and with what is measured `beside`; with `tried` or
    `reading` a question to a finished run, and {tried} or {reading: its record} is returned. `prepared` are inputs that
    a forecast has made, of which nothing is made again.
    """
    from attention.capture.extraction import fill

    request, partial = Request.from_dict(job["request"]), PartialRun.open(job["partial"])
    try:
        if "tried" in job or "reading" in job:
            return _asked_again(job, partial, limits)
        if not job["adapters"] and job["words"] is None:
            return {"run": str(fill(request, partial, limits=limits, prepared=prepared))}
        from adapters.attach import adapted, from_job
        from adapters.comparing import choice_from_job, fill_comparison

        if job["words"] is None:
            choice = from_job(job["adapters"][0])
            return {"run": str(fill(request, partial, None, limits, adapted(choice), prepared))}
        choices = [choice_from_job(record) for record in job["adapters"]]
        beside = asked_beside(**job["beside"])
        return {"run": str(fill_comparison(request, choices, partial, job["words"], limits, prepared, beside))}
    except AttentionError as error:
        return {"error": str(error)}
    except Exception as error:
        if is_debugging():
            raise
        return {"error": in_words(error)}


def _asked_again(job: dict, partial: PartialRun, limits: Limits | None) -> dict:
    """Return {tried} or {reading}: the answer to a question to a finished run, its adapter on where it has one."""
    from attention.effects.record import try_job
    from attention.kinds.making import make_job

    adapter = None
    if job["adapters"]:
        from adapters.attach import adapted, from_job

        adapter = adapted(from_job(job["adapters"][0]))
    if "tried" in job:
        return {"tried": try_job(job["tried"], partial, limits, adapter)}
    return {"reading": make_job(job["reading"], partial, limits, adapter)}
