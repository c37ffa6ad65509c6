"""Tickets, deadlines, the byte limit, and folders of processes that are gone. Time is a number that the test sets."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from attention.visitors.process_folder import remove_abandoned
from attention.visitors.store import RunCache

ROOT = Path(__file__).parents[2]


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, clock):
    """Make caches on one root that are closed at the end; no janitor of their own."""
    made = []

    def make(**settings):
        settings = {"library": False, "idle_seconds": 100, "grace_seconds": 10, "drain_seconds": 1} | settings
        cache = RunCache(tmp_path / "runs", sweep_every=None, clock=clock, **settings)
        made.append(cache)
        return cache

    yield make
    for cache in made:
        cache.close()


def write_run(folder, created="2026-01-01T00:00:00Z", size_bytes=0):
    """A finished run as far as the cache can see: a folder with a run.json that opens."""
    folder.mkdir(parents=True)
    info = {"format": 1, "id": folder.name, "created": created, "model": {"id": "pocket"}, "prompt": "what?",
            "answer": "a star", "tokens": [], "grids": [], "images": [], "towers": {}}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(info))
    (folder / "data").write_bytes(bytes(size_bytes))
    return folder


def folders(root):
    return sorted(path.name for path in Path(root).iterdir() if path.is_dir())


def test_a_ticket_opens_its_run_and_no_other_string_does(make):
    cache = make()
    first, second = (write_run(cache.new_folder()) for _ in range(2))
    tickets = [cache.add(first, "a"), cache.add(second, "b")]
    assert [cache.run(ticket).folder for ticket in tickets] == [first, second]
    assert len({*tickets}) == 2
    assert min(map(len, tickets)) >= 24
    for wrong in ("", first.name, "../" + first.name, tickets[0][:-1]):
        with pytest.raises(KeyError):
            cache.run(wrong)


def test_a_run_expires_by_its_last_look_and_is_deleted_after_its_readers_are_done(make, clock):
    cache = make()
    folder = write_run(cache.new_folder())
    ticket = cache.add(folder, "a")
    clock.now += 99
    cache.run(ticket)
    clock.now += 99
    cache.sweep()
    assert cache.run(ticket).folder == folder
    clock.now += 100
    with pytest.raises(KeyError):
        cache.run(ticket)
    cache.sweep()
    assert folder.exists(), "whoever was reading still may"
    clock.now += 1
    cache.sweep()
    assert not folder.exists()


def test_a_closed_session_only_shortens_the_deadline_and_a_look_restores_it(make, clock):
    cache = make()
    mine, other = cache.add(write_run(cache.new_folder()), "a"), cache.add(write_run(cache.new_folder()), "b")
    cache.session_closed("a")
    clock.now += 9
    cache.run(mine)  # the page was reloaded: another session, the same ticket
    clock.now += 50
    cache.run(mine)
    cache.session_closed("a")
    clock.now += 11
    cache.sweep()
    with pytest.raises(KeyError):
        cache.run(mine)
    cache.run(other)


def test_the_byte_limit_removes_what_was_looked_at_longest_ago(make, clock):
    cache = make(byte_limit=10_000)
    tickets = []
    for _ in range(3):
        tickets.append(cache.add(write_run(cache.new_folder(), size_bytes=4000), "a"))
        clock.now += 1
        cache.run(tickets[0])
    with pytest.raises(KeyError):
        cache.run(tickets[1])
    cache.run(tickets[0])
    cache.run(tickets[2])
    huge = cache.add(write_run(cache.new_folder(), size_bytes=50_000), "a")
    assert cache.run(huge), "a run that has just come in is never the one to go"


def test_a_public_run_has_a_fixed_ticket_and_is_never_removed(make, clock, tmp_path):
    cache = make(byte_limit=1)
    example = write_run(tmp_path / "example")
    cache.add_public("example", example)
    clock.now += 1e6
    cache.sweep()
    cache.run("example")
    cache.remove("example")
    cache.session_closed(None)
    cache.close()
    assert (example / "run.json").exists()


def test_a_library_lists_newest_first_and_loses_nothing_but_what_a_person_removes(make, clock):
    cache = make(library=True)
    for day in (2, 3, 1):
        cache.add(write_run(cache.new_folder(), created=f"2026-01-0{day}T00:00:00Z"), "a")
    clock.now += 1e9
    cache.session_closed("a")
    cache.sweep()
    assert [row["created"][8:10] for row in cache.listing()] == ["03", "02", "01"]
    cache.remove(cache.listing()[0]["ticket"])
    cache.close()

    again = make(library=True)
    assert [row["created"][8:10] for row in again.listing()] == ["02", "01"]
    assert again.run(again.listing()[0]["ticket"]).info["prompt"] == "what?"
    kept = [name for name in folders(again.root) if name != ".deleted"]
    assert len(kept) == 3, "two runs and the place of this process"


BROKEN = (
    "no JSON", "[]", "{ }", "[" * 100_000, '{"created": NaN}', '{"created": "yesterday"}',
    '{"tokens": 1' + "0" * 5000 + "}",
    *(
        json.dumps({"id": "x", "tokens": [], "model": {"id": "pocket"}, "created": "2026-01-01T00:00:00Z"} | wrong)
        for wrong in (
            {"created": "9999-12-31T23:59:59-23:59"}, {"created": "0001-01-01T00:00:00+23:59"},
            {"created": "2026-01-01T00:00:00"}, {"created": 5}, {"model": None}, {"model": {"id": 7}},
            {"prompt": ["x"]}, {"answer": "half \ud800"}, {"bytes": "many"}, {"bytes": -1},
            {"bytes": 10**400}, {"tokens": 3},
            {"id": None},
        )
    ),
)  # fmt: skip


def test_a_listing_says_what_a_run_is_and_why_another_cannot_be_read(make):
    cache = make(library=True)
    folder = write_run(cache.new_folder())
    ticket = cache.add(folder)
    row = {"kind": "run", "id": folder.name, "created": "2026-01-01T00:00:00Z", "model": "pocket", "prompt": "what?",
           "answer": "a star", "tokens": 0, "bytes": None, "error": None}  # fmt: skip
    for i, broken in enumerate(BROKEN):
        (write_run(cache.root / f"broken-{i}") / "run.json").write_text(broken)
        cache.add(cache.root / f"broken-{i}")
    assert len(cache.listing()) == 1 + len(BROKEN)
    assert [row for row in cache.listing() if row["error"] is None] == [{"ticket": ticket, **row}]
    for row in cache.listing():
        if row["error"]:
            assert row["error"].startswith("run.json ") and len(row["error"]) < 300
            assert "\n" not in row["error"]


def test_what_cannot_be_read_is_listed_again_after_a_start_and_deleted_by_a_person(make, clock):
    cache = make(library=True)
    good = write_run(cache.root / "good")
    for i, broken in enumerate(BROKEN):
        (write_run(cache.root / f"broken-{i}") / "run.json").write_text(broken)
    (cache.root / "empty").mkdir()
    (cache.root / "other" / "run.json").mkdir(parents=True)
    (write_run(cache.root / "both") / "comparison.json").write_text("{}")
    again = make(library=True)
    assert len(again.listing()) == 2 + len(BROKEN)
    for row in again.listing():
        if row["error"]:
            again.remove(row["ticket"])
    clock.now += 2
    again.sweep()
    assert sorted(row["id"] for row in again.listing()) == ["both", good.name]
    assert not list(again.root.glob("broken-*"))
    ticket = again.add(write_run(again.new_folder()))
    assert ticket in [row["ticket"] for row in again.listing()]


def test_whether_a_run_is_public_is_known(make, tmp_path):
    cache = make()
    cache.add_public("example", write_run(tmp_path / "example"))
    assert cache.is_public("example")
    assert not cache.is_public(cache.add(write_run(cache.new_folder())))
    with pytest.raises(KeyError):
        cache.is_public("nothing")


def test_an_idle_run_of_a_library_is_closed_and_opens_again(make, clock):
    cache = make(library=True)
    ticket = cache.add(write_run(cache.new_folder()))
    first = cache.run(ticket)
    clock.now += 100
    cache.sweep()
    assert cache.run(ticket) is not first


def test_a_session_cache_lists_nothing_and_leaves_nothing(make):
    cache = make()
    cache.add(write_run(cache.new_folder()), "a")
    (cache.new_folder().with_suffix(".partial")).mkdir()
    assert cache.listing() == []
    cache.close()
    assert folders(cache.root) == []


def test_folders_of_living_processes_stay_and_those_of_dead_ones_go(make, tmp_path):
    living = make()
    kept = write_run(living.new_folder())
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(f"""
            import os
            from attention.visitors.store import RunCache
            cache = RunCache({str(living.root)!r}, library=False, sweep_every=None)
            cache.new_folder().with_suffix(".partial").mkdir()
            print(cache.new_folder().parent.name, flush=True)
            os._exit(9)
        """)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == 9, killed.stderr
    foreign = living.root / "1-holiday-pictures"
    foreign.mkdir()
    assert killed.stdout.strip() in folders(living.root)
    remove_abandoned(living.root)
    assert sorted([kept.parent.name, foreign.name]) == folders(living.root)
    assert (kept / "run.json").exists()


def test_a_run_deleted_by_hand_is_unknown(make):
    cache = make(library=True)
    ticket = cache.add(write_run(cache.new_folder()))
    folder = cache.folder(ticket)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with pytest.raises(KeyError):
        cache.run(ticket)
    assert cache.listing() == []


def test_the_janitor_runs_by_itself_and_ends_with_the_cache(tmp_path):
    cache = RunCache(tmp_path, library=False, idle_seconds=0, drain_seconds=0, sweep_every=0.01)
    folder = write_run(cache.new_folder())
    cache.add(folder)
    janitor = cache._janitor
    assert janitor.is_alive()
    while folder.exists():
        janitor.join(0.01)
    cache.close()
    assert not janitor.is_alive()
