"""How the probe is to be run for a subject: which ports, how many samples, how long silent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netlab.proof.claims import is_waited_for
from netlab.proof.subject import Subject
from netlab.topology import INSTRUMENT_ADDRESSES, INSTRUMENT_ADDRESSES_IPV6

_TCP_PORTS = (80, 443, 3478, 10080)
"""What every host is tried for: the web, STUN, and the project's own rendezvous server."""

_IDLE = (0.5, 0.8, 1.2)
"""Times silent, in lifetimes: twice alive, once gone. A fifth is what a busy machine may be late."""

_SPEAK_AGAIN, _THEN_IDLE = 0.75, (0.8, 1.2)
"""Half of that, from a second word on: all of it longer than one lifetime."""

_REFRESH_INTERVAL, _REFRESH_COUNT = 0.75, 2
"""Two packets from outside, in lifetimes: the second one arrives only if the first kept the mapping alive."""

_START_AND_TALK = 30.0
"""Seconds for a probe beside its silence; 0.2 s are usual."""


def server_options(subjects: Sequence[Subject]) -> list[str]:
    """The arguments of ``stunserver.py`` in a lab with these subjects."""
    ports = sorted({port for subject in subjects for port in tcp_ports_tried(subject)} | set(_TCP_PORTS))
    addresses = _texts(INSTRUMENT_ADDRESSES)
    if any(subject.is_ipv6 for subject in subjects):
        addresses += _texts(INSTRUMENT_ADDRESSES_IPV6)
    return ["--tcp", _joined(ports), *addresses]


def probe_options(subject: Subject, *, patience: float) -> list[str]:
    """The arguments of the probe."""
    options = ["--tcp", _joined(tcp_ports_tried(subject))]
    if subject.address is not None:
        options += ["--source", str(subject.address)]
    if is_waited_for(subject.profile, patience):
        lifetime = subject.profile.seen.mapping_lifetime
        options += ["--idle", _joined(lifetime * share for share in _IDLE)]
        options += ["--kept", _joined(lifetime * share for share in (_SPEAK_AGAIN, *_THEN_IDLE))]
        options += ["--refresh", _joined((lifetime * _REFRESH_INTERVAL, _REFRESH_COUNT))]
    return [*options, *_texts(INSTRUMENT_ADDRESSES_IPV6 if subject.is_ipv6 else INSTRUMENT_ADDRESSES)]


def probe_timeout(subject: Subject, *, patience: float) -> float:
    """Seconds after which a probe has failed."""
    if not is_waited_for(subject.profile, patience):
        return _START_AND_TALK
    silence = max(_SPEAK_AGAIN + max(_THEN_IDLE), _REFRESH_INTERVAL * _REFRESH_COUNT)
    return _START_AND_TALK + subject.profile.seen.mapping_lifetime * silence


def tcp_ports_tried(subject: Subject) -> tuple[int, ...]:
    """The TCP ports of the server that the probe tries."""
    return tuple(sorted({*_TCP_PORTS, *(subject.profile.tcp_ports or ())}))


def rounds(subjects: Sequence[Subject]) -> list[list[Subject]]:
    """The subjects in groups that can be measured at once: no two of a group share a router or a host.

    Two probes behind one carrier's NAT would see each other's ports in between their own.
    """
    groups: list[list[Subject]] = []
    for subject in subjects:
        nodes = _nodes(subject)
        free = (group for group in groups if not any(nodes & _nodes(other) for other in group))
        group = next(free, None)
        if group is None:
            groups.append([subject])
        else:
            group.append(subject)
    return groups


def _nodes(subject: Subject) -> set[tuple[str, bool]]:
    """What a probe disturbs; the two address families know nothing of each other."""
    return {(node, subject.is_ipv6) for node in (subject.node, subject.host, *subject.routers)}


def _texts(addresses: Iterable[object]) -> list[str]:
    return [str(address) for address in addresses]


def _joined(numbers: Iterable[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
