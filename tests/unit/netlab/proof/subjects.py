"""What the tests of proofs measure."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from natcore.nat import NatBehavior
from netlab.profiles import NatProfile, profile
from netlab.proof import Subject

ADDRESS = IPv4Address("192.168.1.10")


def subject(claimed: NatProfile | str, *, routers: tuple[str, ...] = ("nat-elsa",)) -> Subject:
    """Elsa behind a NAT that claims to be this."""
    entry = profile(claimed) if isinstance(claimed, str) else claimed
    return Subject(node="nat-elsa", profile=entry, host="elsa", routers=routers, address=ADDRESS)


def changed(name: str, **changes: Any) -> NatProfile:
    """A profile whose behaviour differs in some properties."""
    entry = profile(name)
    behavior: NatBehavior = replace(entry.behavior, **changes)
    return replace(entry, behavior=behavior)


PORT_RESTRICTED: dict[str, Any] = {
    "udp_blocked": False,
    "tcp_ports": [80, 443, 3478, 10080],
    "unasked_arrives": False,
    "translated": True,
    "mapping": "endpoint-independent",
    "filtering": "address-and-port-dependent",
    "allocation": "preserving",
    "ports_seen": [40001, 50001],
    "hairpinning": False,
    "early_inbound": "drops",
    "evidence": {"mapping": ["1 -> 2"]},
}
"""What the probe prints behind a port-restricted NAT."""
