from __future__ import annotations

import itertools

import pytest

from natcore.channel.delivery import DeliveryConfig, MessageReceiver, MessageSender, ReplayWindow
from natcore.channel.frame import MAX_PAYLOAD_SIZE
from natcore.errors import MisuseError

CONFIG = DeliveryConfig()


def make_sender(*payloads: bytes) -> MessageSender:
    sender = MessageSender(CONFIG)
    for payload in payloads:
        sender.queue(payload)
    return sender


# --- sending ------------------------------------------------------------------------------------------------


def test_messages_go_out_one_at_a_time_and_in_order() -> None:
    sender = make_sender(b"one", b"two")
    assert sender.take_due(0.0, path_rtt=None) == (1, b"one")
    assert sender.take_due(0.0, path_rtt=None) is None
    assert sender.receive_acknowledgement(1, 0.1)
    assert sender.take_due(0.1, path_rtt=None) == (2, b"two")


def test_a_message_is_repeated_with_doubling_gaps_up_to_the_cap() -> None:
    sender = make_sender(b"x")
    instants = []
    now = 0.0
    while sender.take_expired(now) is None:
        if sender.take_due(now, path_rtt=None) is not None:
            instants.append(now)
        due = sender.get_timer(is_sending=True)
        assert due is not None
        assert due > now
        now = due
    gaps = [later - earlier for earlier, later in itertools.pairwise(instants)]
    assert gaps == [0.25, 0.5, *[1.0] * 9]
    assert now == CONFIG.give_up_after


@pytest.mark.parametrize(("rtt", "rto"), [(None, 0.25), (0.001, 0.1), (0.05, 0.1), (0.4, 0.8)])
def test_the_first_repetition_waits_for_two_round_trips_of_the_path(rtt: float | None, rto: float) -> None:
    sender = make_sender(b"x")
    sender.take_due(0.0, path_rtt=rtt)
    assert sender.take_due(rto - 0.001, path_rtt=rtt) is None
    assert sender.take_due(rto, path_rtt=rtt) is not None


def test_a_late_timer_repeats_once() -> None:
    sender = make_sender(b"x")
    sender.take_due(0.0, path_rtt=None)
    assert sender.take_due(5.0, path_rtt=None) is not None
    assert sender.take_due(5.0, path_rtt=None) is None


def test_a_message_expires_at_its_instant_and_not_before() -> None:
    sender = make_sender(b"x", b"y")
    sender.take_due(0.0, path_rtt=None)
    assert sender.take_expired(CONFIG.give_up_after - 0.001) is None
    assert sender.take_expired(CONFIG.give_up_after) == 1
    assert sender.take_due(CONFIG.give_up_after, path_rtt=None) == (2, b"y")
    assert sender.take_expired(CONFIG.give_up_after) is None, "the next one has its own patience"


def test_an_acknowledgement_counts_once_and_only_for_the_message_under_way() -> None:
    sender = make_sender(b"x", b"y")
    assert not sender.receive_acknowledgement(1, 0.0), "nothing has been sent"
    sender.take_due(0.0, path_rtt=None)
    assert not sender.receive_acknowledgement(2, 0.1)
    assert sender.receive_acknowledgement(1, 0.1)
    assert not sender.receive_acknowledgement(1, 0.1)


def test_only_a_message_that_went_out_once_measures_the_round_trip() -> None:
    sender = make_sender(b"x", b"y")
    sender.take_due(0.0, path_rtt=None)
    sender.take_due(0.25, path_rtt=None)
    sender.receive_acknowledgement(1, 0.3)
    assert sender.rtt is None
    sender.take_due(1.0, path_rtt=None)
    sender.receive_acknowledgement(2, 1.2)
    assert sender.rtt == pytest.approx(0.2)


def test_the_queue_is_full_at_its_limit() -> None:
    sender = make_sender(*[b"x"] * CONFIG.max_waiting)
    with pytest.raises(MisuseError, match="1000 messages are waiting"):
        sender.queue(b"one over")
    sender.take_due(0.0, path_rtt=None)
    assert sender.queue(b"there is room again") == CONFIG.max_waiting + 1


