"""How much longer the kernels of the routers will remember a flow: a lifetime that needs no waiting.

Right after a packet of the flow has passed, each timer that keeps it stands at the whole lifetime: the entry
in connection tracking, and the elements of ipsets and of nft's maps that hold its ports. So does the setting
for what the entry would get once the flow has gone on for 2 s, when Linux takes it for a stream. Where one of
them says another time than was claimed, the mapping does not live as long as it was claimed to.

Through a row of routers the flow is followed from the inside out: each router's entry says as whom it goes
on.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netlab.backend import namespace_of
from netlab.proof.claims import COUNTDOWN, name_lifetime
from netlab.proof.findings import NOT_MEASURED
from netlab.tools import run_tool_in

ROUNDING = 1.0
"""Seconds that a timer in whole seconds may be off."""

_STREAM = "net.netfilter.nf_conntrack_udp_timeout_stream"

_FIELD = re.compile(r"(src|dst|sport|dport)=(\S+)")
_ENTRY = re.compile(r"udp\s+17\s+(\d+)\s")
_IPSET_PORT = re.compile(r"(?:^|[ ,:])(\d+) timeout (\d+)$")

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedFlow:
    """A line of ``conntrack -L``.

    Attributes:
        seconds: that it will be remembered for if nothing comes.
        source: who started it.
        destination: to whom.
        outside: as whom it goes on, which is where its answers go to.
    """

    seconds: int
    source: Endpoint
    destination: Endpoint
    outside: Endpoint


def parse_conntrack(text: str) -> list[TrackedFlow]:
    """The UDP flows of what ``conntrack -L`` printed."""
    flows = []
    for line in text.splitlines():
        entry, fields = _ENTRY.match(line), _FIELD.findall(line)
        if entry is None or len(fields) != 8:
            continue
        values = [value for _, value in fields]  # src dst sport dport, twice: as it came, and as answers come
        flows.append(
            TrackedFlow(
                seconds=int(entry[1]),
                source=(values[0], int(values[2])),
                destination=(values[1], int(values[3])),
                outside=(values[5], int(values[7])),
            )
        )
    return flows


def parse_ipset(text: str) -> list[tuple[int, int]]:
    """The ports that ``ipset list`` shows, each with the seconds for which it stays."""
    found = (_IPSET_PORT.search(line) for line in text.splitlines())
    return [(int(match[1]), int(match[2])) for match in found if match is not None]


def parse_nft(document: dict[str, Any]) -> list[tuple[list[object], int]]:
    """The elements that ``nft -j list ruleset`` shows, each with the seconds for which it stays."""
    return list(_nft_elements(document))


def _nft_elements(value: object) -> Iterator[tuple[list[object], int]]:
    match value:
        case {"elem": {"val": inside, "expires": int(seconds)}}:
            yield list(_leaves(inside)), seconds
        case [{"elem": {"val": key, "expires": int(seconds)}}, int() | str() as target]:  # of a map
            yield [*_leaves(key), *_leaves(target)], seconds
        case dict():
            for part in value.values():
                yield from _nft_elements(part)
        case list():
            for part in value:
                yield from _nft_elements(part)


def _leaves(value: object) -> Iterator[object]:
    match value:
        case dict():
            for part in value.values():
                yield from _leaves(part)
        case list():
            for part in value:
                yield from _leaves(part)
        case _:
            yield value


def judge(routers: Sequence[Sequence[int]], *, claimed: float, elapsed: float) -> str:
    """The lifetime in words: as claimed, or what the timers say.

    A mapping through several routers lives as long as in the one that forgets first. The timers of one router
    must agree: while one of them runs, something of the mapping is left.

    Args:
        routers: for each router the seconds that are left, of everything that keeps the mapping.
        claimed: seconds of a whole lifetime.
        elapsed: seconds since a packet passed.
    """
    if not routers or not all(routers):
        return NOT_MEASURED
    for timers in routers:
        if max(timers) - min(timers) > elapsed + ROUNDING:
            return f"{min(timers)} to {max(timers)} s, {COUNTDOWN}"
    left = min(map(min, routers))
    if left - ROUNDING <= claimed <= left + elapsed + ROUNDING:
        return name_lifetime(claimed, by_silence=False)
    return name_lifetime(left, by_silence=False)


def read_countdown(
    lab: str, routers: Sequence[str], flow: dict[str, Any], *, claimed: float, is_ipv6: bool
) -> str | None:
    """The lifetime of a flow that the probe left behind, in words; None if we have come too late to see it.

    Args:
        lab: the name of the lab.
        routers: from the inside out.
        flow: ``source``, ``destination``, and ``at``, the instant of the monotonic clock of its last packet.
        claimed: seconds.
        is_ipv6: which connection tracking table to read.

    Raises:
        ToolFailed: a router cannot be read.
    """
    source, destination = _endpoint(flow["source"]), _endpoint(flow["destination"])
    timers: list[list[int]] = []
    for router in routers:
        namespace = namespace_of(lab, router)
        tracked = _find(namespace, source, destination, is_ipv6=is_ipv6)
        if tracked is None:
            is_late = time.monotonic() - flow["at"] >= claimed - ROUNDING
            return None if is_late else NOT_MEASURED
        timers.append([tracked.seconds, *_other_timers(namespace, source, tracked.outside)])
        source = tracked.outside
    return judge(timers, claimed=claimed, elapsed=time.monotonic() - flow["at"])


def _endpoint(pair: Sequence[Any]) -> Endpoint:
    return str(pair[0]), int(pair[1])


def _find(namespace: str, source: Endpoint, destination: Endpoint, *, is_ipv6: bool) -> TrackedFlow | None:
    family = "ipv6" if is_ipv6 else "ipv4"
    flows = parse_conntrack(run_tool_in(namespace, ["conntrack", "-L", "-p", "udp", "-f", family]))
    return next((one for one in flows if one.source == source and one.destination == destination), None)


def _is_about(leaves: list[object], *ports: int) -> bool:
    return "tcp" not in leaves and any(port in leaves for port in ports)


def _other_timers(namespace: str, inside: Endpoint, outside: Endpoint) -> list[int]:
    """What ipsets and nft's maps say of a flow's ports, and what it would have as a stream."""
    sets = parse_ipset(run_tool_in(namespace, ["ipset", "list"]))
    elements = parse_nft(json.loads(run_tool_in(namespace, ["nft", "-j", "list", "ruleset"])))
    return [
        int(run_tool_in(namespace, ["sysctl", "--values", _STREAM])),
        *(seconds for port, seconds in sets if port == outside[1]),
        *(seconds for leaves, seconds in elements if _is_about(leaves, inside[1], outside[1])),
    ]
