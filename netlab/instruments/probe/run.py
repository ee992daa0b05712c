"""The probe's plan, and the JSON object that it prints.

::

    {"udp_blocked": false, "tcp_ports": [80, 443],       what passes at all
     "unasked_arrives": false,                           the control: a socket that never sent anything
     "translated": true, "mapping": "endpoint-independent", "filtering": "address-and-port-dependent",
     "allocation": "sequential, step 1", "ports_seen": [40000, ...],
     "hairpinning": false, "shows_external": true,       whether what hairpins shows its external endpoint
     "early_inbound": "drops",                           null where the mapping depends on the destination
     "flow": {"source": ["192.168.1.10", 50001], "destination": ["192.0.2.1", 3478], "at": 1234.5},
     "idle": [...], "kept": [...], "refresh": [...],     see lifetime.py
     "evidence": {...}}

``flow`` is a flow whose last packet passed at that instant of the monotonic clock: the kernel of a router
says how much longer it will remember it. Where UDP is blocked only the first three are there.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack

from . import behavior, lifetime, tcp
from .asking import GRACE, PORTS, NoAnswer, Scene
from .naming import (
    ENDPOINT_INDEPENDENT,
    INCONSISTENT,
    agreed,
    describe,
    name_allocation,
    name_early_inbound,
    name_mapping,
)

SAMPLES = 16
"""Fresh sockets that show how ports are chosen, beside those of the mapping trials."""

MAX_SAMPLES = 256
"""Sockets stay open, and a process may have 1,024."""

MAX_PACKETS = 100
"""From outside to silent sockets in one measurement."""


def parse(arguments: list[str]) -> Namespace:
    """The command line."""
    parser = ArgumentParser(prog="probe", allow_abbrev=False)
    parser.add_argument("addresses", nargs=2, metavar="ADDRESS")
    parser.add_argument("--source", help="the address to measure from")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="sockets that show how ports are chosen")
    parser.add_argument("--tcp", type=_numbers, default=[PORTS[0]], help="TCP ports of the server to try")
    parser.add_argument("--idle", type=_seconds, default=[], help="seconds to be silent, several at once")
    parser.add_argument(
        "--kept", type=_seconds, default=[], help="AFTER,S,S,...: speak again, then be silent"
    )
    parser.add_argument("--refresh", type=_seconds, default=[], help="INTERVAL,COUNT of packets from outside")
    options = parser.parse_args(arguments)
    if options.samples > MAX_SAMPLES:
        parser.error(f"samples: got {options.samples}, expected at most {MAX_SAMPLES}")
    if len(options.idle) + len(options.kept) + sum(options.refresh[1:]) > MAX_PACKETS:
        parser.error(f"idle times and refreshing packets: expected at most {MAX_PACKETS}")
    return options


def measure(options: Namespace, opened: ExitStack) -> dict[str, object]:
    """Everything, as the JSON object of the module's text; ``opened`` is closed by the caller, at the end.

    Raises:
        NoAnswer: the server cannot be reached by TCP either, or fell silent half-way.
    """
    scene = Scene(options.addresses, opened, source=options.source)
    connections = tcp.open_ports(scene, options.tcp, opened)
    if not connections:
        raise NoAnswer(f"{options.addresses[0]} is silent on TCP ports {options.tcp}")
    connection = next(iter(connections.values()))
    is_blocked = not tcp.udp_passes(scene, connection)
    reachable = {"udp_blocked": is_blocked, "tcp_ports": sorted(connections)}
    if is_blocked:
        return {**reachable, "unasked_arrives": tcp.udp_arrives(scene, connection), "evidence": {}}
    return {**reachable, **_measure_udp(scene, options)}


def _measure_udp(scene: Scene, options: Namespace) -> dict[str, object]:
    trials, is_steady = behavior.mapping_trials(scene)
    samples = behavior.allocation_samples(scene, options.samples)
    mapping = name_mapping(trials) if is_steady else INCONSISTENT
    filtering = [behavior.filtering(scene) for _ in range(behavior.FILTERING_TRIALS)]
    hairpins = behavior.hairpins(scene, is_independent=mapping == ENDPOINT_INDEPENDENT)
    early = _early_inbound(scene) if mapping == ENDPOINT_INDEPENDENT else None
    # The flow before the control, whose guesses might otherwise be its port.
    flow = _flow(scene)
    unasked_arrives = behavior.unasked_arrives(scene)
    time.sleep(GRACE)
    is_turned, shows_external = hairpins()
    verdicts = {
        "filtering": agreed(verdict() for verdict in filtering),
        "hairpinning": is_turned,
        "shows_external": shows_external,
        "unasked_arrives": unasked_arrives(),
    }
    silent = lifetime.measure(scene, options.idle, options.kept, options.refresh)
    return {
        **verdicts,
        "translated": trials[0][1][0][0] != scene.local_address(),
        "mapping": mapping,
        "allocation": name_allocation([*trials, *samples]),
        "ports_seen": scene.ports_seen,
        "early_inbound": early,
        "flow": flow,
        **silent,
        "evidence": {"mapping": [describe(port, seen) for port, seen in trials]},
    }


def _early_inbound(scene: Scene) -> str:
    """From a stranger, and from another port of an address that we know: a carrier's filter may let it in."""
    verdicts = {
        name_early_inbound([behavior.early_inbound(scene, sender) for _ in range(behavior.EARLY_TRIALS)])
        for sender in (scene.stranger, scene.neighbour)
    }
    return max(verdicts, key=["drops", "remaps", "inconsistent"].index)


def _flow(scene: Scene) -> dict[str, object]:
    udp = scene.open_socket()
    scene.ask(udp, scene.server)
    source = (scene.local_address(), behavior.own_port(udp))
    return {"source": source, "destination": scene.server, "at": time.monotonic()}


def _seconds(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(arguments: list[str]) -> None:
    """The program.

    Raises:
        SystemExit: it was called wrongly, or the server is not there.
    """
    options = parse(arguments)
    try:
        with ExitStack() as opened:
            print(json.dumps(measure(options, opened)))
    except NoAnswer as problem:
        sys.exit(f"probe: {problem}")
