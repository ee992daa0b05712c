from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

import pytest

from natcore.nat import NatBehavior
from netlab.errors import BadTopology
from netlab.profiles import profile
from netlab.topology.link import Link
from netlab.topology.values import MAX_INTERFACES, MAX_NODES, Host, Interface, Nat, Topology

HOME = IPv4Network("192.168.1.0/24")
PREFIX = IPv6Network("2001:db8:e::/64")


def leg(nat: str | None, *addresses: str) -> Interface:
    return Interface(nat=nat, addresses=tuple(map(ip_address, addresses)))


def router(
    name: str = "nat",
    wan: str = "203.0.113.7",
    lan: str = "192.168.1.0/24",
    *,
    kind: str = "port-restricted",
    behind: str | None = None,
    lan6: IPv6Network | None = None,
) -> Nat:
    return Nat(
        name=name,
        profile=profile(kind),
        wan_address=IPv4Address(wan),
        lan_network=IPv4Network(lan),
        behind=behind,
        lan6_network=lan6,
    )


def host(name: str = "elsa", nat: str | None = "nat", *addresses: str) -> Host:
    return Host(name=name, interfaces=(leg(nat, *(addresses or ("192.168.1.10",))),))


def public(name: str = "server", *addresses: str) -> Host:
    return host(name, None, *(addresses or ("198.51.100.10",)))


FIREWALL = router(kind="stateful-firewall", wan="192.0.2.7", lan="203.0.113.0/28")