def test_a_payload_is_at_most_so_long() -> None:
    sender = make_sender(bytes(MAX_PAYLOAD_SIZE))
    with pytest.raises(MisuseError, match="got 1201 bytes, expected at most 1200"):
        sender.queue(bytes(MAX_PAYLOAD_SIZE + 1))


def test_abandoning_names_every_message_in_order_and_leaves_nothing() -> None:
    sender = make_sender(b"x", b"y", b"z")
    sender.take_due(0.0, path_rtt=None)
    assert sender.abandon() == [1, 2, 3]
    assert sender.abandon() == []
    assert sender.get_timer(is_sending=True) is None
    assert sender.peek() is None


def test_an_early_message_has_its_patience_from_the_path_on() -> None:
    sender = make_sender(b"early")
    sender.sent_early(0.0)
    sender.path_confirmed(9.9, path_rtt=None)
    assert sender.take_expired(19.8) is None
    assert sender.take_expired(19.9) == 1


@pytest.mark.parametrize(
    ("confirmed_at", "path_rtt", "repeated_at"),
    [(0.04, 0.04, 0.08), (0.3, 0.3, 0.4), (0.3, None, 0.4), (2.0, 0.04, 2.0)],
    ids=["in time", "in time on a long way", "nobody knows", "long after its copies died at a NAT"],
)
def test_an_early_message_is_repeated_once_its_confirmation_is_overdue(
    confirmed_at: float, path_rtt: float | None, repeated_at: float
) -> None:
    sender = make_sender(b"early")
    sender.sent_early(0.0)
    sender.path_confirmed(confirmed_at, path_rtt=path_rtt)
    assert sender.take_due(repeated_at - 0.001, path_rtt=path_rtt) is None
    assert sender.take_due(repeated_at + 1e-9, path_rtt=path_rtt) == (1, b"early")
    assert sender.receive_acknowledgement(1, repeated_at + 0.1)
    assert sender.rtt is None, "nobody knows which copy was answered"


def test_the_clock_of_an_early_message_counts_from_its_last_copy() -> None:
    sender = make_sender(b"early")
    sender.sent_early(0.0)
    sender.sent_early(0.05)
    sender.path_confirmed(0.09, path_rtt=0.04)
    assert sender.take_due(0.129, path_rtt=0.04) is None
    assert sender.take_due(0.1301, path_rtt=0.04) == (1, b"early")
    assert sender.take_due(0.229, path_rtt=0.04) is None
    assert sender.take_due(0.231, path_rtt=0.04) == (1, b"early"), "the path is known to be short"


# --- receiving ----------------------------------------------------------------------------------------------


def test_a_message_is_new_once_and_acknowledged_every_time() -> None:
    receiver = MessageReceiver()
    assert receiver.receive(1) == (True, True)
    assert receiver.receive(1) == (False, True)
    assert receiver.receive(2) == (True, True)


def test_a_stale_copy_is_neither_delivered_nor_acknowledged() -> None:
    receiver = MessageReceiver()
    assert receiver.receive(5) == (True, True)
    assert receiver.receive(4) == (False, False)


def test_the_replay_window_takes_each_number_once_in_any_order() -> None:
    window = ReplayWindow(8)
    assert [window.take(number) for number in (0, 3, 1, 3, 2, 0)] == [True, True, True, False, True, False]


@pytest.mark.parametrize(("age", "expected"), [(7, True), (8, False), (9, False)])
def test_the_replay_window_forgets_what_is_too_old(age: int, expected: bool) -> None:
    window = ReplayWindow(8)
    window.take(100)
    assert window.take(100 - age) is expected


def test_a_huge_jump_does_not_make_the_replay_window_grow() -> None:
    window = ReplayWindow(8)
    window.take(0)
    assert window.take(2**32 - 1)
    assert not window.take(0)
    assert not window.take(2**32 - 1)
