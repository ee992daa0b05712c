"""The numbers of ICE, each with its unit, source and reason."""

from __future__ import annotations

from dataclasses import dataclass

from natcore.stun import RetransmissionSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class IceConfig:
    """Everything about checks that can be chosen. Times are in seconds.

    Attributes:
        pacing_interval: Ta, between the starts of ordinary checks from one socket (RFC 8445 section 14.2:
            50 ms).
        initial_burst: so many checks from each socket start at once before pacing begins. Deviation from
            RFC 8445 section 14.2: Ta protects NATs from hundreds of new mappings; a handful at once is what
            any browser does, and each Ta saved is more than a round trip. Half of RFC 6928's initial window
            of 10.
        check_schedule: of one check. Deviation from RFC 8445 section 14.3, which starts at 500 ms: the two
            first checks of a pair cross by design and one may die at a NAT that is not yet open, so the
            next follows soon; from 1 s on the spacing stays, since a slow peer is still to be found.
        opener_lead: from the first datagram to a reflexive address, which is to die on the way, to the first
            check that is to arrive (see :mod:`natcore.ice.checker`). By so much the peer may be later than
            the way to it takes. The server tells both at one moment, and its two ways differ by no more than
            that; what is left is how long a busy machine takes to wake a program. Every path costs it.
        nomination_delay: after the first valid pair, how long the controlling side waits for a better one.
        give_up_after: without any valid pair in this time, connectivity has failed (RFC 8863 would wait
            39.5 s; a person at a terminal should not, and in this time every pair has had 14 checks).
        consent_interval: between consent checks, each time x 0.8 to 1.2 (RFC 7675 section 5.1 says 5 s, and
            4 s at least; so a lost path is noticed within 6 s).
        doubt_interval: an unanswered consent check is followed by another after so long, or two round trips.
            Deviation from RFC 7675 section 5.1, whose checks are seconds apart: only where one was missed.
        doubt_checks: so many unanswered in a row put the path into doubt; it is then looked for anew.
        consent_timeout: without a consent response for so long, sending stops (RFC 7675 section 5.1).
        max_pairs: of the check list (RFC 8445 section 6.1.2.5: 100).
        max_peer_reflexive: remote candidates that authentic checks may add; a peer behind a predictable NAT
            checks from 17 sockets, and one that we never look at could be the one that it settles on.
    """

    pacing_interval: float = 0.05
    initial_burst: int = 5
    check_schedule: RetransmissionSchedule = RetransmissionSchedule(  # noqa: RUF009 (it is frozen)
        rto=0.05, max_requests=14, final_wait_factor=16, max_rto=1.0
    )
    opener_lead: float = 0.003
    nomination_delay: float = 0.1
    give_up_after: float = 10.0
    consent_interval: float = 4.0
    doubt_interval: float = 0.2
    doubt_checks: int = 3
    consent_timeout: float = 30.0
    max_pairs: int = 100
    max_peer_reflexive: int = 64
