"""Trials of visitors: refused before a model is loaded, made up to numbers, and readings kept with their run."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from test_store import write_run

import app
from attention.environment import EXAMPLES, POCKET_ID
from attention.errors import AttentionError, InvalidRequest, NotInRun
from attention.models.kept import free
from attention.readings.reading import readings_beside
from attention.runs.run import open_run
from attention.visitors.asked_trials import read_trial
from attention.visitors.store import RunCache


@pytest.fixture(scope="module")
def shapes():
    with open_run(EXAMPLES / "shapes") as run:
        yield run


def test_what_is_asked_is_read_with_what_is_usual(shapes):
    asked = read_trial(shapes, {"box": [200, 80, 400, 200], "image": 0.0, "paint": "mean"})
    assert asked == {
        "place": [200, 80, 400, 200], "image": 0, "paint": "mean", "heads": None, "silence": "zero", "seed": 0,
    }  # fmt: skip
    assert read_trial(shapes, {"heads": [[3.0, 1]], "silence": "mean"})["heads"] == [[3, 1]]
    assert read_trial(shapes, {"top_heads": 2, "box": None, "answer": False, "heads": []})["heads"] == 2


@pytest.mark.parametrize(
    "given, words",
    [
        ({}, "Name one of box, point, answer, heads, top_heads"),
        ({"box": [0, 0, 90, 90], "heads": [[0, 0]]}, "Name one of"),
        ({"box": [0, 0, 1, 1]}, "covers half of no cell"),
        ({"box": [0, 0, 5000, 90]}, "leaves its picture"),
        ({"box": "nowhere"}, "it must be 4 numbers"),
        ({"box": [0, 0, 90, 90], "image": 3}, "There is no image 3"),
        ({"box": [0, 0, 90, 90], "image": True}, "image is True; it must be a whole number"),
        ({"box": [0, 0, 90, 90], "paint": "red"}, "paint is 'red'; it must be one of none, mean, blur"),
        ({"box": [0, 0, 90, 90], "paint": ["mean"]}, "paint is"),
        ({"box": [0, 0, 90, 90], "seed": -1}, "seed is -1"),
        ({"box": [0, 0, 90, 90], "seed": 2**33}, "at most 4294967295"),
        ({"heads": [[3, 1]], "paint": "mean"}, "paint is for a region"),
        ({"heads": [[99, 0]]}, "Layer 99"),
        ({"heads": [[3, 99]]}, "There is no head 99"),
        ({"heads": [3, 1]}, "it must be a list of [layer, head]"),
        ({"heads": [[float("nan"), 0]]}, "a layer is nan"),
        ({"heads": [[0, 1]], "silence": "off"}, "silence is 'off'"),
        ({"top_heads": 99}, "top_heads is 99; it must be from 1 to 20"),
        ({"answer": True}, "names no place"),
    ],
)
def test_what_cannot_be_tried_is_refused_by_name(shapes, given, words):
    with pytest.raises((InvalidRequest, NotInRun)) as refused:
        read_trial(shapes, given)
    assert words in str(refused.value)


def results(service, ticket, *asked):
    """Results of trials, one after the other."""

    async def result(given):
        with service.trial(ticket, given, "somebody") as job:
            phases = [progress["phase"] async for progress in job.follow()]
        return job.result(), phases

    with ThreadPoolExecutor(1) as pool:  # Playwright, in other tests, keeps an event loop running in this thread
        return [pool.submit(asyncio.run, result(given)).result(300)[0] for given in asked]


def test_a_stranger_tries_an_example_and_nothing_is_written_beside_it(tmp_path):
    cache = RunCache(tmp_path / "sessions", library=False, sweep_every=None)
    cache.add_public("example-shapes", EXAMPLES / "shapes")
    cache.add_public("adapted", EXAMPLES / "compared" / "adapter_1")
    other = write_run(cache.new_folder())
    (other / "run.json").write_text((EXAMPLES / "shapes" / "run.json").read_text().replace(f'"{POCKET_ID}"', '"a/b"'))
    service = app.new_service(cache, is_hosted=True)
    # Of what is uploaded: a run's own are larger.
    service.work.limits = replace(service.work.limits, picture_bytes=1000)
    service.load()
    service.starting.is_over.wait()
    try:
        place, head = results(service, "example-shapes", {"box": [200, 80, 400, 200]}, {"heads": [[3, 1]]})
        assert len(place["controls"]) == 20 and place["first_other"] is None and place["painted"] is None
        assert place["change"] == pytest.approx(place["forecast"], rel=0.2) and place["image"] == 0
        assert head["heads"] == [[3, 1]] and head["value"] == pytest.approx(place["value"])
        (adapted,) = results(service, "adapted", {"heads": [[3, 1]]})
        with open_run(EXAMPLES / "compared" / "adapter_1") as run:
            assert adapted["value"] == pytest.approx(sum(run.info["logprobs"]), abs=1e-3), "its adapter was on"
        assert cache.readings("example-shapes").is_relative_to(tmp_path)
        assert len(list(cache.readings("example-shapes").iterdir())) == 1, "the forecast was made once"
        assert not readings_beside(EXAMPLES / "shapes").exists()
        with pytest.raises(InvalidRequest, match="a/b is not offered here"):
            results(service, cache.add(other, "somebody"), {"heads": [[3, 1]]})
        with pytest.raises(AttentionError, match="not here any more"):
            results(service, "nonsense", {"heads": [[3, 1]]})
    finally:
        service.close()
        free()


def read(folder, size_bytes=10):
    """A reading of a run, as far as the store can see."""
    place = readings_beside(folder) / "one"
    place.mkdir(parents=True)
    (place / "data").write_bytes(bytes(size_bytes))
    return readings_beside(folder)


def test_readings_of_a_session_are_counted_and_go_with_their_run(tmp_path):
    now = [0.0]
    cache = RunCache(
        tmp_path, library=False, byte_limit=10_000, idle_seconds=10, drain_seconds=1, sweep_every=None,
        clock=lambda: now[0],
    )  # fmt: skip
    first, second = (write_run(cache.new_folder()) for _ in range(2))
    tickets = [cache.add(folder, "a") for folder in (first, second)]
    assert cache.readings(tickets[0]) == readings_beside(first)
    places = [read(first, 6_000), read(second, 6_000)]
    cache.count_readings(tickets[1], places[1])
    assert cache.run(tickets[0]), "what is not counted yet has room"
    cache.count_readings(tickets[0], places[0])
    with pytest.raises(KeyError):
        cache.run(tickets[1])
    now[0] += 20
    cache.sweep()
    now[0] += 20
    cache.sweep()
    assert not any(place.exists() for place in (first, second, *places))
    cache.close()


def test_readings_of_a_library_are_deleted_and_come_back_with_their_run_and_are_no_runs(tmp_path):
    cache = RunCache(tmp_path, library=True, sweep_every=None)
    ticket = cache.add(write_run(cache.new_folder()), "a")
    folder = cache.folder(ticket)
    place = read(folder)
    write_run(place / "two")
    assert [row["ticket"] for row in cache.listing()] == [ticket]
    cache.remove(ticket)
    assert not folder.exists() and not place.exists()
    cache.restore(ticket)
    assert (folder / "run.json").is_file() and (place / "one" / "data").is_file()
    cache.remove(ticket)
    read(folder)
    cache.count_readings(ticket, place)
    assert not place.exists(), "made while its run was deleted"
    cache.close()
