from __future__ import annotations

import json

import pytest

from netlab.proof.countdown import judge, parse_conntrack, parse_ipset, parse_nft

CONNTRACK = """\
udp      17 119 src=192.168.1.10 dst=192.0.2.1 sport=54366 dport=3479 src=192.0.2.1 dst=203.0.113.2 \
sport=3479 dport=38850 mark=0 use=1
udp      17 2 src=192.168.1.10 dst=192.0.2.1 sport=50815 dport=3478 [UNREPLIED] src=192.0.2.1 \
dst=203.0.113.3 sport=3478 dport=50815 mark=0 use=1
udp      17 29 src=2001:db8:e::10 dst=2001:db8:ffff::1 sport=50815 dport=3478 src=2001:db8:ffff::1 \
dst=2001:db8:e::10 sport=3478 dport=50815 [ASSURED] mark=0 use=1
tcp      6 431999 ESTABLISHED src=192.168.1.10 dst=192.0.2.1 sport=1 dport=80 src=192.0.2.1 \
dst=203.0.113.2 sport=80 dport=1 [ASSURED] mark=0 use=1
icmp     1 29 src=192.168.1.10 dst=192.0.2.1 type=8 code=0 id=1 src=192.0.2.1 dst=203.0.113.2 type=0 \
code=0 id=1 mark=0 use=1
"""

IPSET = """\
Name: nl-udp-192.168.1.10
Type: bitmap:port
Revision: 3
Header: range 1-65535 timeout 120
Size in memory: 524432
References: 2
Number of entries: 2
Members:
33047 timeout 119
33177 timeout 118

Name: nl-udp-192.168.1.11
Type: hash:ip,port
Members:
192.0.2.1,udp:40001 timeout 117
"""

NFT = json.loads("""{"nftables": [{"set": {"family": "ip", "name": "used", "table": "netlab", "elem": [
    {"elem": {"val": {"concat": ["udp", 38850]}, "expires": 119}},
    {"elem": {"val": {"concat": ["tcp", 6645]}, "expires": 118}}]}},
  {"map": {"family": "ip", "name": "mapping", "table": "netlab", "elem": [
    [{"elem": {"val": {"concat": ["udp", "192.168.1.10", 51924]}, "expires": 117}}, 16128]]}},
  {"map": {"family": "ip", "name": "__map0", "table": "netlab", "elem": [[0, 26510], [1, 26511]]}}]}""")


def test_udp_flows_are_read_from_connection_tracking() -> None:
    answered, unanswered, ipv6 = parse_conntrack(CONNTRACK)
    assert answered.seconds == 119
    assert answered.source == ("192.168.1.10", 54366)
    assert answered.destination == ("192.0.2.1", 3479)
    assert answered.outside == ("203.0.113.2", 38850)
    assert unanswered.outside == ("203.0.113.3", 50815)
    assert ipv6.source == ipv6.outside == ("2001:db8:e::10", 50815)


def test_ports_are_read_from_ipsets() -> None:
    assert parse_ipset(IPSET) == [(33047, 119), (33177, 118), (40001, 117)]


def test_elements_that_end_are_read_from_nft() -> None:
    assert parse_nft(NFT) == [
        (["udp", 38850], 119),
        (["tcp", 6645], 118),
        (["udp", "192.168.1.10", 51924, 16128], 117),
    ]


@pytest.mark.parametrize(
    ("routers", "elapsed", "expected"),
    [
        ([[119, 120]], 0.2, "120 s, by the kernel's countdown"),
        ([[115]], 4.5, "120 s, by the kernel's countdown"),
        ([[115]], 0.2, "115 s, by the kernel's countdown"),
        ([[122]], 0.2, "122 s, by the kernel's countdown"),
        ([[119], [299]], 0.2, "120 s, by the kernel's countdown"),
        ([[119], [29]], 0.2, "29 s, by the kernel's countdown"),
        ([[4, 119]], 0.2, "4 to 119 s, by the kernel's countdown"),
        ([[119], []], 0.2, "not measured"),
        ([], 0.2, "not measured"),
    ],
)
def test_a_mapping_lives_as_long_as_its_shortest_router_whose_timers_agree(
    routers: list[list[int]], elapsed: float, expected: str
) -> None:
    assert judge(routers, claimed=120, elapsed=elapsed) == expected
