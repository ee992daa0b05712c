"""What the probe's numbers and words mean, in the words of the claims. Pure.

Where a number only bounds a property, the claim is needed to judge it: 40 ports that lie within 250 of each
other are what a pool of 256 looks like, and not what one of 512 or of 64 does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from netlab.profiles import NatProfile
from netlab.proof.claims import (
    MANY_PORTS,
    UNASKED,
    name_control,
    name_lifetime,
    name_pool,
    name_tcp_ports,
    yes_or_no,
)

NOT_MEASURED = "not measured"

Measurement = Mapping[str, Any]
"""The JSON object that the probe printed."""


def findings_of(
    measurement: Measurement, profile: NatProfile, *, tcp_ports: tuple[int, ...], by_silence: bool
) -> dict[str, str]:
    """Every property that a measurement shows, in the words of :func:`netlab.proof.claims.claims_of`.

    Args:
        measurement: what the probe printed.
        profile: what was claimed, for those properties that numbers only bound.
        tcp_ports: the ports that were tried.
        by_silence: whether the probe has waited for the mapping's lifetime.
    """
    found = {name: word for name, read in _READERS.items() if (word := read(measurement)) is not None}
    if "tcp_ports" in measurement:
        found["tcp ports"] = _tcp_ports(measurement["tcp_ports"], tried=tcp_ports)
    if ports := measurement.get("ports_seen"):
        found["port pool"] = judge_pool(ports, profile.seen.port_pool)
    if by_silence:
        claimed, kept = profile.seen.mapping_lifetime, measurement.get("kept", [])
        outlasted = [trial for trial in kept if trial["at_least"] > claimed]
        found["mapping lifetime"] = judge_idle([*measurement.get("idle", []), *outlasted], claimed)
        found["outbound refresh"] = name_kept(kept, claimed)
        found["inbound refresh"] = name_refresh(measurement.get("refresh", []))
    return found


def _word(name: str) -> Callable[[Measurement], str | None]:
    return lambda measurement: measurement.get(name)


def _truth(name: str) -> Callable[[Measurement], str | None]:
    return lambda measurement: yes_or_no(measurement[name]) if name in measurement else None


def _control(measurement: Measurement) -> str | None:
    arrives = measurement.get("unasked_arrives")
    return None if arrives is None else name_control(arrives)


def _hairpinning(measurement: Measurement) -> str | None:
    if "hairpinning" not in measurement:
        return None
    if measurement["hairpinning"] and not measurement.get("shows_external", True):
        return "from another endpoint"
    return yes_or_no(measurement["hairpinning"])


_READERS: Mapping[str, Callable[[Measurement], str | None]] = {
    UNASKED: _control,
    "udp blocked": _truth("udp_blocked"),
    "translated": _truth("translated"),
    "mapping": _word("mapping"),
    "filtering": _word("filtering"),
    "allocation": _word("allocation"),
    "hairpinning": _hairpinning,
    "early inbound": _word("early_inbound"),
}
"""How each property that needs no judgement is read."""


def _tcp_ports(passed: list[int], *, tried: tuple[int, ...]) -> str:
    return name_tcp_ports(None if set(passed) == set(tried) else tuple(passed))


def judge_pool(ports: list[int], claimed: int | None) -> str:
    """From how many ports a random NAT seems to choose: as many as claimed, or what was seen instead.

    With 30 ports or more, they span over half of the pool but for one chance in a hundred million.
    """
    span = max(ports) - min(ports) + 1
    fits = span > MANY_PORTS if claimed is None else claimed / 2 < span <= claimed
    return name_pool(claimed) if fits else f"{len(set(ports))} ports within {span:,}"


def judge_idle(trials: list[dict[str, Any]], claimed: float) -> str:
    """How long a mapping lives, from trials that were silent for a shorter and for a longer time.

    A trial of which nobody knows on which side of the claim it was, because the machine was busy, says
    nothing.
    """
    shorter = [trial for trial in trials if trial["at_most"] < claimed]
    longer = [trial for trial in trials if trial["at_least"] > claimed]
    dead = [trial["at_most"] for trial in shorter if not _is_alive(trial)]
    alive = [trial["at_least"] for trial in longer if _is_alive(trial)]
    if dead:
        return f"under {min(dead):.1f} s"
    if alive:
        return f"over {max(alive):.1f} s"
    if not shorter or not longer:
        return NOT_MEASURED
    return name_lifetime(claimed, by_silence=True)


def _is_alive(trial: dict[str, Any]) -> bool:
    """Alive is what lets packets in. A dead one's port may be given again, to the same host as well."""
    return bool(trial["reached"])


def name_kept(trials: list[dict[str, Any]], claimed: float) -> str:
    """Whether a second word keeps a mapping alive, from trials that then were silent for most of a life."""
    shorter = [trial for trial in trials if trial["at_most"] < claimed]
    return yes_or_no(all(map(_is_alive, shorter))) if shorter else NOT_MEASURED


def name_refresh(trials: list[dict[str, Any]]) -> str:
    """Whether packets from outside keep a mapping alive, from trials whose second one came after its time."""
    if not trials:
        return NOT_MEASURED
    kept = {trial["heard"] == trial["sent"] for trial in trials}
    if len(kept) > 1 or any(trial["heard"] == 0 for trial in trials):
        return "inconsistent"
    return yes_or_no(kept.pop())
