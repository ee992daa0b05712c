"""Which pairs of profiles meet, and why, in words."""

from __future__ import annotations

from natcore.nat import (
    EarlyInbound,
    FilteringBehavior,
    MappingBehavior,
    NatBehavior,
    Outcome,
    expected_outcome,
)
from netlab.profiles import PROFILES, NatProfile
from tests.unit.docs.page import link_to, section, table

OUTCOMES = {Outcome.DIRECT: "direct", Outcome.IMPOSSIBLE: "no path", Outcome.TIMING: "depends on timing"}
SIGNS = {Outcome.DIRECT: "●", Outcome.IMPOSSIBLE: "–", Outcome.TIMING: "◐"}


def fate_section(profile: NatProfile) -> str:
    """A profile against each of the named ones."""
    rows = (
        (link_to(other.name), OUTCOMES[expected_outcome(profile.seen, other.seen)], reason(profile, other))
        for other in PROFILES.values()
    )
    return section(
        "Fate",
        "With plain connectivity checks, without prediction and without a relay; *here* is behind"
        f" `{profile.name}`, *there* behind the other one:",
        table(["other side", "outcome", "because"], rows),
    )


def fate_matrix() -> str:
    """Every pair of named profiles, with a number for each column."""
    numbers = {name: str(number) for number, name in enumerate(PROFILES, start=1)}
    rows = (
        [
            f"{numbers[one.name]}&nbsp;{link_to(one.name)}",
            *(SIGNS[expected_outcome(one.seen, other.seen)] for other in PROFILES.values()),
        ]
        for one in PROFILES.values()
    )
    return table(["", *numbers.values()], rows, align=":-:")


def reason(here: NatProfile, there: NatProfile) -> str:
    """Why a pair comes to what it comes to, in one line."""
    a, b = here.seen, there.seen
    match expected_outcome(a, b):
        case Outcome.DIRECT:
            return _why_direct(a, b)
        case Outcome.TIMING:
            remaps = (one.early_inbound is EarlyInbound.REMAPS for one in (a, b))
            return f"a packet that comes early moves the mapping {_where(*remaps)}"
        case Outcome.IMPOSSIBLE:
            return _why_not(a, b)


def _why_direct(a: NatBehavior, b: NatBehavior) -> str:
    open_ends = [one.filtering is FilteringBehavior.ENDPOINT_INDEPENDENT for one in (a, b)]
    if any(open_ends):
        return f"everybody is let in {_where(*open_ends)}"
    by_address = [one.filtering is FilteringBehavior.ADDRESS_DEPENDENT and _is_one(one) for one in (a, b)]
    if any(by_address):
        return f"any port of a known address is let in {_where(*by_address)}"
    return "both keep the endpoint that the server has seen"


def _why_not(a: NatBehavior, b: NatBehavior) -> str:
    blocked = [one.udp_blocked for one in (a, b)]
    if any(blocked):
        return "no UDP passes on either side" if all(blocked) else f"no UDP passes {_where(*blocked)}"
    if not _is_one(a) and not _is_one(b):
        return "neither side knows the port that the other sends from"
    unknown, strict = ("there", "here") if _is_one(a) else ("here", "there")
    return f"packets from {unknown} come from a new port, unknown {strict}"


def _is_one(side: NatBehavior) -> bool:
    return side.mapping is MappingBehavior.ENDPOINT_INDEPENDENT


def _where(here: bool, there: bool) -> str:
    if here and there:
        return "on both sides"
    return "here" if here else "there"
