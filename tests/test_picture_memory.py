"""The memory of decoded pictures: who waits, who is let in, and when it is given back."""

import gc
from types import SimpleNamespace

import pytest
from PIL import Image

from attention import picture_memory
from attention.errors import Cancelled, LimitExceeded
from attention.picture_memory import PictureMemory


def test_what_does_not_fit_waits_until_there_is_room():
    memory = PictureMemory(1000)
    picture = Image.new("RGB", (10, 20))
    with memory.taken(900) as held:
        held.until_gone(picture)
    assert memory.held == 800
    looks = iter(range(3))

    def leave():
        nonlocal picture
        if next(looks) == 1:
            picture = None

    with memory.taken(300, leave):
        assert memory.held == 300 and next(looks) == 2
    assert memory.held == 0


def test_who_stops_waits_no_longer_and_who_draws_waits_some_time():
    memory = PictureMemory(1000)

    def stop():
        raise Cancelled("Stopped.")

    with memory.taken(900), pytest.raises(Cancelled), memory.taken(300, stop):
        pass
    busy = pytest.raises(LimitExceeded, match="busy with other pictures")
    with memory.taken(900), busy, memory.taken(300, most_seconds=0.1):
        pass
    with memory.taken(5000):  # alone
        assert memory.held == 5000
    assert memory.held == 0


def test_what_only_the_collector_can_free_is_freed_for_who_waits():
    memory = PictureMemory(1000)
    gc.disable()
    try:
        with memory.taken(800) as held:
            picture = Image.new("RGB", (10, 20))
            held.until_gone(picture)
            itself = [picture]
            itself.append(itself)
        del picture, itself
        assert memory.held == 800
        with memory.taken(300, most_seconds=0):
            assert memory.held == 300
    finally:
        gc.enable()


def test_who_is_woken_often_waits_as_long(monkeypatch):
    memory = PictureMemory(1000)
    monkeypatch.setattr(memory._changed, "wait", lambda _: None)
    looks = iter(range(2000))

    def look():
        if next(looks) == 1000:
            memory.give_back(900)

    memory._take(900, lambda: None, 0)
    with memory.taken(300, look, 60):
        assert memory.held == 300


def test_a_server_shares_two_heaps_where_the_system_lets_it(monkeypatch):
    told = []
    library = SimpleNamespace(mallopt=lambda *setting: told.append(setting))
    monkeypatch.setattr(picture_memory.ctypes, "CDLL", lambda _: library)
    picture_memory.few_heaps()
    assert told == [(-8, 2)]
    del library.mallopt
    picture_memory.few_heaps()
