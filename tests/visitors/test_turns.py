"""Turns are fair between addresses and sessions, bounded for each, and told with a time that was measured."""

import threading
from contextlib import ExitStack

import pytest

from attention.errors import Busy, Cancelled
from attention.limits import TurnLimits
from attention.visitors.presence import Visitor
from attention.visitors.turns import Turns, one_each
from attention.words import about_seconds, in_one_line, phase_words, place_words

HOSTED = TurnLimits.hosted()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def nothing():
    """Nobody has cancelled."""


def begun(turns):
    return [turn.visitor.session for turn in turns]


def order_of(turns, wanted):
    """Sessions in the order in which they begin, where each job ends before the next one begins."""
    entered = [turns.enter(visitor) for visitor in wanted]
    order = []
    while waiting := [turn for turn in entered if turn not in order]:
        turn = next(turn for turn in waiting if turn.has_begun)
        order.append(turn)
        turn.leave()
    return begun(order)


def test_addresses_take_turns_and_so_do_the_sessions_of_one():
    crowd = [Visitor(f"crowd-{n}", "1.1.1.1") for n in range(4)]
    one, two = Visitor("one", "2.2.2.2"), Visitor("two", "3.3.3.3")
    turns = Turns(TurnLimits(ahead=0))
    order = order_of(turns, [*crowd * 2, one, two, one, two])
    assert order[:7] == ["crowd-0", "crowd-1", "one", "two", "crowd-2", "one", "two"]
    assert order[7:] == ["crowd-3", "crowd-0", "crowd-1", "crowd-2", "crowd-3"]


def test_a_session_runs_one_job_at_a_time_and_another_is_not_kept_from_the_free_place():
    turns = Turns(HOSTED, devices=2)
    mine = [turns.enter(Visitor("me", "1.1.1.1")) for _ in range(3)]
    other = turns.enter(Visitor("other", "1.1.1.1"))
    assert [turn.has_begun for turn in (*mine, other)] == [True, False, False, True]
    mine[0].leave()
    assert [turn.has_begun for turn in mine[1:]] == [True, False]


def test_only_so_many_have_a_device_while_the_next_one_prepares():
    turns = Turns(HOSTED)
    first, second, third = (turns.enter(Visitor(name, name)) for name in "abc")
    assert [turn.has_begun for turn in (first, second, third)] == [True, True, False]
    has_it, lets_go = threading.Event(), threading.Event()

    def hold():
        with second.device(nothing):
            has_it.set()

    with first.device(nothing):
        thread = threading.Thread(target=hold)
        thread.start()
        assert not has_it.is_set() and second.place()["before"] == 1 and third.place()["before"] == 2
        assert first.place() is None
        lets_go.set()
    assert has_it.wait(60)
    thread.join(60)


@pytest.mark.parametrize("is_begun", [False, True])
def test_whoever_waits_can_be_stopped_and_leaves_room(is_begun):
    turns = Turns(TurnLimits(ahead=int(is_begun)))
    first, second, third = (turns.enter(Visitor(name)) for name in "abc")

    def stopped():
        raise Cancelled("Stopped.")

    with first.device(nothing), ExitStack() as waiting, pytest.raises(Cancelled):
        waiting.enter_context(second.device(stopped)) if is_begun else second.begin(stopped)
    second.leave()
    second.leave()
    assert third.place()["before"] == 0
    first.leave()
    assert third.has_begun


def test_too_many_are_refused_with_numbers_for_a_session_an_address_and_all():
    turns = Turns(HOSTED, clock=Clock())
    mine = [turns.enter(Visitor("me", "1.1.1.1")) for _ in range(4)]
    with pytest.raises(Busy, match=r"You have 4 jobs here .* Wait until one has ended, or stop one\. Try again in"):
        turns.enter(Visitor("me", "1.1.1.1"))
    for n in range(12):
        turns.enter(Visitor(f"neighbour-{n}", "1.1.1.1"))
    with pytest.raises(Busy, match=r"16 jobs from your network address .* people behind the same address share them"):
        turns.enter(Visitor("one-more", "1.1.1.1"))
    for n in range(46):
        turns.enter(Visitor("somebody", f"2.0.0.{n}"))
    with pytest.raises(Busy, match=r"The queue is full: 60 jobs wait"):
        turns.enter(Visitor("late", "3.3.3.3"))
    mine[3].leave()
    assert turns.enter(Visitor("late", "3.3.3.3")).place()["before"] < 50, "it does not wait for the whole crowd"


def test_seconds_are_told_once_they_are_measured():
    clock = Clock()
    turns = Turns(TurnLimits(ahead=0), clock=clock)
    first, second, third, fourth = (turns.enter(Visitor(name)) for name in "abcd")
    with first.device(nothing):
        assert third.place() == {"before": 2, "seconds": None}
        clock.now += 30
    first.leave()
    with second.device(nothing):
        clock.now += 10
        assert third.place() == {"before": 1, "seconds": 20.0}
        assert fourth.place() == {"before": 2, "seconds": 50.0}
        clock.now += 100
        assert third.place()["seconds"] == 5, "soon, though it takes longer than the last one"


def test_a_place_is_said_no_finer_than_it_is_known():
    assert place_words(1, None) == "1 job before yours"
    waits = {"phase": "queue", "done": 0, "total": 0, "before": 2, "seconds": 33.0}
    assert in_one_line(*phase_words(waits)) == "Waiting for its turn: 2 jobs before yours, about 40 s"
    assert in_one_line(*phase_words(waits | {"before": 0})) == "Waiting for its turn"
    assert place_words(3, 41.2) == "3 jobs before yours, about 50 s"
    assert [about_seconds(seconds) for seconds in (0, 7, 59, 121)] == ["5 s", "10 s", "60 s", "3 min"]


def test_one_of_each_line_comes_before_the_second_of_any():
    assert one_each(["abc", "d", "", "ef"]) == list("adebfc")
    assert one_each([]) == []
