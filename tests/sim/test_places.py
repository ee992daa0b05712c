"""Where two peers sit: one LAN, equal private addresses, one NAT that hairpins; and who has which role."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from natcore.address import TransportAddress
from natcore.channel import SessionConfirmed, SessionEnded
from natcore.ice import CandidateType
from netlab.profiles import NatProfile, profile
from tests.sim.network import Link
from tests.sim.pair import CONTROLLING_IP, SessionPair, make_carrier, make_lan, make_sites, payloads


def hairpinning(name: str) -> NatProfile:
    plain = profile(name)
    return replace(plain, behavior=replace(plain.behavior, hairpinning=True))


def test_two_peers_on_one_lan_take_the_path_through_the_lan() -> None:
    pair = SessionPair(make_lan(hairpinning("port-restricted")))
    pair.start()
    pair.advance(5.0)
    for side, session in zip((pair.elsa, pair.anna), pair.sessions, strict=True):
        assert session.path is not None
        assert session.path.kind is CandidateType.HOST, side.log


@pytest.mark.parametrize("name", ["full-cone", "port-restricted", "symmetric"])
def test_one_lan_needs_no_hairpinning(name: str) -> None:
    pair = SessionPair(make_lan(name))
    pair.start()
    pair.connect()
    assert pair.now < 0.01


@pytest.mark.parametrize("hairpins", [True, False])
def test_two_homes_behind_one_carrier_meet_where_it_hairpins(hairpins: bool) -> None:
    carrier = profile("cgn-cone").carrier
    assert carrier is not None
    behind = replace(profile("cgn-cone"), carrier=replace(carrier, hairpinning=hairpins))
    pair = SessionPair(make_carrier(behind))
    pair.start(skew=0.3)
    pair.advance(11.0)
    for side in (pair.elsa, pair.anna):
        assert bool(side.events(SessionConfirmed)) is hairpins
        assert bool(side.events(SessionEnded)) is not hairpins


@pytest.mark.parametrize(
    "hosts", [("192.168.1.10:40000", "192.168.1.10:40000"), ("192.168.1.10:40000", "192.168.1.10:40001")]
)
def test_equal_private_addresses_behind_different_nats_do_not_confuse(hosts: tuple[str, str]) -> None:
    pair = SessionPair(make_sites("port-restricted", "port-restricted", hosts=hosts))
    pair.start(early_data=b"to you")
    pair.connect()
    pair.advance(5.0)
    assert payloads(pair.anna) == [b"to you"]
    assert payloads(pair.elsa) == []
    assert pair.elsas.path is not None
    assert pair.elsas.path.kind is CandidateType.SERVER_REFLEXIVE


def test_a_symmetric_nat_shows_a_peer_reflexive_candidate() -> None:
    pair = SessionPair(make_sites("full-cone", "symmetric"))
    pair.start()
    pair.connect()
    pair.advance(1.0)
    ours, theirs = pair.elsas.path, pair.annas.path
    assert ours is not None
    assert theirs is not None
    assert ours.kind is CandidateType.PEER_REFLEXIVE
    assert theirs.kind is CandidateType.SERVER_REFLEXIVE
    assert theirs.local == ours.remote, "what the peer sees is what a path calls local"


@pytest.mark.parametrize("roles", [(True, True), (False, False)], ids=["both controlling", "both controlled"])
def test_a_role_conflict_resolves_and_both_agree(roles: tuple[bool, bool]) -> None:
    for seed in range(30):
        link = Link(drop=0.0 if seed < 10 else 0.2)
        pair = SessionPair(
            make_sites("port-restricted", "port-restricted"), roles=roles, seed=seed, link=link
        )
        pair.start(skew=0.007 * seed, early_data=b"hi")
        pair.connect()
        pair.advance(12.0)
        assert pair.elsas.ice.is_controlling is not pair.annas.ice.is_controlling, f"seed {seed}"
        ours, theirs = pair.elsas.path, pair.annas.path
        assert ours is not None
        assert theirs is not None
        assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
        assert payloads(pair.anna) == [b"hi"]


def test_a_stranger_who_floods_the_sockets_changes_nothing() -> None:
    pair = SessionPair(make_sites("full-cone", "full-cone"))
    pair.start(early_data=b"hi")
    stranger = TransportAddress(IPv4Address("203.0.113.99"), 666)
    for index in range(200):
        data = bytes([index]) * index
        pair.network.inject(data, stranger, TransportAddress(CONTROLLING_IP, 40000), pair.now)
    pair.connect()
    pair.advance(1.0)
    assert payloads(pair.anna) == [b"hi"]
    assert len(pair.elsa.events(SessionConfirmed)) == 1
    assert not any(transmit.destination == stranger for _, transmit in pair.network.sent)


def test_replaying_every_datagram_from_elsewhere_changes_nothing() -> None:
    pair = SessionPair(make_sites("full-cone", "full-cone"))
    pair.start(early_data=b"hi")
    pair.connect()
    pair.send(pair.elsa, b"more")
    pair.advance(7.0)
    path = pair.annas.path
    stranger = TransportAddress(IPv4Address("203.0.113.99"), 666)
    for _, transmit in list(pair.network.sent):
        for ip in (IPv4Address("203.0.113.7"), IPv4Address("203.0.113.8")):
            pair.network.inject(transmit.data, stranger, TransportAddress(ip, 40000), pair.now)
    pair.advance(7.0)
    assert payloads(pair.anna) == [b"hi", b"more"]
    now = pair.annas.path
    assert path is not None
    assert now is not None
    assert (now.base, now.remote) == (path.base, path.remote)
