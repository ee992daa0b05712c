from __future__ import annotations

from natcore.hardnat import AttemptBudget, HardNatLimits, HostBudget

LIMITS = HardNatLimits(packet_rate=10, max_packets=15)


def begin(host: HostBudget) -> AttemptBudget:
    budget = host.begin()
    assert budget is not None
    return budget


def taken(budget: AttemptBudget, *instants: float) -> list[bool]:
    return [budget.take(now) for now in instants]


def test_packets_are_spaced() -> None:
    """By half of the interval that ten a second have on average."""
    assert taken(begin(HostBudget(LIMITS)), 5.0, 5.02, 5.05, 5.05, 5.1) == [True, False, True, False, True]


def test_the_timer_is_when_the_next_packet_may_leave() -> None:
    budget = begin(HostBudget(LIMITS))
    now = 0.0
    for _ in range(15):
        assert budget.take(now)
        following = budget.next_at
        if following is not None:
            assert not budget.take(following - 1e-6)
            now = following
    assert budget.next_at is None, "fifteen packets are all"
    assert not budget.take(1000.0)


def test_a_late_timer_catches_up_a_little() -> None:
    budget = begin(HostBudget(HardNatLimits(packet_rate=250)))
    assert budget.take(0.0)
    at_once = sum(budget.take(10.0) for _ in range(100))
    assert at_once in (5, 6)


def test_no_second_sees_more_than_the_rate() -> None:
    budget = begin(HostBudget(HardNatLimits(packet_rate=250, max_packets=10_000)))
    sent = [0.015 * tick for tick in range(400) for _ in range(20) if budget.take(0.015 * tick)]
    fullest = max(sum(start <= at < start + 1.0 - 1e-9 for at in sent) for start in set(sent))
    assert fullest <= 250
    assert len(sent) >= 0.97 * 250 * 6


def test_a_host_makes_one_attempt_at_a_time() -> None:
    host = HostBudget(LIMITS)
    first = begin(host)
    assert host.is_taken
    assert host.begin() is None
    first.end()
    second = begin(host)
    first.end()  # once more, and it does not end the second
    assert host.begin() is None
    assert second.left == 15
    assert first.left == 0


def test_a_minute_bounds_all_attempts_of_a_host_together() -> None:
    host = HostBudget(HardNatLimits(packet_rate=10, max_packets=15, max_packets_a_minute=20))
    now, sent = 100.0, []
    for _ in range(3):
        assert host.obstacle(now) is None
        budget = begin(host)
        while (due := budget.next_at) is not None and due < 150.0:
            now = max(now, due)
            assert budget.take(now)
            sent.append(now)
        budget.end()
        if len(sent) == 20:
            break
    assert len(sent) == 20
    assert host.obstacle(sent[0] + 59.9) == "20 packets were sent in the last minute"
    assert host.obstacle(sent[0] + 60.0) is None
    third = begin(host)
    assert not third.take(sent[0] + 59.9)
    assert third.next_at == sent[0] + 60.0
    assert third.take(sent[0] + 60.0)
    assert third.next_at == sent[1] + 60.0, "packet by packet, as those of the minute before grow old"


def test_the_rate_holds_across_attempts() -> None:
    host = HostBudget(LIMITS)
    first = begin(host)
    assert first.take(0.0)
    first.end()
    assert taken(begin(host), 0.02, 0.05) == [False, True]
