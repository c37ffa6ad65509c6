"""The start of an app, in words: what it waits for and how long so far; after it nothing, whatever failed."""

import threading

from attention.errors import ModelUnavailable
from attention.visitors.starting import LIBRARIES, Starting


def test_the_start_is_told_step_by_step():
    times = iter([0.0, 3.2, 9.0, 41.0])
    starting = Starting(lambda: next(times))
    assert starting.words() is None and not starting.has_libraries.is_set()
    libraries, downloading, model = threading.Event(), threading.Event(), threading.Event()

    def load(watch):
        starting.has_libraries.wait(60)
        watch(1_500_000_000, 4_300_000_000)
        downloading.set()
        model.wait(60)

    starting.begin(lambda: libraries.wait(60), load)
    assert starting.words() == f"{LIBRARIES}, 3 s so far."
    libraries.set()
    assert downloading.wait(60) and not starting.is_over.is_set()
    assert starting.words() == "The app is starting: downloading the model: 1.5 of 4.3 GB, 9 s so far."
    model.set()
    assert starting.is_over.wait(60) and starting.words() is None


def test_a_model_that_cannot_be_had_ends_the_start_and_is_said_in_the_log(caplog):
    def fail(watch):
        raise ModelUnavailable("There is no model.")

    starting = Starting()
    starting.begin(lambda: None, fail)
    assert starting.is_over.wait(60) and starting.has_libraries.is_set() and starting.words() is None
    assert "At the start: There is no model." in caplog.text
