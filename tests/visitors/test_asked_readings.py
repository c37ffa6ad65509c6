"""Readings that visitors ask of finished runs: refused before a model is loaded, made once, found again, stopped."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

import app
from attention.environment import EXAMPLES
from attention.errors import InvalidRequest, NotInRun
from attention.kinds.kept import find_reading, kept_readings
from attention.kinds.table import KINDS
from attention.models.kept import free
from attention.readings.reading import readings_beside
from attention.runs.run import open_run
from attention.visitors.service import Service
from attention.visitors.store import RunCache


@pytest.fixture(scope="module")
def shapes():
    with open_run(EXAMPLES / "shapes") as run:
        yield run


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A hosted service whose examples strangers ask about."""
    cache = RunCache(tmp_path_factory.mktemp("sessions"), library=False, sweep_every=None)
    cache.add_public("shapes", EXAMPLES / "shapes")
    cache.add_public("compared", EXAMPLES / "compared")
    service = app.new_service(cache, is_hosted=True)
    service.load()
    yield service
    service.close()
    free()


@pytest.mark.parametrize(
    "kind, given, words",
    [
        ("mood", {}, "There is no reading 'mood'. There is forecast, direct, lens"),
        (["lens"], {}, "There is no reading"),
        ("forecast", {"tokens": [0]}, "Token 0 is no token of the answer"),
        ("forecast", {"tokens": ["red"]}, "tokens is 'red'; it must be a whole number"),
        ("forecast", {"tokens": {"a": 1}}, "tokens is"),
        ("forecast", {"against": -5}, "against is -5"),
        ("forecast", {"towers": ["../vision"]}, "There is no tower '../vision'"),
        ("forecast", {"towers": 3}, "towers is 3; it must be a list of words"),
        ("direct", {"tokens": [10**9]}, "is no token of the answer"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(service, kind, given, words):
    with (
        pytest.raises((InvalidRequest, NotInRun)) as refused,
        service.asked_reading("shapes", {"reading": kind, **given}, "somebody"),
    ):
        pass
    assert words in str(refused.value)


def asked(service: Service, ticket: str, given: dict, owner="somebody") -> tuple[dict, list[str]]:
    """The record of a reading, and the phases of its job."""

    async def result():
        with service.asked_reading(ticket, given, owner) as job:
            phases = [progress["phase"] async for progress in job.follow()]
        return job.result(), phases

    with ThreadPoolExecutor(1) as pool:  # Playwright, in other tests, keeps an event loop running in this thread
        return pool.submit(asyncio.run, result()).result(60)


def test_a_kind_is_made_once_and_then_answered_at_once_under_its_name(service, tmp_path):
    before = not readings_beside(EXAMPLES / "shapes").exists()
    target = list(range(*answer_of(service.run("shapes"))))
    for kind in KINDS.values():
        made, phases = asked(service, "shapes", {"reading": kind.name})
        assert phases and made["kind"] == kind.name
        again, phases = asked(service, "shapes", {"reading": kind.name}, "somebody else")
        assert again == made and not phases
    run = service.run("shapes")
    kept = kept_readings(run)
    assert [each["kind"] for each in kept["readings"]] == [*reversed(KINDS)] and not kept["unread"]
    forecast = next(each for each in kept["readings"] if each["kind"] == "forecast")
    assert forecast["target"] == {"tokens": target, "against": None} and forecast["towers"] == ["language"]
    assert forecast["value"] == pytest.approx(sum(run.info["logprobs"][: len(target)]), abs=1e-3)
    assert find_reading(run, forecast["name"]).knock_out([5]).shape == (len(run.layers()), run.heads())
    assert before == (not readings_beside(EXAMPLES / "shapes").exists()), "examples are left as they were"
    for name in ("..", "../shapes", "", None, f"{forecast['name']}.partial", "0" * 16, ["lens"]):
        with pytest.raises(NotInRun):
            find_reading(run, name)


def answer_of(run):
    """The first of the answer's tokens that are no control tokens, and the one after the last."""
    own = [i for i, token in enumerate(run.info["tokens"]) if token["role"] == "answer"]
    return own[0], own[-1] + 1
