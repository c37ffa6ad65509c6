"""One budget of runs, uploads and exports: what goes first, what goes by itself, and what never goes."""

from contextlib import ExitStack

import pytest
from test_store import Clock, write_run

from attention.errors import Busy
from attention.visitors.budget import EXPORT, GONE, IDLE, Kept, KeptLimits, free
from attention.visitors.presence import ADDRESS, FILE, RUN, Visitor
from attention.visitors.store import RunCache

ME, OTHER = Visitor("me", "1.1.1.1"), Visitor("other", "2.2.2.2")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, clock):
    made = []

    def make(**settings):
        settings = {"library": False, "drain_seconds": 0} | settings
        made.append(RunCache(tmp_path / "runs", sweep_every=None, clock=clock, **settings))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


def put(cache, below, owner, n_bytes, *, is_export=False, name="a.png"):
    """A file of so many bytes, as an upload or an export leaves one."""
    folder = cache.files.new_folder(below, owner, is_export=is_export)
    (folder / name).write_bytes(bytes(n_bytes))
    cache.files.written(folder)
    return folder / name


def put_run(cache, owner, n_bytes=0):
    return cache.add(write_run(cache.new_folder(), size_bytes=n_bytes), owner)


def is_there(cache, ticket):
    return ticket in cache._entries


def test_what_goes_first_is_an_export_then_what_was_left_then_what_is_idle():
    gone = []
    kept = [Kept(order, used, 10, lambda name=(order, used): gone.append(name))
            for order, used in ((IDLE, 1), (GONE, 5), (IDLE, 0), (EXPORT, 9), (GONE, 2))]  # fmt: skip
    assert free(kept, 35) == 40
    assert gone == [(EXPORT, 9), (GONE, 2), (GONE, 5), (IDLE, 0)]
    assert free(kept, 0) == free(kept, -5) == 0


def test_two_who_send_the_same_bytes_share_nothing(make, tmp_path, clock):
    cache = make()
    mine, others = put(cache, tmp_path, ME, 100), put(cache, tmp_path, OTHER, 100)
    assert mine != others
    with cache.presence.held((ADDRESS, OTHER.address)):
        clock.now += 301
        cache.sweep()
        assert not mine.exists() and others.exists()
    cache.close()
    assert not others.exists()


def test_a_file_without_bytes_is_there_to_be_said_so_of_and_a_folder_without_a_file_is_not(make, tmp_path):
    cache = make()
    empty = put(cache, tmp_path, ME, 0)
    assert empty.exists()
    folder = cache.files.new_folder(tmp_path, ME, is_export=False)
    (folder / "of its bytes").mkdir()
    cache.files.written(folder)
    assert not folder.exists()
    cache.close()
    assert not empty.parent.exists()


def test_an_upload_stays_while_its_visitor_is_there_or_a_job_has_it(make, tmp_path, clock):
    cache = make()
    upload = put(cache, tmp_path, ME, 100)
    with cache.files.held([str(upload), "/nowhere/else.png"]):
        clock.now += 10_000
        cache.sweep()
        assert upload.exists(), "a job has it"
    with cache.presence.held((ADDRESS, ME.address)):
        clock.now += 3_000
        cache.sweep()
        assert upload.exists(), "the page is open"
    clock.now += 299
    cache.sweep()
    assert upload.exists(), "it may only have been reloaded"
    clock.now += 2
    cache.sweep()
    assert not upload.parent.exists() and cache.files.n_bytes() == 0


def test_an_export_goes_minutes_after_it_was_fetched_and_never_before(make, tmp_path, clock):
    for library in (False, True):
        cache = make(library=library)
        export = put(cache, tmp_path, ME, 100, is_export=True)
        upload = put(cache, tmp_path, ME, 100)
        with cache.presence.held((FILE, str(export))):
            clock.now += 4_000
            cache.sweep()
            assert export.exists(), "it is being fetched"
        clock.now += 299
        cache.sweep()
        assert export.exists()
        clock.now += 2
        cache.sweep()
        assert not export.parent.exists()
        assert upload.exists() == library, "a person's own uploads stay"


def test_a_folder_into_which_nothing_came_is_gone_at_once(make, tmp_path):
    cache = make()
    folder = cache.files.new_folder(tmp_path, ME, is_export=False)
    cache.files.written(folder)
    assert not folder.exists()


