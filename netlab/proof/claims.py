"""What must be measured behind a router of a profile, property by property, in words.

Left out is only what cannot be observed in principle:

- where UDP is blocked, everything but that, what TCP passes, and the control;
- where nothing stands before a host, what only a router can do: hairpinning, early inbound, a lifetime;
- hairpinning of a firewall, whose outside is its inside: nothing needs to be turned around;
- hairpinning where the mapping depends on the destination and several routers stand in a row: the inner one
  lets in only what was sent to, and nobody can know that endpoint beforehand;
- early inbound where the mapping depends on the destination: there it moves in any case;
- the pool of a sequential NAT: to see its end, all of it would have to be used up;
- what refreshes a lifetime beyond our patience: the kernel counts down in whole seconds, and shows it only of
  flows that it tracks.
"""

from __future__ import annotations

from natcore.nat import MappingBehavior, NatBehavior, PortAllocation
from netlab.profiles import Boundary, NatProfile
from netlab.proof.subject import Subject

MANY_PORTS = 4096
"""Ports; a random NAT without a pool of its own is seen to use ports further apart than this."""

COUNTDOWN = "by the kernel's countdown"

UNASKED = "control: unasked datagram"
"""The control, with punching off: the property that keeps all others honest."""


def yes_or_no(claim: bool) -> str:
    """A truth in the words of a proof."""
    return "yes" if claim else "no"


def name_control(arrives: bool) -> str:
    """What became of a datagram to a host that had never sent anything."""
    return "arrives" if arrives else "stopped"


def name_tcp_ports(ports: tuple[int, ...] | None) -> str:
    """The ports to which TCP may go out."""
    return "all" if ports is None else ", ".join(map(str, sorted(ports))) or "none"


def name_allocation(behavior: NatBehavior) -> str:
    """How external ports are chosen."""
    if behavior.allocation is PortAllocation.SEQUENTIAL:
        return f"sequential, step {behavior.port_step}"
    return str(behavior.allocation.value)


def name_pool(pool: int | None) -> str:
    """From how many ports a random NAT chooses."""
    return f"over {MANY_PORTS:,} ports" if pool is None else f"{pool:,} ports"


def name_lifetime(seconds: float, *, by_silence: bool) -> str:
    """How long an idle mapping lives, and how that is known."""
    return f"{seconds:g} s" if by_silence else f"{seconds:g} s, {COUNTDOWN}"


def is_waited_for(profile: NatProfile, patience: float) -> bool:
    """Whether a lifetime is measured by silence, for somebody who waits for ``patience`` seconds."""
    has_timer = profile.boundary is not Boundary.NONE and not profile.seen.udp_blocked
    return has_timer and profile.seen.mapping_lifetime <= patience


def claims_of(subject: Subject, *, patience: float = 0.0) -> dict[str, str]:
    """What must be measured of a subject, in the order of a table.

    Args:
        subject: what is claimed, of which routers.
        patience: seconds for which a lifetime is waited for; what lives longer is read from the kernels of
            the subject's routers, where it names any.
    """
    profile = subject.profile
    behavior, has_router = profile.seen, profile.boundary is not Boundary.NONE
    claims = {
        UNASKED: name_control(not has_router),
        "udp blocked": yes_or_no(behavior.udp_blocked),
        "tcp ports": name_tcp_ports(profile.tcp_ports),
    }
    if behavior.udp_blocked:
        return claims
    claims |= {
        "translated": yes_or_no(profile.boundary is Boundary.NAT),
        "mapping": behavior.mapping.value,
        "filtering": behavior.filtering.value,
        "allocation": name_allocation(behavior),
    }
    if behavior.allocation is PortAllocation.RANDOM:
        claims["port pool"] = name_pool(behavior.port_pool)
    if has_router:
        claims |= _router_claims(subject, patience)
    return claims


def _router_claims(subject: Subject, patience: float) -> dict[str, str]:
    profile, behavior = subject.profile, subject.profile.seen
    is_independent = behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT
    claims: dict[str, str] = {}
    if profile.boundary is Boundary.NAT and (is_independent or not subject.is_chain):
        claims["hairpinning"] = yes_or_no(behavior.hairpinning)
    if is_independent:
        claims["early inbound"] = behavior.early_inbound.value
    if is_waited_for(profile, patience):
        claims["mapping lifetime"] = name_lifetime(behavior.mapping_lifetime, by_silence=True)
        claims["outbound refresh"] = yes_or_no(True)  # RFC 4787 REQ-6 knows no other
        claims["inbound refresh"] = yes_or_no(behavior.inbound_refresh)
    elif subject.routers:
        claims["mapping lifetime"] = name_lifetime(behavior.mapping_lifetime, by_silence=False)
    return claims
