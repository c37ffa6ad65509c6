"""Arrays kept in memory: bounded, shared, and made once."""

import threading

import numpy as np
import pytest

from attention.runs.array_cache import ArrayCache


def test_the_least_recently_used_go_first_and_the_bytes_are_counted():
    cache = ArrayCache(24)
    for name in ("a", "b", "c", "a", "d"):
        cache.get((1, name), lambda: np.zeros(1))
    assert cache.names() == [(1, "c"), (1, "a"), (1, "d")] and cache.nbytes == 24
    assert cache.get((1, "large"), lambda: np.zeros(100)).nbytes == 800
    assert cache.names() == [(1, "large")], "one is kept, however large: it is in use"


def test_an_owner_is_forgotten_with_all_that_is_its():
    cache = ArrayCache(1000)
    for owner in (1, 2):
        for name in "ab":
            cache.get((owner, name), lambda: np.zeros(2))
    cache.forget(1)
    assert cache.names() == [(2, "a"), (2, "b")] and cache.nbytes == 32


def test_what_several_want_at_once_is_made_once():
    cache, begin, made = ArrayCache(1000), threading.Event(), []

    def make():
        begin.wait(120)
        made.append(np.zeros(1))
        return made[-1]

    got = []
    threads = [threading.Thread(target=lambda: got.append(cache.get((1, "a"), make))) for _ in range(6)]
    for thread in threads:
        thread.start()
    begin.set()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(got) == 6 and all(value is made[0] for value in got)


def test_what_could_not_be_made_is_tried_again():
    cache = ArrayCache(1000)
    with pytest.raises(ZeroDivisionError):
        cache.get((1, "a"), lambda: 1 / 0)
    assert cache.get((1, "a"), lambda: np.ones(1)) == 1
