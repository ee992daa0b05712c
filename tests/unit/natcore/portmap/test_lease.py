from __future__ import annotations

import pytest

from natcore.portmap import Lease


@pytest.mark.parametrize(("byte", "share"), [(0, 1 / 2), (255, 5 / 8)])
def test_the_first_renewal_is_due_between_a_half_and_five_eighths(byte: int, share: float) -> None:
    lease = Lease(lifetime=3600, now=10.0, random=lambda count: bytes([byte] * count))
    assert lease.renew_at == 10.0 + share * 3600


def test_after_failures_it_is_due_closer_and_closer_to_the_end_but_never_all_the_time() -> None:
    lease = Lease(lifetime=64, now=0.0, random=bytes)
    instants = [lease.renew_at]
    while not lease.is_expired(instants[-1]):
        lease.attempt_failed(instants[-1])
        instants.append(lease.renew_at)
    assert instants == [32.0, 48.0, 56.0, 60.0, 64.0]


@pytest.mark.parametrize("lifetime", [1, 7])
def test_a_gateway_that_grants_seconds_is_not_asked_all_the_time(lifetime: int) -> None:
    assert Lease(lifetime=lifetime, now=0.0, random=bytes).renew_at == 4.0


def test_it_is_over_at_its_end_and_not_before() -> None:
    lease = Lease(lifetime=60, now=0.0, random=bytes)
    assert (lease.is_expired(59.9), lease.is_expired(60.0)) == (False, True)
