from __future__ import annotations

from ipaddress import ip_address

import pytest

from natcore.registry import Counters, RegistryConfig
from natcore.registry.reflection import Answer, Reflector
from natcore.registry.reflection.allowance import Allowance
from natcore.stun import ChangeRequest, ClassicRequest, ErrorCode
from tests.unit.natcore.registry.reflection.world import A1, A2, CLIENT, FULL, at, classic, request, said

PORT = ChangeRequest(change_port=True)
HOST, OTHER = ip_address("203.0.113.7"), ip_address("203.0.113.8")


def allowance(**changed: float) -> Allowance:
    numbers = {"rate": 1.0, "burst": 2, "total_rate": 100.0, "max_sources": 3, **changed}
    return Allowance(
        rate=numbers["rate"],
        burst=int(numbers["burst"]),
        total_rate=numbers["total_rate"],
        max_sources=int(numbers["max_sources"]),
    )


def test_a_source_has_its_burst_and_then_its_rate() -> None:
    allowed = allowance()
    assert [allowed.take(HOST, 10.0) for _ in range(3)] == [True, True, False]
    assert not allowed.take(HOST, 10.9)
    assert allowed.take(HOST, 11.9)


def test_one_source_does_not_spend_anothers() -> None:
    allowed = allowance()
    assert [allowed.take(HOST, 10.0) for _ in range(3)][-1] is False
    assert allowed.take(OTHER, 10.0)


@pytest.mark.parametrize(
    ("second", "is_the_same"),
    [("2001:db8::2", True), ("2001:db8:0:0:ffff::1", True), ("2001:db8:0:1::1", False)],
)
def test_a_slash_64_is_one_source(second: str, is_the_same: bool) -> None:
    allowed = allowance()
    for _ in range(2):
        assert allowed.take(ip_address("2001:db8::1"), 10.0)
    assert allowed.take(ip_address(second), 10.0) is not is_the_same


def test_the_low_ipv6_prefixes_are_no_ipv4_addresses() -> None:
    allowed = allowance(burst=1)
    assert allowed.take(ip_address("0.0.0.1"), 1.0)
    assert allowed.take(ip_address("0:0:0:1::"), 1.0)


def test_all_sources_together_have_a_rate_too() -> None:
    allowed = allowance(total_rate=2.0, max_sources=100)
    sources = [ip_address(f"203.0.113.{number}") for number in range(3)]
    assert [allowed.take(source, 10.0) for source in sources] == [True, True, False]
    assert allowed.take(ip_address("203.0.113.9"), 10.5)


def test_the_table_is_bounded_and_the_least_recent_source_goes() -> None:
    allowed = allowance()
    hosts = [ip_address(f"203.0.113.{number}") for number in range(4)]
    for host in hosts[:3]:
        for _ in range(2):
            assert allowed.take(host, 10.0)
    assert not allowed.take(hosts[0], 10.0), "asked again, so it is the most recent now"
    assert allowed.take(hosts[3], 10.0)
    assert len(allowed) == 3
    assert not allowed.take(hosts[0], 10.0), "still remembered"
    assert allowed.take(hosts[1], 10.0), "forgotten, and so a stranger"


def test_beyond_the_limit_a_request_gets_an_error_from_where_it_arrived_and_is_counted() -> None:
    counters = Counters()
    reflector = Reflector(FULL, RegistryConfig(reflection_burst=2, reflection_rate=1.0), counters)
    asked = request(PORT)
    answers: list[Answer] = [reflector.answer(asked, at(A1), 10.0) for _ in range(3)]
    assert [answer.origin for answer in answers] == [A2, A2, A1]
    assert said(answers[2]).get(ErrorCode) == ErrorCode(500, "")
    assert answers[2].destination == CLIENT
    assert len(answers[2].data) <= len(asked.raw)
    assert (counters.bindings, counters.reflections, counters.refused_reflections) == (3, 2, 1)
    assert reflector.answer(request(), at(A1), 10.0).origin == A1, "plain requests are not limited"


def test_beyond_the_limit_a_classic_client_hears_nothing() -> None:
    counters = Counters()
    reflector = Reflector(FULL, RegistryConfig(reflection_burst=1), counters)
    asked = ClassicRequest.decode(classic(2))
    assert asked is not None
    assert reflector.answer_classic(asked, at(A1), 10.0) is not None
    assert reflector.answer_classic(asked, at(A1), 10.0) is None
    assert (counters.reflections, counters.refused_reflections) == (1, 1)
