"""Readings that visitors ask of finished runs: refused before a model is loaded, made once, found again, stopped."""

import asyncio
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from secrets import token_hex

import pytest
from served import hold_at, job_threads, seconds_until

import app
from attention.environment import EXAMPLES
from attention.errors import AttentionError, Cancelled, InvalidRequest, NotInRun
from attention.kinds.kept import find_reading, kept_readings
from attention.kinds.table import KINDS
from attention.models.kept import INFERENCE, free
from attention.page.trials import Asking
from attention.readings.reading import readings_beside
from attention.readings.relative import GENERAL
from attention.runs.partial import PartialRun
from attention.visitors.asked_readings import OneAtATime
from attention.visitors.presence import Visitor
from attention.visitors.service import Service
from attention.visitors.store import RunCache


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A hosted service whose examples strangers ask about."""
    cache = RunCache(tmp_path_factory.mktemp("sessions"), library=False, sweep_every=None)
    cache.add_public("shapes", EXAMPLES / "shapes")
    cache.add_public("compared", EXAMPLES / "compared")
    service = app.new_service(cache, is_hosted=True)
    service.load()
    service.starting.is_over.wait()  # it loads a model, as a job does
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


def test_nobodys_words_come_to_stand_beside_what_everybody_sees(service, tmp_path):
    for ticket in ("shapes", "compared"):
        with (
            pytest.raises(InvalidRequest, match="Everybody sees what is asked of an example"),
            service.asked_reading(ticket, {"reading": "relative", "prompt": "my own words"}, "somebody"),
        ):
            pass
    own = service.cache.add(shutil.copytree(EXAMPLES / "shapes", service.cache.new_folder()), "somebody")
    for ticket, given in (("shapes", {}), ("shapes", {"prompt": GENERAL}), (own, {"prompt": "my own words"})):
        with service.asked_reading(ticket, {"reading": "relative", **given}, "somebody") as job:
            job.cancel()
        seconds_until(lambda: job.is_done)


def asked(service: Service, ticket: str, given: dict, owner="somebody") -> tuple[dict, list[str]]:
    """The record of a reading, and the phases of its job."""

    async def result():
        with service.asked_reading(ticket, given, owner) as job:
            phases = [progress["phase"] async for progress in job.follow()]
        return job.result(), phases

    with ThreadPoolExecutor(1) as pool:  # Playwright, in other tests, keeps an event loop running in this thread
        return pool.submit(asyncio.run, result()).result(300)


def new_ticket(service):
    """A ticket of an example of which nothing has been asked yet."""
    ticket = token_hex(8)
    service.cache.add_public(ticket, EXAMPLES / "shapes")
    return ticket


def count_made(monkeypatch):
    """The names of kinds, each whenever a reading of it is made or looked for by its maker."""
    made = []
    for kind in KINDS.values():

        def make(making, kind=kind):
            made.append(kind.name)
            return kind.make(making)

        monkeypatch.setitem(KINDS, kind.name, replace(kind, make=make))
    return made


def test_a_kind_is_made_once_and_then_answered_at_once_under_its_name(service, monkeypatch):
    before = not readings_beside(EXAMPLES / "shapes").exists()
    ticket, count = new_ticket(service), count_made(monkeypatch)
    target = list(range(*answer_of(service.run(ticket))))
    for name in KINDS:
        made, _ = asked(service, ticket, {"reading": name})
        assert count == [name] and made["kind"] == name
        again, phases = asked(service, ticket, {"reading": name}, "somebody else")
        assert again == made and not phases and count == [name]
        count.clear()
    run = service.run(ticket)
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


def told(asking: Asking, given: dict, on_said=lambda said: None) -> list[dict]:
    """Everything that the channel is told of what was asked, which `on_said` sees as it comes."""

    async def hear():
        said = []
        async for each in asking.begin(given, Visitor("somebody")):
            said.append(each)
            on_said(each)
        return said

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, hear()).result(300)


def test_the_page_is_told_of_progress_of_what_was_found_so_far_and_of_the_end(service, monkeypatch):
    def make(making):
        making.partial.report("try", 1, 2)
        making.tell({"values": [0.5]})
        assert both_said.wait(60)
        making.partial.report("try", 2, 2)
        return own.make(making)

    both_said, heard = threading.Event(), []

    def hear(each):
        heard.append(each)
        if any("partial" in one for one in heard) and any("1 of 2" in one.get("text", "") for one in heard):
            both_said.set()

    own = KINDS["direct"]
    monkeypatch.setitem(KINDS, "direct", replace(own, make=make))
    asking, ticket = Asking(service), new_ticket(service)
    token = answer_of(service.run(ticket))[0]
    given = {"ticket": ticket, "number": 7, "reading": "direct", "tokens": [token], "against": 5}
    said = told(asking, given, hear)
    assert {(each["number"], each["reading"]) for each in said} == {(7, "direct")}
    assert [each["partial"] for each in said if "partial" in each] == [{"values": [0.5]}]
    assert "Trying without it: 1 of 2" in [each.get("text") for each in said]
    assert said[-1]["made"]["kind"] == "direct" and said[-1]["made"]["target"] == {"tokens": [token], "against": 5}
    (again,) = told(asking, given)
    assert again == said[-1]
    (refused,) = told(asking, {**given, "tokens": [0]})
    assert "no token of the answer" in refused["why"] and refused["number"] == 7
    assert "not here any more" in told(asking, {**given, "ticket": "another"})[0]["why"]
    assert "no reading" in told(asking, {**given, "reading": "mood"})[0]["why"]
    assert told(asking, {"number": 1})[0]["why"]
    both = told(Asking(service, "comparison"), {"ticket": "compared", "number": 2, "reading": "direct"})
    assert both[-1]["viewer"] == "comparison" and list(both[-1]["made"]["members"]) == ["base", "adapter_1"]


def test_a_reading_is_stopped_within_a_layer_and_nothing_of_it_is_left(service, monkeypatch):
    reached, asking = hold_at(monkeypatch, "capture"), Asking(service)
    readings = service.cache.readings("shapes")
    before = sorted(path.name for path in readings.iterdir()) if readings.exists() else []
    token = answer_of(service.run("shapes"))[0]
    given = {"ticket": "shapes", "number": 3, "reading": "forecast", "tokens": [token], "against": 7}

    def stop(_):
        if reached.is_set():
            asking.stop({"number": 3}, Visitor("somebody"))  # a trial's
            asking.stop({"number": 3, "reading": "forecast"}, Visitor("another"))
            asking.stop({"number": 3, "reading": "forecast"}, Visitor("somebody"))

    said = told(asking, given, stop)
    assert said[-1] == {"number": 3, "reading": "forecast", "why": "Stopped. Nothing was kept of this run."}
    seconds_until(lambda: not job_threads())
    assert sorted(path.name for path in readings.iterdir()) == before and not INFERENCE.locked()


def test_what_is_stopped_before_it_has_begun_is_stopped(service, monkeypatch):
    hold_at(monkeypatch, "queue")
    asking, ticket = Asking(service), new_ticket(service)
    given = {"ticket": ticket, "number": 4, "reading": "lens"}
    asking.stop(given, Visitor("somebody"))
    assert told(asking, given)[-1]["why"] == "Stopped. Nothing was kept of this run."
    assert not asking._stopped and not asking._working
    asking.stop({"number": "\ud800" * 100_000, "reading": [given] * 1000}, Visitor("somebody"))
    assert sum(map(len, asking._stopped)) < 100
    monkeypatch.undo()
    assert told(asking, given)[-1]["made"]["kind"] == "lens"


def test_two_who_ask_the_same_make_it_once(service, monkeypatch):
    made, begun, release = [], threading.Event(), threading.Event()

    own = KINDS["forecast"]

    def make(making):
        made.append(making.asked)
        begun.set()
        assert release.wait(120)
        return own.make(making)

    monkeypatch.setitem(KINDS, "forecast", replace(own, make=make))
    ticket = new_ticket(service)
    given = {"reading": "forecast", "tokens": [answer_of(service.run(ticket))[0]], "against": 11}
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(asked, service, ticket, given, "one")
        assert begun.wait(120)
        second = pool.submit(asked, service, ticket, given, "two")
        seconds_until(lambda: len(job_threads()) == 2)
        release.set()
        assert first.result(300)[0] == second.result(300)[0]
    assert len(made) == 1


def test_one_place_is_held_by_one_and_who_waits_may_be_stopped(tmp_path):
    held = OneAtATime()
    with held.at(tmp_path, lambda: None):
        with held.at(tmp_path / "other", lambda: None):
            pass

        def check():
            raise Cancelled("Stopped.")

        with pytest.raises(Cancelled), held.at(tmp_path, check):
            pass
    with held.at(tmp_path, check):
        pass


def test_readings_of_a_run_that_goes_go_with_it(tmp_path, monkeypatch):
    cache = RunCache(tmp_path / "runs", library=True, sweep_every=None)
    service = app.new_service(cache, is_hosted=False)
    service.load()
    ticket = cache.add(shutil.copytree(EXAMPLES / "shapes", cache.new_folder()))
    folder, reached = cache.folder(ticket), hold_at(monkeypatch, "write")
    try:
        with ThreadPoolExecutor(1) as pool:
            result = pool.submit(asked, service, ticket, {"reading": "lens"})
            seconds_until(reached.is_set)
            cache.remove(ticket)
            for job in [job for jobs in service._jobs.values() for job in jobs]:
                job.cancel()
            with pytest.raises(AttentionError):
                result.result(300)
        assert not folder.exists() and not any(readings_beside(folder).glob("*"))
    finally:
        service.close()


def keep(place, *names, since=0):
    """Readings of ten bytes each, as far as the store can see, the oldest first."""
    for number, name in enumerate(names, since):
        (place / name).mkdir(parents=True)
        (place / name / "data").write_bytes(bytes(10))
        os.utime(place / name, (number, number))


def names(*places):
    return sorted(path.name for place in places for path in place.iterdir())


@pytest.mark.parametrize("limit", ["bytes", "number"])
def test_on_a_server_the_oldest_readings_go_where_they_are_too_much_or_too_many(tmp_path, monkeypatch, limit):
    store, most = "attention.visitors.store", 2
    if limit == "bytes":
        monkeypatch.setattr(f"{store}.PUBLIC_READINGS_BYTES", 10 * most + 5)
        monkeypatch.setattr(f"{store}.RUN_READINGS_BYTES", 10 * most + 5)
    else:
        monkeypatch.setattr(f"{store}.MOST_READINGS", most)
    cache = RunCache(tmp_path / "sessions", library=False, sweep_every=None)
    cache.add_public("shapes", EXAMPLES / "shapes")
    cache.add_public("compared", EXAMPLES / "compared")
    place, of_member = cache.readings("shapes"), cache.readings("compared", "base")
    keep(place, "old", "new", "being.partial", "newest")
    cache.count_readings("shapes", place)
    assert names(place) == ["being.partial", "new", "newest"]
    keep(of_member, "another", since=9)
    cache.count_readings("compared", of_member)
    kept = ["another", "being.partial", *(["new"] if limit == "number" else []), "newest"]
    assert names(place, of_member) == kept, "examples share their bytes, and have a list each"

    ticket = cache.add(shutil.copytree(EXAMPLES / "compared", cache.new_folder()), "somebody")
    members = [cache.readings(ticket, name) for name in ("base", "adapter_1")]
    for since, member in enumerate(members):
        keep(member, *(f"{since}{number}" for number in range(2)), since=10 * since)
    cache.count_readings(ticket, members[1])
    assert names(*filter(os.path.isdir, members)) == (["10", "11"] if limit == "bytes" else ["00", "01", "10", "11"])
    cache.close()


@pytest.mark.sample(1)
@pytest.mark.parametrize("kind", ["forecast", "direct"])
def test_of_a_comparison_each_member_is_asked_with_its_own_adapter(service, kind):
    made, _ = asked(service, "compared", {"reading": kind})
    comparison = service.comparison("compared")
    assert list(made["members"]) == list(comparison.runs)
    for name, run in comparison.runs.items():
        (record,) = [each for each in kept_readings(run)["readings"] if each["kind"] == kind]
        assert record == made["members"][name]
        again, phases = asked(service, "compared", {"reading": kind, "member": name})
        assert again == record and not phases
    if kind == "forecast":
        values = [each["value"] for each in made["members"].values()]
        counts = [len(each["target"]["tokens"]) for each in made["members"].values()]
        said = [sum(run.info["logprobs"][:n]) for n, run in zip(counts, comparison.runs.values(), strict=True)]
        assert values == pytest.approx(said, abs=1e-3)
    with pytest.raises(NotInRun, match="nobody"):
        asked(service, "compared", {"reading": kind, "member": "nobody"})
    with pytest.raises(NotInRun, match="one run"):
        asked(service, "shapes", {"reading": kind, "member": "base"})


def test_a_map_of_cells_that_is_stopped_is_listed_with_what_it_has_and_gone_on_with(service, monkeypatch):
    given, ticket, tell = {"reading": "cells", "blocks": [2, 2], "paint": "mean"}, new_ticket(service), PartialRun.tell

    def tell_and_wait(partial, found):
        tell(partial, found)
        seconds_until(lambda: partial.is_cancelled)

    with monkeypatch.context() as patch, service.asked_reading(ticket, given, "somebody") as job:
        patch.setattr(PartialRun, "tell", tell_and_wait)
        seconds_until(job.told)
        told = job.told()
        job.cancel()
        seconds_until(lambda: job.is_done)
    run = service.run(ticket)
    (kept,) = [each for each in kept_readings(run)["readings"] if each["name"] == told["name"]]
    assert 0 < told["measured"]["hidden"] <= kept["measured"]["hidden"]
    assert kept["measured"].get("mean", 0) < kept["total"]
    whole, _ = asked(service, ticket, given)
    assert whole["measured"] == {"hidden": whole["total"], "mean": whole["total"]}
    made = count_made(monkeypatch)
    assert asked(service, ticket, given)[0] == whole and not made
