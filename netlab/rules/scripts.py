"""What the rules are written for, and what they are handed over as."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

IPTABLES = ("iptables-restore", "--noflush")
IP6TABLES = ("ip6tables-restore", "--noflush")
IPSET = ("ipset", "restore")
NFT = ("nft", "-f", "-")
CONNTRACK_FLUSH = ("conntrack", "-F")

PROTOCOLS = ("udp", "tcp")
"""What has ports; everything else (ICMP) keeps what it has and only changes its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleScript:
    """A text and the tool that reads it on stdin."""

    tool: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterFacts:
    """Where a router stands.

    Attributes:
        wan: the interface towards the core.
        wan_address: its address.
        lan: the interface towards the home network.
        lan_network: the home network.
        hosts: the addresses in it of the hosts, and of the nested routers.
        has_ipv6: whether IPv6 is routed as well.
    """

    wan: str
    wan_address: IPv4Address
    lan: str
    lan_network: IPv4Network
    hosts: tuple[IPv4Address, ...]
    has_ipv6: bool = False


def text_of(lines: Iterable[str]) -> str:
    """The lines as a text that ends with a line's end; empty if there are none."""
    return "".join(f"{line}\n" for line in lines)
