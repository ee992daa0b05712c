from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address

from netlab.instruments.probe.run import parse
from netlab.profiles import profile
from netlab.proof.plan import probe_options, probe_timeout, rounds, server_options, tcp_ports_tried
from tests.unit.netlab.proof.subjects import subject

IPV6 = replace(subject("port-restricted"), address=IPv6Address("2001:db8:e::10"))


def test_the_probe_understands_what_it_is_told() -> None:
    options = parse(probe_options(subject("short-lifetime"), patience=5))
    assert options.addresses == ["192.0.2.1", "192.0.2.2"]
    assert options.source == "192.168.1.10"
    assert options.idle == [1.5, 2.4, 3.6]
    assert options.kept == [2.25, 2.4, 3.6]
    assert options.refresh == [2.25, 2.0]


def test_without_patience_nothing_is_waited_for() -> None:
    options = parse(probe_options(subject("short-lifetime"), patience=0))
    assert options.idle == options.kept == options.refresh == []


def test_a_probe_has_time_for_what_it_waits_for() -> None:
    assert probe_timeout(subject("port-restricted"), patience=150) > 234
    assert probe_timeout(subject("port-restricted"), patience=5) < 60


def test_ipv6_is_measured_with_the_servers_ipv6_addresses() -> None:
    assert parse(probe_options(IPV6, patience=0)).addresses == ["2001:db8:ffff::1", "2001:db8:ffff::2"]
    assert len(server_options([subject("symmetric")])) == 4
    assert server_options([subject("symmetric"), IPV6])[4:] == ["2001:db8:ffff::1", "2001:db8:ffff::2"]


def test_ports_that_a_profile_names_are_tried_and_served() -> None:
    odd = subject(replace(profile("corporate"), tcp_ports=(22,)))
    assert 22 in tcp_ports_tried(odd)
    assert "22,80,443,3478,10080" in server_options([odd])


def test_subjects_behind_one_router_are_measured_one_after_the_other() -> None:
    one = replace(subject("symmetric", routers=("one", "carrier")), node="one", host="a")
    other = replace(subject("symmetric", routers=("other", "carrier")), node="other", host="b")
    alone = replace(subject("symmetric", routers=("alone",)), node="alone", host="c")
    assert rounds([one, other, alone]) == [[one, alone], [other]]


def test_the_two_families_of_one_host_are_measured_at_once() -> None:
    assert rounds([subject("port-restricted"), IPV6]) == [[subject("port-restricted"), IPV6]]