BAD = {
    "node name 'elsa' is used twice": {
        "nats": (router(),),
        "hosts": (host(), host("elsa", "nat", "192.168.1.9")),
    },
    "node name: got 'inet'": {"hosts": (public("inet"),)},
    "node name: got 'Elsa.1'": {"hosts": (public("Elsa.1"),)},
    "node name: got ''": {"hosts": (public(""),)},
    f"nodes: got {MAX_NODES + 1}, expected at most {MAX_NODES}": {
        "hosts": tuple(public(f"h{n}", f"198.18.{n // 250}.{n % 250 + 1}") for n in range(MAX_NODES + 1))
    },
    "addresses of an interface of 'mute': got 0, expected 1 to 64": {
        "hosts": (Host(name="mute", interfaces=(leg(None),)),)
    },
    "addresses of an interface of 'many': got 65, expected 1 to 64": {
        "hosts": (public("many", *(f"198.51.100.{number}" for number in range(100, 165))),)
    },
    "there is no host": {},
    "two different profiles are named 'mine'": {
        "nats": (
            replace(router(), profile=replace(profile("symmetric"), name="mine")),
            replace(router("other", "203.0.113.8"), profile=replace(profile("full-cone"), name="mine")),
        ),
        "hosts": (host(), host("anna", "other")),
    },
    "address of 'nat': got 127.0.0.1, expected one outside 127.0.0.0/8": {
        "nats": (router(wan="127.0.0.1"),),
        "hosts": (host(),),
    },
    "home network of 'nat': got 192.0.0.0/2, expected one outside 224.0.0.0/3": {
        "nats": (router(lan="192.0.0.0/2"),),
        "hosts": (host(),),
    },
    "IPv6 home network of 'nat': got fe80::/64, expected one outside fe80::/10": {
        "nats": (router(lan6=IPv6Network("fe80::/64")),),
        "hosts": (host(),),
    },
    "IPv6 home network of 'nat': got 2001:db8::/127, expected /126 or wider": {
        "nats": (router(lan6=IPv6Network("2001:db8::/127")),),
        "hosts": (host(),),
    },
    r"address of 'server': got '2001:db8::1%x\nnetns add y', expected no zone": {
        "hosts": (public("server", "2001:db8::1%x\nnetns add y"),)
    },
    "192.168.1.0 is not a host's but all of 192.168.1.0/24": {
        "nats": (router(),),
        "hosts": (host("elsa", "nat", "192.168.1.0"),),
    },
    "192.168.1.255 is not a host's but all of 192.168.1.0/24": {
        "nats": (replace(router(), lan_address=HOME[-1]),),
        "hosts": (host(),),
    },
    "public address 192.0.2.1 lies inside the home network of 'nat'": {
        "nats": (router(lan="192.0.2.0/24"),),
        "hosts": (host("elsa", "nat", "192.0.2.10"),),
    },
    "public address 198.51.100.10 is used twice": {"hosts": (public(), public("other"))},
    "public address 192.0.2.1 is used twice": {"hosts": (public("server", "192.0.2.1"),)},
    "public address 2001:db8:ffff::1 is used twice": {"hosts": (public("server", "2001:db8:ffff::1"),)},
    "public address 203.0.113.7 is used twice": {
        "nats": (router(), router("other")),
        "hosts": (host(), host("anna", "other")),
    },
    "public address 192.168.1.77 lies inside the home network of 'nat'": {
        "nats": (router(),),
        "hosts": (host(), public("server", "192.168.1.77")),
    },
    "public address 2001:db8:e::9 lies inside the home network of 'nat'": {
        "nats": (router(lan6=PREFIX),),
        "hosts": (host(), public("server", "2001:db8:e::9")),
    },
    "the public networks of 'nat' and 'other' overlap: 203.0.113.0/28 and 203.0.113.8/29": {
        "nats": (
            FIREWALL,
            replace(
                FIREWALL,
                name="other",
                lan_network=IPv4Network("203.0.113.8/29"),
                wan_address=IPv4Address("192.0.2.8"),
            ),
        ),
        "hosts": (host("elsa", "nat", "203.0.113.2"), host("anna", "other", "203.0.113.10")),
    },
    "host 'elsa' is behind 'moon', which is no NAT": {"hosts": (host("elsa", "moon"),)},
    "'nat' is behind 'moon', which is no NAT": {"nats": (router(behind="moon"),), "hosts": (host(),)},
    "nothing stands behind 'nat'": {"nats": (router(),)},
    "192.168.2.10 lies outside 192.168.1.0/24": {
        "nats": (router(),),
        "hosts": (host("elsa", "nat", "192.168.2.10"),),
    },
    "2001:db8:f::1 lies outside 2001:db8:e::/64": {
        "nats": (router(lan6=PREFIX),),
        "hosts": (host("elsa", "nat", "192.168.1.10", "2001:db8:f::1"),),
    },
    "2001:db8:e::9 lies outside an IPv6 home network of 'nat'": {
        "nats": (router(),),
        "hosts": (host("elsa", "nat", "192.168.1.10", "2001:db8:e::9"),),
    },
    "home address 192.168.1.1 behind 'nat' is used twice": {
        "nats": (router(),),
        "hosts": (host("elsa", "nat", "192.168.1.1"),),
    },
    "home address 2001:db8:e::1 behind 'nat' is used twice": {
        "nats": (router(lan6=PREFIX),),
        "hosts": (host("elsa", "nat", "192.168.1.10", "2001:db8:e::1"),),
    },
    "expected /30 or wider": {
        "nats": (router(lan="192.168.1.0/31"),),
        "hosts": (host("elsa", "nat", "192.168.1.1"),),
    },
    "10.0.0.1 lies outside 192.168.1.0/24": {
        "nats": (replace(router(), lan_address=IPv4Address("10.0.0.1")),),
        "hosts": (host(),),
    },
    "cannot be 'open': put its host on the core": {"nats": (router(kind="open"),), "hosts": (host(),)},
    "cannot be 'cgn-cone', which is two routers": {"nats": (router(kind="cgn-cone"),), "hosts": (host(),)},
    "is behind itself": {
        "nats": (
            router("one", "10.2.0.2", "10.1.0.0/24", behind="two"),
            router("two", "10.1.0.2", "10.2.0.0/24", behind="one"),
        ),
        "hosts": (host("elsa", "one", "10.1.0.9"),),
    },
    "100.64.1.2, the address of 'nat', lies outside 100.64.0.0/24": {
        "nats": (router(wan="100.64.1.2", behind="carrier"), router("carrier", lan="100.64.0.0/24")),
        "hosts": (host(),),
    },
    "the home network of 'nat', 192.168.1.0/24, overlaps that of 'carrier', 192.168.0.0/16": {
        "nats": (router(wan="192.168.9.2", behind="carrier"), router("carrier", lan="192.168.0.0/16")),
        "hosts": (host(),),
    },
    "'nat' is behind 'carrier': expected no IPv6 network behind two routers": {
        "nats": (
            router(wan="100.64.0.2", behind="carrier", lan6=PREFIX),
            router("carrier", lan="100.64.0.0/24"),
        ),
        "hosts": (host(),),
    },
    "host 'elsa' is in two home networks that overlap": {
        "nats": (router(), router("other", "203.0.113.8")),
        "hosts": (Host(name="elsa", interfaces=(leg("nat", "192.168.1.10"), leg("other", "192.168.1.11"))),),
    },
    "round-trip time: got -1 s": {"rtt": -1.0},
    "round-trip time: got 61 s": {"rtt": 61.0},
    "loss: got 1,": {"loss": 1.0},
    "loss: got -0.1,": {"loss": -0.1},
}


