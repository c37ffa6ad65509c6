"""Files that a visitor's login has fetched are its session's, count, stay while a job reads them, and go with them."""

import threading

import pytest

from attention.errors import Busy, LimitExceeded
from attention.models.hub_login import HubLogin
from attention.visitors import hub_logins
from attention.visitors.hub_logins import HubLogins
from attention.visitors.presence import ADDRESS, Visitor
from attention.visitors.store import RunCache

ADA, AGAIN, BOB = Visitor("1", "home"), Visitor("2", "home"), Visitor("3", "elsewhere")
LOGIN = HubLogin("hf_oauth_x")
COMMIT = "0" * 40


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def cache(tmp_path, now):
    cache = RunCache(tmp_path, library=False, byte_limit=10_000, sweep_every=None, clock=lambda: now[0])
    yield cache
    cache.close()


@pytest.fixture
def logins(cache, tmp_path):
    return HubLogins(cache.files, cache.new_folder().parent / "by_login", cache.room)


def fetch(logins, visitor, name="a/b", n_bytes=1000):
    """The folder in which a job of a visitor finds a file, which it writes where it is not there."""
    with logins.of(visitor, LOGIN) as at_work, at_work.folder(name, COMMIT, n_bytes) as folder:
        if not (folder / "weights").is_file():
            (folder / "weights").write_bytes(bytes(n_bytes))
        return folder


def test_what_is_fetched_once_is_there_for_its_session_and_for_no_other(cache, logins):
    folder = fetch(logins, ADA)
    assert fetch(logins, ADA) == folder and cache.files.n_bytes("home") == 1000
    others = [fetch(logins, AGAIN), fetch(logins, BOB), fetch(logins, ADA, "a/c")]
    assert len({folder, *others}) == 4 and folder.stat().st_mode & 0o77 == 0
    with logins.of(ADA, None) as none, logins.of(ADA, HubLogin()) as nobody:
        assert none is None and nobody.folder is None


def test_it_goes_with_its_session_once_no_job_reads_it(cache, logins):
    folder, other = fetch(logins, ADA), fetch(logins, BOB)
    with logins.of(ADA, LOGIN) as at_work:
        with at_work.folder("a/b", COMMIT, 1000) as held:
            assert held == folder
        logins.session_closed("1")
        cache.sweep()
        assert folder.is_dir(), "a job reads it"
    assert not folder.exists() and other.is_dir()
    logins.session_closed("3")
    assert not other.exists() and cache.files.n_bytes() == 0
    assert fetch(logins, ADA) != folder


def test_it_goes_when_its_visitor_is_away_or_does_not_use_it(cache, logins, now):
    folder = fetch(logins, ADA)
    with cache.presence.held((ADDRESS, "home")):
        now[0] = 3000
        cache.sweep()
        assert folder.is_dir()
        now[0] = 3601
        cache.sweep()
        assert not folder.exists()
        folder = fetch(logins, ADA)
    now[0] += 301
    cache.sweep()
    assert not folder.exists()


def test_it_counts_as_what_visitors_keep_does(cache, logins, monkeypatch):
    monkeypatch.setattr(hub_logins, "ADDRESS_FETCHED_BYTES", 3000)
    first, second = fetch(logins, ADA, "a/1"), fetch(logins, AGAIN, "a/2")
    fetch(logins, ADA, "a/1")
    third = fetch(logins, ADA, "a/3", 1500)
    assert first.is_dir() and third.is_dir() and not second.exists(), "the one used longest ago goes"
    with (
        logins.of(ADA, LOGIN) as at_work,
        at_work.folder("a/1", COMMIT, 1000),
        pytest.raises(LimitExceeded, match="Choose fewer, or wait"),
        at_work.folder("a/4", COMMIT, 2500),
    ):
        pass
    with cache.room(9000), pytest.raises(Busy, match="no room for it"):
        fetch(logins, BOB, n_bytes=2000)


def test_a_download_that_fails_leaves_nothing_and_two_at_once_share_a_folder(cache, logins):
    with pytest.raises(OSError), logins.of(ADA, LOGIN) as at_work, at_work.folder("a/b", COMMIT, 10):
        raise OSError
    assert cache.files.n_bytes() == 0 and not list((cache.new_folder().parent / "by_login").iterdir())
    both, found = threading.Barrier(2, timeout=60), []

    def job():
        with logins.of(ADA, LOGIN) as at_work, at_work.folder("a/b", COMMIT, 10) as folder:
            both.wait()
            found.append(folder)
            (folder / "weights").write_bytes(bytes(10))

    threads = [threading.Thread(target=job) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] and cache.files.n_bytes() == 10


def test_nothing_is_left_after_the_server(cache, logins, tmp_path):
    folder = fetch(logins, ADA)
    cache.close()
    assert not folder.exists()
