"""How long an idle mapping lives, in virtual time: hours of silence in a moment."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.discovery import (
    LIFETIME_SOCKETS,
    Known,
    LifetimeConfig,
    LifetimeDiscovery,
    LifetimeProgress,
    MappingLifetime,
    Unknown,
)
from natcore.discovery.finding import Finding
from natcore.errors import MisuseError
from natcore.nat import FilteringBehavior, NatBehavior
from netlab.profiles import NatProfile
from tests.sim.discovery import PRIMARY, RTT, SERVER_IPS, Discoverer
from tests.sim.network import Link, Packet
from tests.sim.pair import seeded
from tests.unit.natcore.discovery.rehearsal import answer, refusal

CONFIG = LifetimeConfig()
BASES = tuple(TransportAddress.parse(f"192.168.7.10:{40000 + number}") for number in range(LIFETIME_SOCKETS))


def nat(lifetime: float, *, inbound_refresh: bool = True) -> NatProfile:
    return NatProfile(
        name="mortal",
        behavior=NatBehavior(
            filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
            mapping_lifetime=lifetime,
            inbound_refresh=inbound_refresh,
        ),
        summary="",
        devices="",
    )


def measured(finding: Finding[MappingLifetime]) -> MappingLifetime:
    assert isinstance(finding, Known), finding
    return finding.value


def reason(finding: Finding[MappingLifetime] | None) -> str:
    assert isinstance(finding, Unknown), finding
    return finding.reason


def measure(
    lifetime: float, *, drop: float = 0.0, seed: int = 1, **changes: float
) -> Finding[MappingLifetime]:
    link = Link(latency=RTT / 2, drop=drop)
    scene = Discoverer(nat(lifetime), link=link, seed=seed)
    return scene.measure_lifetime(replace(CONFIG, **changes))  # type: ignore[arg-type] # all are numbers


# --- what is measured ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("inbound_refresh", [True, False])
@pytest.mark.parametrize(
    "lifetime", [1.5, 3.0, 4.0, 4.02, 16.01, 30.0, 60.0, 65.0, 120.0, 180.0, 256.03, 299.0]
)
def test_a_lifetime_is_between_the_longest_life_and_the_first_death(
    lifetime: float, inbound_refresh: bool
) -> None:
    scene = Discoverer(nat(lifetime, inbound_refresh=inbound_refresh), link=Link(latency=RTT / 2))
    found = measured(scene.measure_lifetime())
    assert found.at_most is not None
    assert found.at_least <= lifetime <= found.at_most


@pytest.mark.parametrize("lifetime", [0.3, 0.9])
def test_a_lifetime_shorter_than_the_first_step_is_found_too(lifetime: float) -> None:
    found = measured(measure(lifetime))
    assert found.at_most is not None
    assert found.at_least <= lifetime <= found.at_most <= 1.5


@pytest.mark.parametrize(("lifetime", "limit"), [(301.0, 300.0), (7200.0, 300.0), (60.0, 20.0), (10.0, 1.0)])
def test_without_a_death_within_the_limit_there_is_no_upper_end(lifetime: float, limit: float) -> None:
    assert measured(measure(lifetime, limit=limit)) == MappingLifetime(at_least=limit, at_most=None)


def test_no_idle_time_beyond_the_limit_is_tried() -> None:
    scene = Discoverer(nat(7200.0))
    scene.measure_lifetime(replace(CONFIG, limit=20.0))
    assert 20.0 < scene.now < 22.0


@pytest.mark.parametrize("lifetime", [7.3, 33.0, 120.0, 211.0])
@pytest.mark.parametrize(("precision", "resolution"), [(0.05, 0.5), (0.2, 0.5), (0.01, 0.5), (0.05, 5.0)])
def test_it_is_as_precise_as_it_is_wanted(lifetime: float, precision: float, resolution: float) -> None:
    found = measured(measure(lifetime, precision=precision, resolution=resolution))
    assert found.at_most is not None
    slack = 1.0  # the tests themselves take their time, which counts for the upper end
    assert found.at_most - found.at_least <= max(resolution, precision * found.at_least) + slack


@pytest.mark.parametrize("limit", [512.0, 600.0, 3600.0, 10_000.0])
def test_there_are_sockets_enough_however_much_is_asked_for(limit: float) -> None:
    found = measured(measure(limit - 7.7, limit=limit, precision=1e-9, resolution=1e-9))
    assert found.at_most is not None
    assert found.at_least <= limit - 7.7 <= found.at_most


def test_usual_lifetimes_are_measured_in_less_than_four_times_as_long() -> None:
    for lifetime in (30.0, 60.0, 120.0, 180.0):
        scene = Discoverer(nat(lifetime))
        scene.measure_lifetime()
        assert scene.now < 4 * lifetime, f"{lifetime} s took {scene.now} s"


# --- losses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop", [0.05, 0.2, 0.4])
def test_losses_make_nothing_wrong(drop: float) -> None:
    wrong = []
    for seed in range(60):
        for lifetime in (3.0, 30.0, 118.0):
            finding = measure(lifetime, drop=drop, seed=seed)
            if isinstance(finding, Known):
                found = finding.value
                is_right = found.at_least <= lifetime <= (found.at_most or float("inf"))
                if not is_right:
                    wrong.append(f"{lifetime} s, seed {seed}: {found}")
    assert not wrong


def test_few_losses_leave_little_unknown() -> None:
    findings = [measure(30.0, drop=0.05, seed=seed) for seed in range(60)]
    assert sum(isinstance(one, Unknown) for one in findings) <= 2


def test_an_outage_of_the_server_is_no_death() -> None:
    """Three tests without a control, and then one whose control comes and whose test is lost."""
    for seed in range(40):
        scene = Discoverer(nat(100.0), link=Link(latency=RTT / 2), seed=seed)
        agent = scene.begin_to_measure(replace(CONFIG, limit=4.0))
        for _ in range(3):
            scene.advance(0.95)
            scene.network.link.is_cut = True
            scene.advance(1.7)
            scene.network.link.is_cut = False
            scene.network.link.drop = 0.3
            scene.advance(0.3)
            scene.network.link.drop = 0.0
        scene.advance(30.0)
        finding = agent.finding
        assert finding is not None
        assert isinstance(finding, Unknown) or finding.value.at_most is None, f"seed {seed}: {finding}"


# --- progress -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lifetime", [0.5, 3.0, 33.0, 120.0, 1000.0])
def test_progress_only_ever_grows_and_never_expects_less_than_has_passed(lifetime: float) -> None:
    scene = Discoverer(nat(lifetime))
    scene.measure_lifetime()
    told = scene.host.events(LifetimeProgress)
    assert len(told) > 2
    for before, after in pairwise(told):
        assert before.elapsed <= after.elapsed
        assert before.at_least <= after.at_least
        assert before.at_most is None or (after.at_most is not None and after.at_most <= before.at_most)
    for at, one in scene.host.log:
        if isinstance(one, LifetimeProgress):
            assert one.elapsed == pytest.approx(at)
            assert one.elapsed <= one.expected
            assert one.at_most is None or one.at_least <= one.at_most


def test_the_expectation_at_the_end_was_about_right() -> None:
    scene = Discoverer(nat(60.0))
    scene.measure_lifetime()
    last = scene.host.events(LifetimeProgress)[-1]
    assert last.expected == pytest.approx(scene.now, abs=5.0)


def test_the_finding_is_the_last_event_and_comes_once() -> None:
    scene = Discoverer(nat(3.0))
    agent = scene.begin_to_measure()
    scene.advance(100.0)
    findings = scene.host.events(Known) + scene.host.events(Unknown)
    assert findings == [agent.finding]
    assert scene.host.log[-1][1] is agent.finding


# --- servers that do not help -------------------------------------------------------------------------------


class UnhelpfulServer:
    """Answers plain questions and refuses, or ignores, RESPONSE-PORT."""

    def __init__(self, scene: Discoverer, code: int | None) -> None:
        self._network = scene.network
        self._code = code
        scene.network.attach(SERVER_IPS[0], None, self)

    def receive_packet(self, packet: Packet, base: TransportAddress, now: float) -> None:
        request = stun.Message.decode(packet.data)
        is_plain = request.get(stun.ResponsePort) is None or self._code is None
        data = (
            answer(request, stun.XorMappedAddress(packet.source))
            if is_plain
            else refusal(request, self._code or 0)
        )
        self._network.send(Transmit(data=data, destination=packet.source, base=base), None, now)


@pytest.mark.parametrize("code", [400, 420])
def test_a_server_that_refuses_the_response_port_leaves_it_unknown(code: int) -> None:
    scene = Discoverer(nat(30.0))
    UnhelpfulServer(scene, code)
    assert f"error {code}" in reason(scene.measure_lifetime())


def test_a_server_that_ignores_the_response_port_shows_no_death() -> None:
    """It answers the asker instead, which looks as if every mapping were dead."""
    scene = Discoverer(nat(30.0))
    UnhelpfulServer(scene, None)
    assert isinstance(scene.measure_lifetime(), Unknown)


@pytest.mark.parametrize("after", [0.0, 0.5, 3.0, 20.0])
def test_a_server_that_falls_silent_leaves_it_unknown(after: float) -> None:
    scene = Discoverer(nat(60.0))
    agent = scene.begin_to_measure()
    scene.advance(after)
    scene.network.link.is_cut = True
    scene.advance(120.0)
    assert reason(agent.finding) == "the server has fallen silent"


# --- the agent ----------------------------------------------------------------------------------------------


def make_agent() -> LifetimeDiscovery:
    return LifetimeDiscovery(bases=BASES, server=PRIMARY, random=seeded(1), now=0.0)


@pytest.mark.parametrize("count", [0, LIFETIME_SOCKETS - 1])
def test_another_number_of_sockets_is_misuse(count: int) -> None:
    with pytest.raises(MisuseError, match=f"got {count} sockets, expected {LIFETIME_SOCKETS}"):
        LifetimeDiscovery(bases=BASES[:count], server=PRIMARY, random=seeded(1), now=0.0)


def test_an_early_timer_does_nothing() -> None:
    agent = make_agent()
    agent.datagrams_to_send()
    due = agent.get_timer()
    assert due == CONFIG.answer_timeout
    agent.handle_timer(due - 0.001)
    assert agent.datagrams_to_send() == []
    assert agent.get_timer() == due


def test_the_end_is_final() -> None:
    scene = Discoverer(nat(3.0))
    agent = scene.begin_to_measure()
    scene.advance(60.0)
    finding, discarded, told = agent.finding, agent.discarded, len(scene.host.log)
    assert finding is not None
    assert agent.get_timer() is None
    for _, transmit in scene.network.sent[-20:]:
        agent.receive_datagram(transmit.data, PRIMARY, transmit.base, 61.0)
    agent.handle_timer(1000.0)
    assert agent.datagrams_to_send() == []
    assert agent.finding is finding
    assert len(scene.host.log) == told
    assert agent.discarded == discarded + 20


def test_strangers_and_rubbish_are_discarded() -> None:
    agent = make_agent()
    first, *_ = agent.datagrams_to_send()
    request = stun.Message.decode(first.data)
    good = answer(request, stun.XorMappedAddress(TransportAddress.parse("203.0.113.7:5000")))
    stranger = TransportAddress.parse("192.0.2.66:6666")
    for data, source, base in (
        (good, stranger, first.base),
        (good, PRIMARY, stranger),
        (good, PRIMARY, BASES[0]),
        (good[:-1], PRIMARY, first.base),
        (b"", PRIMARY, first.base),
        (good[:8] + bytes(12) + good[20:], PRIMARY, first.base),
    ):
        agent.receive_datagram(data, source, base, 0.1)
    assert agent.discarded == 6
    assert agent.get_timer() == CONFIG.answer_timeout


def test_a_late_copy_of_the_first_answer_is_no_sign_of_life() -> None:
    scene = Discoverer(nat(0.5), link=Link(latency=RTT / 2))
    copies: list[Packet] = []
    receive = scene.host.receive_packet

    def with_copies(packet: Packet, base: TransportAddress, now: float) -> None:
        copies.append(packet)
        receive(packet, base, now)

    scene.host.receive_packet = with_copies  # type: ignore[method-assign] # one scene's host only
    agent = scene.begin_to_measure()
    scene.advance(1.1)
    for packet in copies[:]:
        receive(packet, packet.destination, scene.now)
    scene.advance(60.0)
    finding = agent.finding
    assert finding is not None
    assert measured(finding).at_least < 0.5
