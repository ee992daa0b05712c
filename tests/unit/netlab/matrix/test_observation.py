from __future__ import annotations

from netlab.instruments.capture import TCP, UDP, Packet
from netlab.matrix.observation import Recordings, observe
from netlab.matrix.scene import sides_of
from netlab.profiles import profile
from netlab.topology.scenes import two_nats

ELSA, ANNA, SERVER = ("203.0.113.7", 7000), ("203.0.113.33", 3300), ("198.51.100.10", 443)
ELSA_HOME, ANNA_HOME = ("192.168.1.10", 1), ("192.168.1.20", 2)
SIDES = sides_of(two_nats(profile("symmetric"), profile("port-restricted")))


def packet(at: float, source: tuple[str, int], destination: tuple[str, int], protocol: int = UDP) -> Packet:
    return Packet(time=at, protocol=protocol, source=source, destination=destination, payload=b"")


BOTH_WAYS: Recordings = {
    ("nat-elsa", "wan0"): [packet(9.0, ELSA, SERVER), packet(10.0, ELSA, ANNA), packet(10.2, ANNA, ELSA)],
    ("elsa", "eth0"): [packet(10.0, ELSA_HOME, ANNA), packet(10.3, ANNA, ELSA_HOME)],
    ("nat-anna", "wan0"): [packet(10.1, ELSA, ANNA), packet(10.1, ANNA, ELSA)],
    ("anna", "eth0"): [packet(10.1, ANNA_HOME, ELSA), packet(10.15, ELSA, ANNA_HOME)],
}


def without(key: tuple[str, str], number: int) -> Recordings:
    packets = list(BOTH_WAYS[key])
    del packets[number]
    return {**BOTH_WAYS, key: packets}


def test_datagrams_both_ways_at_both_borders_and_hosts_are_a_direct_path() -> None:
    seen = observe(SIDES, BOTH_WAYS, started_at=8.0)
    assert seen.is_direct
    assert (seen.caller.sent, seen.caller.received, seen.caller.let_in) == (1, 1, 1)
    assert seen.opened_after == 0.3


def test_each_of_them_is_needed() -> None:
    for key, number in (
        (("nat-elsa", "wan0"), 1),
        (("nat-elsa", "wan0"), 2),
        (("elsa", "eth0"), 1),
        (("nat-anna", "wan0"), 0),
        (("nat-anna", "wan0"), 1),
        (("anna", "eth0"), 1),
    ):
        assert not observe(SIDES, without(key, number), started_at=8.0).is_direct, (key, number)


def test_tcp_and_relayed_datagrams_are_no_direct_path() -> None:
    as_tcp = {
        place: [packet(p.time, p.source, p.destination, TCP) for p in packets]
        for place, packets in BOTH_WAYS.items()
    }
    assert not observe(SIDES, as_tcp, started_at=8.0).is_direct
    by_server = {
        ("nat-elsa", "wan0"): [packet(1, ELSA, SERVER), packet(2, SERVER, ELSA)],
        ("elsa", "eth0"): [packet(2, SERVER, ELSA_HOME)],
    }
    assert not observe(SIDES, by_server, started_at=0.0).is_direct


def test_the_timeline_tells_the_first_of_each_kind_in_order() -> None:
    timeline = observe(SIDES, BOTH_WAYS, started_at=8.0).timeline
    assert [event.at for event in timeline] == sorted(event.at for event in timeline)
    assert timeline[0].event == "nat-elsa sends to the server from 203.0.113.7:7000"
    assert timeline[0].at == 1.0
    assert timeline[-1].event == "elsa gets the first datagram of the callee, from 203.0.113.33:3300"


def test_what_never_arrives_never_opens() -> None:
    seen = observe(SIDES, without(("anna", "eth0"), 1), started_at=8.0)
    assert seen.opened_after is None


def test_a_host_in_the_open_is_its_own_border() -> None:
    caller, callee = sides_of(two_nats(profile("open"), profile("cgn-cone")))
    assert caller.border == ("elsa", "eth0")
    assert callee.border == ("carrier-anna", "wan0")
    assert callee.routers == ("nat-anna", "carrier-anna")


def test_nothing_recorded_is_nothing_seen() -> None:
    seen = observe(SIDES, {}, started_at=0.0)
    assert not seen.is_direct
    assert seen.timeline == ()
