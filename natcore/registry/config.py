"""Every limit and interval of the registry, in one place, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConfig:
    """What an operator (or a test) may choose. Times are in seconds.

    Attributes:
        registration_timeout: from connecting, or from the last refused attempt, to a successful ``register``.
            A program needs one round trip; ten seconds forgive the worst mobile link.
        line_timeout: from the first to the last byte of one line. A line is one segment or a few, so
            whoever needs longer holds memory on purpose.
        ping_interval: between the server's pings to one client. Three fit into ``silence_timeout``, so two
            may get lost in a stalled connection.
        silence_timeout: a client from which no whole line came for so long is gone. With the detection
            of the shell on top a dead connection is announced within 30 s.
        announcement_interval: after one announcement further changes wait so long and travel together.
            Below what a person notices, and it turns a burst of n joins into a few messages.
        announcement_interval_per_client: the wait is so long at least, times the clients that are registered:
            a write to one is a system call of some microseconds, and whoever moves all the time must not
            keep the server busy with telling the others.
        max_clients: registered at a time. The list of so many takes 600 kB to send, and every change costs
            as many writes; beyond that the population belongs on several servers.
        max_unregistered: connections that have not registered. The oldest gives way to a newcomer: an
            honest client is among them for one round trip only, so a flood hurts the flood.
        line_rate: lines a second of one connection, in the long run, blank ones included: ten times what
            introductions at their own rate take. Without it a hundred connections that ping as fast as they
            can keep everybody else waiting for seconds.
        line_burst: lines of one connection at once: 4 ms of work.
        publication_rate: ``publish`` messages a second of one client, in the long run. Checking 16 candidates
            is the dearest thing that a line can ask for, 0.25 ms, and nobody's interfaces change so often.
        publication_burst: so many at once.
        max_malformed_lines: of one connection. A few may come from a newer version; more is noise.
        introduction_rate: introductions a second that one client may cause, in the long run. Each makes
            somebody else send up to ``MAX_CANDIDATES`` times a dozen checks.
        introduction_burst: introductions that a client may cause at once: a group call.
        reflection_rate: answers a second that one source (IPv6: one /64) may have from another endpoint than
            it wrote to, or to another port, in the long run. A discovery asks for a dozen and retransmits
            some; behind one carrier's NAT there are several at a time.
        reflection_burst: so many at once: twenty discoveries.
        total_reflection_rate: the same, to everybody together; a second's worth at once. At 100 bytes each it
            is 1.6 Mbit/s that forged sources can have us send from where nobody asked.
        max_reflection_sources: that are remembered, some 200 bytes each; the least recent one is forgotten.
    """

    registration_timeout: float = 10.0
    line_timeout: float = 10.0
    ping_interval: float = 10.0
    silence_timeout: float = 25.0
    announcement_interval: float = 0.05
    announcement_interval_per_client: float = 20e-6
    max_clients: int = 10_000
    max_unregistered: int = 512
    line_rate: float = 100.0
    line_burst: int = 512
    publication_rate: float = 5.0
    publication_burst: int = 32
    max_malformed_lines: int = 8
    introduction_rate: float = 10.0
    introduction_burst: int = 20
    reflection_rate: float = 64.0
    reflection_burst: int = 256
    total_reflection_rate: float = 2000.0
    max_reflection_sources: int = 4096
