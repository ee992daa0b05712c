from __future__ import annotations

import math

import pytest

from natcore.errors import MisuseError
from natcore.stun import ClientTransaction, RetransmissionSchedule, TransactionId, TransactionState

START = 1000.0
REQUEST = b"request"
DEFAULT = RetransmissionSchedule()


def a_transaction(schedule: RetransmissionSchedule = DEFAULT) -> ClientTransaction:
    return ClientTransaction(
        transaction_id=TransactionId(bytes(12)), request=REQUEST, schedule=schedule, now=START
    )


def state_of(transaction: ClientTransaction) -> TransactionState:
    return transaction.state


def play(transaction: ClientTransaction) -> tuple[list[float], float]:
    """Serves every timer on time: when requests were sent and when it ended, in seconds after the start."""
    sent: list[float] = []
    now = START
    for _ in range(100):
        timer = transaction.get_timer()
        if timer is None:
            return sent, now - START
        now = timer
        if transaction.handle_timer(now) is not None:
            sent.append(now - START)
    raise AssertionError("the transaction never ended")


def test_the_default_schedule_is_the_rfcs_and_gives_up_after_39_5_s() -> None:
    transaction = a_transaction()
    assert play(transaction) == ([0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5], 39.5)
    assert transaction.state is TransactionState.TIMED_OUT
    assert transaction.requests_sent == 7
    assert DEFAULT.total == 39.5


def test_a_capped_schedule_stops_doubling_at_the_cap() -> None:
    schedule = RetransmissionSchedule(rto=0.25, max_requests=6, final_wait_factor=4, max_rto=0.75)
    assert play(a_transaction(schedule)) == ([0, 0.25, 0.75, 1.5, 2.25, 3.0], 4.0)
    assert schedule.total == 4.0


def test_a_single_request_waits_once() -> None:
    schedule = RetransmissionSchedule(rto=2.0, max_requests=1, final_wait_factor=3)
    assert play(a_transaction(schedule)) == ([0], 6.0)


def test_the_first_request_is_due_at_once() -> None:
    transaction = a_transaction()
    assert transaction.get_timer() == START
    assert transaction.handle_timer(START) == REQUEST
    assert transaction.get_timer() == START + 0.5


def test_a_timer_before_its_time_does_nothing() -> None:
    transaction = a_transaction()
    transaction.handle_timer(START)
    assert transaction.handle_timer(START + 0.499) is None
    assert transaction.requests_sent == 1
    assert transaction.get_timer() == START + 0.5


def test_a_late_timer_sends_one_request_and_returns_to_the_schedule() -> None:
    transaction = a_transaction()
    transaction.handle_timer(START)
    assert transaction.handle_timer(START + 5.0) == REQUEST  # 0.5, 1.5 and 3.5 have passed
    assert transaction.handle_timer(START + 5.0) is None
    assert transaction.requests_sent == 2
    assert transaction.get_timer() == START + 7.5


def test_after_a_very_late_timer_the_final_wait_counts_from_the_request_that_it_sent() -> None:
    transaction = a_transaction()
    transaction.handle_timer(START)
    assert transaction.handle_timer(START + 3600) == REQUEST
    assert transaction.get_timer() == START + 3600 + 8.0
    assert transaction.handle_timer(START + 3608) is None
    assert transaction.state is TransactionState.TIMED_OUT


def test_the_final_wait_does_not_end_early() -> None:
    transaction = a_transaction(RetransmissionSchedule(max_requests=1))
    transaction.handle_timer(START)
    assert transaction.handle_timer(START + 7.999) is None
    assert state_of(transaction) is TransactionState.IN_PROGRESS
    assert transaction.handle_timer(START + 8.0) is None
    assert state_of(transaction) is TransactionState.TIMED_OUT
    assert transaction.get_timer() is None


def test_a_response_to_the_only_request_measures_the_round_trip() -> None:
    transaction = a_transaction()
    transaction.handle_timer(START + 0.25)  # the shell was late
    assert transaction.receive_response(START + 0.375) == 0.125
    assert transaction.state is TransactionState.COMPLETED
    assert transaction.get_timer() is None


def test_a_response_after_a_retransmission_measures_nothing() -> None:
    transaction = a_transaction()
    transaction.handle_timer(START)
    transaction.handle_timer(START + 0.5)
    assert transaction.receive_response(START + 0.51) is None
    assert transaction.state is TransactionState.COMPLETED


def test_a_response_counts_during_the_final_wait() -> None:
    transaction = a_transaction(RetransmissionSchedule(max_requests=1))
    transaction.handle_timer(START)
    assert transaction.receive_response(START + 7.0) == 7.0


def test_a_cancelled_transaction_sends_no_more_but_still_completes() -> None:
    transaction = a_transaction()
    transaction.handle_timer(START)
    transaction.cancel()
    assert state_of(transaction) is TransactionState.CANCELLED
    assert transaction.get_timer() is None
    assert transaction.handle_timer(START + 0.5) is None
    assert transaction.receive_response(START + 0.6) is not None
    assert state_of(transaction) is TransactionState.COMPLETED


def test_a_transaction_cancelled_before_its_first_request_sends_nothing() -> None:
    transaction = a_transaction()
    transaction.cancel()
    assert transaction.handle_timer(START) is None
    assert transaction.requests_sent == 0


def completed() -> ClientTransaction:
    transaction = a_transaction()
    transaction.handle_timer(START)
    transaction.receive_response(START)
    return transaction


def timed_out() -> ClientTransaction:
    transaction = a_transaction()
    play(transaction)
    return transaction


def cancelled() -> ClientTransaction:
    transaction = a_transaction()
    transaction.cancel()
    return transaction


def test_an_ended_transaction_is_not_answered_again() -> None:
    for transaction, text in [
        (completed(), "transaction: got a response when COMPLETED"),
        (timed_out(), "transaction: got a response when TIMED_OUT"),
    ]:
        with pytest.raises(MisuseError, match=text):
            transaction.receive_response(START + 100)


def test_an_ended_transaction_is_not_cancelled() -> None:
    for transaction in (completed(), timed_out(), cancelled()):
        before = transaction.state
        with pytest.raises(MisuseError, match=f"got a cancellation when {before.name}"):
            transaction.cancel()
        assert transaction.state is before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rto", 0.0),
        ("rto", -1.0),
        ("rto", math.inf),
        ("rto", math.nan),
        ("max_requests", 0),
        ("max_requests", 65),
        ("final_wait_factor", -1),
        ("max_rto", 0.4),
        ("max_rto", math.nan),
    ],
)
def test_a_schedule_out_of_range_is_misuse(field: str, value: float) -> None:
    with pytest.raises(MisuseError, match=f"{field}: got "):
        RetransmissionSchedule(**{field: value})  # type: ignore[arg-type]  # one field at a time, by name


def test_the_longest_schedule_is_finite() -> None:
    assert math.isfinite(RetransmissionSchedule(max_requests=64).total)
