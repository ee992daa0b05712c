"""Background traffic: another device in a home, which keeps opening new UDP mappings.

A stand-alone program of the standard library alone, run inside a router's network::

    python3 traffic.py --from 192.168.1.1 --to 192.0.2.1 --rate 100 --poisson --seed 7

Each new mapping is one datagram from a port that was not used before to a port that was not used before,
sent from the router's own address in the home network. It passes the same source translation on its way out
as what a host sends. The socket is closed at once: the mapping lives on in the router, and dies of age.

What is always true: there are never more than 1,000 a second, and what is late is made up for within that
bound, so that after ``t`` seconds there are ``rate * t`` mappings. Ports repeat after 64,512 mappings, over a
minute at full speed; each port then meets another destination.

It prints ``READY`` when it can send, and ``SENT COUNT`` when it is told to end.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import sys
import time
from collections.abc import Iterator

MAX_RATE = 1000.0
"""New mappings a second; a router of the lab remembers 262,144, which is two minutes of this."""

MAX_LATENESS = 0.01
"""Seconds that a timer may be late before datagrams that waited for it are spread out again."""

FIRST_PORT, LAST_PORT = 1024, 65535
"""The ports that devices send from, and that we send to."""

DESTINATION_STEP = 7919
"""Destinations walk through their ports in other steps than sources: a prime that does not divide 64,512."""

PAYLOAD = b"background"


def gaps(rate: float, randomness: random.Random | None) -> Iterator[float]:
    """Seconds from one mapping to the next: all the same, or with randomness a Poisson process."""
    while True:
        yield 1 / rate if randomness is None else randomness.expovariate(rate)


def ports(randomness: random.Random) -> Iterator[tuple[int, int]]:
    """A source and a destination port for each mapping; no source port returns before all were there."""
    count = LAST_PORT - FIRST_PORT + 1
    sources = list(range(FIRST_PORT, LAST_PORT + 1))
    randomness.shuffle(sources)
    number = randomness.randrange(count)
    while True:
        for source in sources:
            number += DESTINATION_STEP
            yield source, FIRST_PORT + number % count
        number += 1  # or a port would meet the same destination in every round


class Pace:
    """When the next datagram is to be sent. Pure: time comes in."""

    def __init__(self, gaps: Iterator[float], now: float) -> None:
        self._gaps = gaps
        self._due = now
        self._last = now - 1 / MAX_RATE

    def next_at(self, now: float) -> float:
        """When to send the next one, which may be past; called when the one before has been sent."""
        self._due += next(self._gaps)
        self._last = max(self._due, max(self._last, now - MAX_LATENESS) + 1 / MAX_RATE)
        return self._last


def open_mapping(source: tuple[str, int], destination: tuple[str, int]) -> bool:
    """Sends one datagram; returns whether it could."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            sender.bind(source)
            sender.sendto(PAYLOAD, destination)
        except OSError:  # a program of the router has the port, or its cable is cut
            return False
    return True


def run(source: str, destination: str, pace: Pace, pairs: Iterator[tuple[int, int]]) -> None:
    """Opens mappings until SIGTERM."""
    sent = 0

    def end(*_: object) -> None:
        print(f"SENT {sent}", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    print("READY", flush=True)
    for own, far in pairs:
        now = time.monotonic()
        time.sleep(max(0.0, pace.next_at(now) - now))
        sent += open_mapping((source, own), (destination, far))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="keep opening new UDP mappings in a NAT")
    parser.add_argument(
        "--from", dest="source", required=True, help="the router's address in the home network"
    )
    parser.add_argument("--to", default="192.0.2.1", help="whom to send to; the lab's core by default")
    parser.add_argument("--rate", type=float, required=True, help=f"mappings a second, at most {MAX_RATE:g}")
    parser.add_argument("--poisson", action="store_true", help="at random times instead of evenly")
    parser.add_argument("--seed", type=int, help="makes ports and times the same again")
    arguments = parser.parse_args()
    if not 0 < arguments.rate <= MAX_RATE:
        sys.exit(f"traffic: got rate {arguments.rate:g}, expected more than 0 and at most {MAX_RATE:g}")
    try:
        socket.create_server((arguments.source, 0)).close()
    except OSError as problem:
        sys.exit(f"traffic: {arguments.source}: {problem}")
    randomness = random.Random(arguments.seed)
    pace = Pace(gaps(arguments.rate, randomness if arguments.poisson else None), time.monotonic())
    run(arguments.source, arguments.to, pace, ports(randomness))


if __name__ == "__main__":
    main()
