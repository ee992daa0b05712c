"""Who may be introduced to whom, and what each is told of the other.

A client's ``host`` and ``relay`` candidates are passed on as published. Of server-reflexive ones the server
believes the one that it observed itself, and a claimed one only at the very IP address at which it observes
the client (RFC 8445 section 19.2: a forged reflexive candidate would aim the peer's checks, and later its
data, at a victim). Such a claim is a port that the client's own gateway forwards; a lie aims at the liar's
own NAT.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

import msgspec

from natcore.address import ReflexiveAddress, TransportAddress
from natcore.control.messages import FaultCode, Introduction, Publish, Trickle, WireCandidate
from natcore.errors import DecodeError
from natcore.ice.candidate import CandidateType, priority_of
from natcore.registry.client import Client, Meeting

OBSERVED_FOUNDATION = "observed"
"""Of the server-reflexive candidate: same type, same server, one base, hence one foundation."""

MAX_CLAIMED_REFLEXIVE = 2
"""Ports that a client may claim at its own NAT: one, and its successor while a mapping moves."""

MEETING_LIFETIME = 20.0
"""Seconds for which the two sides of an introduction hear what has changed with the other: longer than a
search for a path takes."""

MAX_MEETINGS = 16
"""Introductions of one client that are remembered, and so the messages that one change of its can cause."""

_BELIEVED_TYPES = frozenset({CandidateType.HOST.value, CandidateType.RELAYED.value})
_CLAIMED_TYPE = CandidateType.SERVER_REFLEXIVE.value
_BROADCAST = IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no introduction, for programs and for people."""

    code: FaultCode
    reason: str


def believed_part(published: Publish) -> Publish:
    """What of a ``publish`` is stored: its candidates, each checked and spelled in one way.

    Those that claim to be server-reflexive are the first few different ones, and are judged when they are
    passed on: where the client is observed may be unknown yet, and may change.

    Raises:
        DecodeError: a candidate's address is nothing that a datagram can be sent to.
    """
    spelled = [
        msgspec.structs.replace(candidate, address=str(_destination(candidate.address)))
        for candidate in published.candidates
    ]
    claims = {one.address: one for one in reversed(spelled) if one.type == _CLAIMED_TYPE}
    claimed = list(reversed(claims.values()))[:MAX_CLAIMED_REFLEXIVE]
    believed = [one for one in spelled if one.type in _BELIEVED_TYPES]
    return msgspec.structs.replace(published, candidates=(*believed, *claimed))


def refusal(asker: Client, target_id: str, target: Client | None, now: float) -> Refusal | None:
    """Why ``asker`` cannot be introduced to ``target`` now; None, and one of its tokens taken, if it can."""
    if target is asker:
        return Refusal(code=FaultCode.SAME_CLIENT, reason=f"{target_id} is you")
    if target is None:
        reason = f"nobody called {target_id[:32]!a} is registered"
        return Refusal(code=FaultCode.UNKNOWN_CLIENT, reason=reason)
    if not asker.is_awake:
        return Refusal(code=FaultCode.YOU_ARE_ASLEEP, reason="you are asleep; wake and publish first")
    if not target.is_awake:
        return Refusal(code=FaultCode.CLIENT_ASLEEP, reason=f"{target_id} is asleep and cannot be reached")
    if not asker.introductions.take(now):
        return Refusal(code=FaultCode.TOO_FAST, reason="too many introductions at once; wait a second")
    return None


def introduction_of(
    client: Client, *, session: str, controlling: bool, renews: str | None = None, now: float = 0.0
) -> Introduction:
    """What the other side is told of a reachable ``client``.

    Args:
        client: whom it is about.
        session: the name of this introduction, the same for both sides.
        controlling: the role of the *receiver*.
        renews: the session that the asker wants to go on by another path.
        now: seconds; what the client measured of its NAT is so much older than when it said so.
    """
    assert client.published is not None
    seen = trickle_of(client, session=session, now=now)
    return Introduction(
        session=session,
        peer=client.id,
        controlling=controlling,
        ufrag=client.published.ufrag,
        pwd=client.published.pwd,
        candidates=seen.candidates,
        observed=seen.observed,
        nat=seen.nat,
        renews=renews,
    )


def trickle_of(client: Client, *, session: str, now: float) -> Trickle:
    """What the other side of introduction ``session`` is told of a reachable ``client`` as it is now."""
    assert client.published is not None
    assert client.reflexive_address is not None
    published, observed = client.published, client.reflexive_address
    passed_on = tuple(one for one in published.candidates if _may_be_passed_on(one, observed))
    return Trickle(
        session=session,
        candidates=(*passed_on, *_observed(observed, passed_on)),
        observed=str(observed) if is_proven(client) else None,
        nat=None if published.nat is None else published.nat.aged(max(0.0, now - client.published_at)),
    )


def is_proven(client: Client) -> bool:
    """Whether the client has repeated what was sent to where it is: else the source may have been forged."""
    last = client.observation
    return last is not None and last.is_proven and last.source == client.reflexive_address


def note_meeting(name: str, one: Client, other: Client, now: float) -> None:
    """Remembers an introduction at both sides, and forgets older ones for it."""
    for mine, peer in ((one, other), (other, one)):
        mine.meetings[name] = Meeting(peer=peer, since=now)
        while len(mine.meetings) > MAX_MEETINGS:
            del mine.meetings[next(iter(mine.meetings))]


def recent_meetings(client: Client, now: float) -> list[tuple[str, Client]]:
    """The introductions whose other side may still look for a path to ``client``, by name."""
    client.meetings = {
        name: one for name, one in client.meetings.items() if now - one.since <= MEETING_LIFETIME
    }
    return [(name, one.peer) for name, one in client.meetings.items()]


def _may_be_passed_on(candidate: WireCandidate, observed: ReflexiveAddress) -> bool:
    if candidate.type != _CLAIMED_TYPE:
        return True
    return TransportAddress.parse(candidate.address).ip == observed.ip


def _observed(
    reflexive_address: ReflexiveAddress, published: tuple[WireCandidate, ...]
) -> tuple[WireCandidate, ...]:
    address = str(reflexive_address)
    if any(candidate.address == address for candidate in published):
        return ()  # no NAT, or mapped just there: it would be redundant (RFC 8445 section 5.1.3)
    return (
        WireCandidate(
            type=CandidateType.SERVER_REFLEXIVE.value,
            address=address,
            priority=priority_of(CandidateType.SERVER_REFLEXIVE),
            foundation=OBSERVED_FOUNDATION,
        ),
    )


def _destination(text: str) -> TransportAddress:
    address = TransportAddress.parse(text)
    ip = address.ip
    if address.port == 0 or ip.is_unspecified or ip.is_multicast or ip == _BROADCAST:
        raise DecodeError("candidate", got=str(address), expected="a unicast address with a port")
    return address