def test_the_budget_is_one_for_all_and_spares_what_is_read(make, tmp_path, clock):
    cache = make(byte_limit=12_000)
    read, idle = put_run(cache, ME, 3000), put_run(cache, OTHER, 3000)
    clock.now += 1
    left = put_run(cache, Visitor("left", "3.3.3.3"), 2000)
    cache.session_closed("left")
    export = put(cache, tmp_path, ME, 1000, is_export=True)
    with cache.presence.held((RUN, read), (ADDRESS, OTHER.address)):
        with cache.room(2500):
            assert not export.exists() and is_there(cache, left)
        upload = put(cache, tmp_path, OTHER, 500)
        with cache.room(4500):
            assert not is_there(cache, left) and is_there(cache, idle) and upload.exists()
            with cache.room(2000):
                assert not is_there(cache, idle) and is_there(cache, read)
        with pytest.raises(Busy, match=r"This takes 0 MB, and the server has no room for it at the moment"), \
                cache.room(9000):  # fmt: skip
            raise AssertionError
    assert is_there(cache, read) and cache._reserved == 0
    with cache.room(9000):
        assert not is_there(cache, read)


def test_nobody_loses_anything_to_what_is_refused(make, tmp_path):
    cache = make(byte_limit=12_000)
    run, export = put_run(cache, ME, 3000), put(cache, tmp_path, ME, 1000, is_export=True)
    with pytest.raises(Busy), cache.room(13_000):
        raise AssertionError
    assert cache.upload_room(13_000, most=50_000) < 13_000
    assert is_there(cache, run) and export.exists()


def test_an_upload_that_has_served_counts_no_longer(make, tmp_path):
    cache = make()
    upload = put(cache, tmp_path, ME, 100, name="run.zip")
    beside = upload.with_name("b.png")
    beside.write_bytes(bytes(10))
    cache.files.served(upload)
    assert not upload.exists() and cache.files.n_bytes() == 10
    cache.files.served(beside)
    assert not upload.parent.exists() and cache.files.n_bytes() == 0 and tmp_path.is_dir()


def test_the_janitor_goes_on_after_a_round_that_failed(make, monkeypatch, caplog):
    cache, rounds = make(), []

    def swept():
        rounds.append(1)
        if len(rounds) == 1:
            raise OSError(5, "Input/output error")
        cache._closing.set()

    monkeypatch.setattr(cache, "sweep", swept)
    cache._sweep_forever(0)
    cache._closing.clear()
    assert len(rounds) == 2 and "a round of the janitor failed" in caplog.text


def test_uploads_have_a_share_that_only_gone_visitors_uploads_make_room_in(make, tmp_path, clock):
    cache = make(byte_limit=100_000)
    gone = put(cache, tmp_path, ME, 600)
    clock.now += 301
    mine = put(cache, tmp_path, OTHER, 300)
    assert cache.upload_room(100, most=1000) == 100 and gone.exists()
    assert cache.upload_room(400, most=1000) == 700 and not gone.exists()
    assert cache.upload_room(800, most=1000) == 700 and mine.exists()


def test_a_visitor_has_so_many_runs_and_bytes_and_an_address_that_of_a_few(make, tmp_path, clock):
    cache = make(visitor_limits=KeptLimits(runs=2, n_bytes=10_000, people=2))
    other = put_run(cache, OTHER)
    mine = []
    for _ in range(3):
        clock.now += 1
        mine.append(put_run(cache, ME))
    assert [is_there(cache, ticket) for ticket in mine] == [False, True, True]
    neighbours = []
    for n in range(3):
        clock.now += 1
        neighbours.append(put_run(cache, Visitor(f"neighbour-{n}", ME.address)))
    assert [is_there(cache, ticket) for ticket in (*mine[1:], *neighbours)] == [False, True, True, True, True]
    large = put_run(cache, Visitor("neighbour-2", ME.address), 9_900)
    assert is_there(cache, large) and not is_there(cache, neighbours[2]), "bytes of its own"
    put(cache, tmp_path, ME, 15_000)
    last = put_run(cache, ME, 100)
    assert is_there(cache, last) and not is_there(cache, large), "uploads of the address count"
    assert is_there(cache, other)


def test_who_reads_their_runs_without_end_has_no_more_of_them(make, clock):
    cache, mine = make(visitor_limits=KeptLimits(runs=2, n_bytes=10_000)), []
    with ExitStack() as reading:
        for _ in range(4):
            clock.now += 1
            mine.append(put_run(cache, ME))
            reading.enter_context(cache.presence.held((RUN, mine[-1])))
            cache.sweep()
    assert [is_there(cache, ticket) for ticket in mine] == [False, False, True, True]


def test_a_run_that_is_read_does_not_expire(make, clock):
    cache = make(idle_seconds=100)
    ticket = put_run(cache, ME)
    with cache.presence.held((RUN, ticket)):
        for _ in range(3):
            clock.now += 90
            cache.sweep()
    assert cache.run(ticket)
    clock.now += 100
    cache.sweep()
    assert not is_there(cache, ticket)
