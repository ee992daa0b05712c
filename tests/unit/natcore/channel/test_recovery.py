from __future__ import annotations

from natcore.channel.recovery import ASK_INTERVAL, MAX_ASK_INTERVAL, Recovery
from natcore.ice import FailureReason

PATIENCE = 600.0


def ask(recovery: Recovery, now: float) -> float:
    """Asks; returns in how many seconds it is to be asked again."""
    recovery.asked(now)
    due = recovery.get_timer()
    assert due is not None
    return due - now


def lose(recovery: Recovery, now: float) -> None:
    recovery.path_lost(FailureReason.CONSENT_EXPIRED, "no answer", now)


def test_nothing_is_due_while_nothing_is_broken() -> None:
    recovery = Recovery(PATIENCE)
    assert recovery.get_timer() is None
    assert not recovery.take_due(1e9)


def test_it_is_time_to_ask_again_at_the_interval_and_once() -> None:
    recovery = Recovery(PATIENCE)
    recovery.asked(1.0)
    assert recovery.get_timer() == 1.0 + ASK_INTERVAL
    assert not recovery.take_due(0.99 + ASK_INTERVAL)
    assert recovery.take_due(1.0 + ASK_INTERVAL)
    assert not recovery.take_due(1.0 + ASK_INTERVAL)
    assert recovery.get_timer() is None


def test_it_is_asked_ever_more_rarely_up_to_a_bound() -> None:
    recovery = Recovery(PATIENCE)
    assert [ask(recovery, 0.0) for _ in range(5)] == [2.0, 4.0, 8.0, MAX_ASK_INTERVAL, MAX_ASK_INTERVAL]


def test_what_may_help_has_it_asked_often_again() -> None:
    recovery = Recovery(PATIENCE)
    for _ in range(5):
        recovery.asked(0.0)
    recovery.begin_anew()
    assert ask(recovery, 0.0) == ASK_INTERVAL


def test_a_path_has_it_asked_no_more_and_the_next_break_begins_anew() -> None:
    recovery = Recovery(PATIENCE)
    recovery.asked(0.0)
    recovery.asked(0.0)
    lose(recovery, 0.0)
    recovery.path_found()
    assert (recovery.loss, recovery.get_timer()) == (None, None)
    assert ask(recovery, 0.0) == ASK_INTERVAL


def test_nothing_is_asked_while_an_introduction_is_followed_and_goes_on_where_that_fails() -> None:
    recovery = Recovery(PATIENCE)
    recovery.asked(0.0)
    recovery.search_begun()
    assert recovery.get_timer() is None
    recovery.search_failed(10.0)
    assert recovery.get_timer() == 10.0 + 2 * ASK_INTERVAL


def test_a_loss_has_its_reason_and_its_end() -> None:
    recovery = Recovery(PATIENCE)
    lose(recovery, 1.0)
    loss = recovery.loss
    assert loss is not None
    assert (loss.reason, loss.detail) == (FailureReason.CONSENT_EXPIRED, "no answer")
    assert loss.ends_at == recovery.get_timer() == 1.0 + PATIENCE


def test_the_timer_is_the_earlier_of_asking_and_giving_up() -> None:
    recovery = Recovery(PATIENCE)
    lose(recovery, 0.0)
    recovery.asked(0.0)
    assert recovery.get_timer() == ASK_INTERVAL
    recovery.asked(PATIENCE - 1.0)
    assert recovery.get_timer() == PATIENCE