@pytest.mark.parametrize("complaint", BAD)
def test_a_contradiction_is_said_when_the_topology_is_made(complaint: str) -> None:
    with pytest.raises(BadTopology) as caught:
        Topology(**BAD[complaint])  # type: ignore[arg-type]  # a table of many kinds of fields
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.0.1", "224.0.0.5", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::ffff:c000:209", "fe80::1", "ff02::1"),
    ],
)
def test_no_host_has_an_address_that_means_something_else(address: str) -> None:
    with pytest.raises(BadTopology, match=f"address of 'server': got {address}, expected one outside"):
        Topology(hosts=(public("server", address),))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"delay": -0.1}, "delay of a link: got -0.1 s"),
        ({"delay": 61.0}, "delay of a link: got 61 s"),
        ({"delay": 0.01, "jitter": 0.02}, "jitter of a link: got 0.02 s, expected 0 to the delay"),
        ({"loss": 1.0}, "loss of a link: got 1,"),
        ({"rate": 10.0}, "rate of a link: got 10 bit/s"),
    ],
)
def test_a_link_that_cannot_be_is_refused(values: dict[str, float], complaint: str) -> None:
    with pytest.raises(BadTopology) as caught:
        Link(**values)
    assert complaint in str(caught.value)


def test_homes_of_different_nats_may_overlap() -> None:
    Topology(
        nats=(router("one"), router("two", "203.0.113.8")),
        hosts=(host("elsa", "one"), host("anna", "two")),
    )


def test_several_hosts_may_stand_behind_one_nat() -> None:
    topology = Topology(nats=(router(),), hosts=(host(), host("anna", "nat", "192.168.1.11")))
    assert [entry.name for entry in topology.hosts_behind(topology.nats[0])] == ["elsa", "anna"]
    assert list(map(str, topology.home_addresses(topology.nats[0]))) == ["192.168.1.10", "192.168.1.11"]


def test_a_router_behind_a_router_is_one_of_its_home_addresses() -> None:
    outer = router("carrier", lan="100.64.0.0/24", kind="symmetric")
    inner = router(wan="100.64.0.2", behind="carrier")
    topology = Topology(nats=(inner, outer), hosts=(host(),))
    (elsa,) = topology.hosts
    assert list(map(str, topology.home_addresses(outer))) == ["100.64.0.2"]
    assert topology.chain("nat") == (inner, outer)
    assert topology.behavior_of(elsa.interfaces[0]) == inner.profile.behavior.behind(outer.profile.behavior)
    assert topology.public_address_of(elsa) == outer.wan_address


def test_a_host_is_seen_at_its_nat_at_itself_behind_a_firewall_and_nowhere_without_ipv4() -> None:
    topology = Topology(
        nats=(replace(router("home"), wan_address=IPv4Address("203.0.113.99")), FIREWALL),
        hosts=(host("elsa", "home"), host("anna", "nat", "203.0.113.2"), public("modern", "2001:db8::9")),
    )
    seen = [topology.public_address_of(entry) for entry in topology.hosts]
    assert list(map(str, seen)) == ["203.0.113.99", "203.0.113.2", "None"]
    assert topology.behavior_of(topology.hosts[2].interfaces[0]) == NatBehavior()


def test_a_host_may_have_a_leg_in_a_home_and_one_in_the_open() -> None:
    both = Host(name="elsa", interfaces=(leg("nat", "192.168.1.10"), leg(None, "203.0.113.9")))
    topology = Topology(nats=(router(),), hosts=(both, public()))
    assert topology.node_names == ("server", "nat", "elsa")
    assert not both.is_public
    assert topology.has_ipv6 is False


@pytest.mark.parametrize("count", [0, MAX_INTERFACES + 1])
def test_a_host_has_an_interface_and_not_too_many(count: int) -> None:
    with pytest.raises(BadTopology) as caught:
        Host(name="elsa", interfaces=(leg(None, "198.51.100.10"),) * count)
    assert str(caught.value) == f"interfaces of 'elsa': got {count}, expected 1 to {MAX_INTERFACES}"
