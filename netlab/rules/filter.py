"""What a router lets pass, to itself and through itself: the filter table of IPv4 and of IPv6.

A packet that is dropped is never confirmed in connection tracking. One that the router accepts for itself is,
and then owns the very tuple that the inside host needs next. Hence the DROP on the WAN side of INPUT, and
hence the profile without it, which remaps.
"""

from __future__ import annotations

from natcore.nat import EarlyInbound
from netlab.profiles import Boundary, NatProfile
from netlab.rules.scripts import RouterFacts


def closed(facts: RouterFacts) -> list[str]:
    """Nothing passes in either direction, and nothing is confirmed: for while rules change.

    Not even what a host sends to the external address: as a flow that ends at the router it would stay one
    for as long as it goes on, and would never hairpin again.
    """
    return [f"-A NL_IN -i {facts.wan} -j DROP", _to_itself(facts)]


def ipv4_filter(profile: NatProfile, facts: RouterFacts) -> list[str]:
    """The rules of NL_IN and NL_FWD."""
    remaps = profile.behavior.early_inbound is EarlyInbound.REMAPS
    return [
        f"-A NL_IN -i {facts.wan} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        *([] if remaps else [f"-A NL_IN -i {facts.wan} -j DROP"]),
        # What is not turned around by hairpinning ends here, in silence.
        _to_itself(facts),
        *_forward(profile, facts, answers=_ipv4_answers(profile)),
        *_untracked(profile, facts),
    ]


def ipv6_filter(profile: NatProfile, facts: RouterFacts) -> list[str]:
    """The rules of NL_FWD for IPv6: a stateful firewall, whatever the profile does to IPv4.

    What the profile blocks for IPv4 it blocks here too. A packet from outside keeps a flow alive, also where
    the profile's ``inbound_refresh`` says that it does not for a mapping: there are no mappings.
    """
    return _forward(profile, facts, answers="ESTABLISHED,RELATED")


def _to_itself(facts: RouterFacts) -> str:
    return f"-A NL_IN -i {facts.lan} -d {facts.wan_address} -j DROP"


def _ipv4_answers(profile: NatProfile) -> str:
    translates = profile.boundary is Boundary.NAT
    return "ESTABLISHED,RELATED,DNAT" if translates else "ESTABLISHED,RELATED"


def _forward(profile: NatProfile, facts: RouterFacts, *, answers: str) -> list[str]:
    outward = f"-A NL_FWD -i {facts.lan} -o {facts.wan}"
    return [
        *(["-A NL_FWD -p udp -j DROP"] if profile.behavior.udp_blocked else []),
        "-A NL_FWD -m conntrack --ctstate INVALID -j DROP",  # these skip translation and would leak
        f"-A NL_FWD -m conntrack --ctstate {answers} -j ACCEPT",
        *(f"{outward}{match} -j ACCEPT" for match in _let_out(profile)),
        f"-A NL_FWD -i {facts.lan} -o {facts.lan} -j ACCEPT",
    ]


def _let_out(profile: NatProfile) -> list[str]:
    """What may start a flow outward: everything, or TCP to some ports and UDP where it is not blocked."""
    if profile.tcp_ports is None:
        return [""]
    udp = [] if profile.behavior.udp_blocked else [" -p udp"]
    return [*(f" -p tcp --dport {port}" for port in profile.tcp_ports), *udp]


def _untracked(profile: NatProfile, facts: RouterFacts) -> list[str]:
    """Only what :mod:`netlab.rules.stateless` has let in and translated is untracked."""
    if profile.behavior.inbound_refresh or profile.boundary is not Boundary.NAT:
        return []
    return [f"-A NL_FWD -i {facts.wan} -o {facts.lan} -m conntrack --ctstate UNTRACKED -j ACCEPT"]
