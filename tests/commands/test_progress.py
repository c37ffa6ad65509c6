"""Progress in a terminal and in a pipe, in the page's words, and the time that is left where it can be known."""

import pytest

from attention.commands.progress import Progress
from attention.commands.time_left import TimeLeft

STEPS = [("queue", 0, 0), ("model", 4_000_000, 9_000_000), ("answer", 2, 256), ("capture", 4, 28), ("write", 0, 0)]


def measured(phase, steps, total, seconds_each):
    """The words after so many steps of so many seconds each."""
    now = [100.0]
    left = TimeLeft(lambda: now[0])
    for done in range(1, steps + 1):
        said = left.words(phase, done, total)
        now[0] += seconds_each
    return said


def test_a_pipe_has_a_line_for_each_phase_and_a_terminal_one_line_in_the_pages_words(monkeypatch, capsys):
    pipe = Progress()
    for phase, done, total in STEPS:
        pipe.report(phase, done, total)
        pipe.report(phase, done + 1, total)
    assert capsys.readouterr().err.splitlines() == [
        "Waiting for its turn", "Downloading the model", "Writing the answer", "Capturing", "Writing the run",
    ]  # fmt: skip
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Progress()
    for phase, done, total in STEPS:
        terminal.report(phase, done, total)
    terminal.end()
    *said, last = capsys.readouterr().err.split("\r\x1b[K")[1:]
    assert last == "" and said == [
        "Waiting for its turn", "Downloading the model: 4.0 of 9.0 MB", "Writing the answer: token 2 of at most 256",
        "Capturing: layer 4 of 28", "Writing the run",
    ]  # fmt: skip


def test_quiet_says_nothing(monkeypatch, capsys):
    for is_terminal in (True, False):
        monkeypatch.setattr("sys.stderr.isatty", lambda said=is_terminal: said, raising=False)
        progress = Progress(quiet=True)
        progress.report("answer", 1, 9)
        progress.say("Answer: red")
        progress.end()
    assert capsys.readouterr().err == ""


def test_time_left_is_said_once_a_rate_was_measured():
    assert measured("answer", 3, 256, 1) == ""
    assert measured("answer", 12, 32, 1) == "about 20 s left at most"
    assert measured("answer", 12, 256, 0.001) == ""  # within a second nothing is measured
    assert measured("model", 11, 1011, 1) == "about 17 min left"
    assert measured("model", 11, 20_011, 1) == "about 5.6 h left"


@pytest.mark.parametrize("phase", ["capture", "compare", "write"])
def test_no_time_is_said_of_layers_that_take_unlike_long(phase):
    assert measured(phase, 20, 28, 1) == ""


def test_another_answer_is_measured_anew():
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    for done in range(1, 9):
        now[0] += 1
        left.words("answer", done, 16)
    assert left.words("answer", 9, 16) and left.words("capture", 1, 9) == ""
    assert [left.words("answer", done, 16) for done in (1, 2, 3)] == ["", "", ""]
