"""What the registry counts. The names are fixed, so that no traffic can make this grow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Counters:
    """Totals since the start, all of them events.

    Attributes:
        connections: TCP connections that were opened.
        registrations: successful ``register`` messages.
        introductions: pairs of clients that were introduced.
        refusals: ``connect`` messages that were turned down.
        malformed_lines: lines on TCP that were no message.
        awakes: believed Awake requests.
        retransmissions: believed ones that came again.
        bindings: plain Binding requests, answered as any STUN server would.
        reflections: of these answers, those that went from another endpoint or to another port.
        refused_reflections: those that were beyond the limits.
        link_messages: what the other server said.
        forged_link_messages: what claimed to be of the other server.
        replayed_link_messages: authentic ones that had come before.
        undecodable_datagrams: those that are not STUN, or damaged.
        unexpected_datagrams: STUN, but nothing that this server answers.
        unknown_sessions: Awake requests for a session that does not exist.
        forged_awakes: Awake requests whose MESSAGE-INTEGRITY does not fit the session.
        replayed_awakes: authentic ones that are not newer than the last.
        copies: control messages that came over UDP and were believed.
        discarded_copies: those of no session, forged, old, or of a kind that may not come so.
    """

    connections: int = 0
    registrations: int = 0
    introductions: int = 0
    refusals: int = 0
    malformed_lines: int = 0
    awakes: int = 0
    retransmissions: int = 0
    bindings: int = 0
    reflections: int = 0
    refused_reflections: int = 0
    link_messages: int = 0
    forged_link_messages: int = 0
    replayed_link_messages: int = 0
    undecodable_datagrams: int = 0
    unexpected_datagrams: int = 0
    unknown_sessions: int = 0
    forged_awakes: int = 0
    replayed_awakes: int = 0
    copies: int = 0
    discarded_copies: int = 0
