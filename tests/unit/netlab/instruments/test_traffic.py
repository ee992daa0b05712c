from __future__ import annotations

import random
import struct
from ipaddress import IPv4Address
from itertools import islice, repeat

import pytest

from netlab.instruments.traffic import FIRST_PORT, LAST_PORT, PAYLOAD, Pace, checksum, datagram, gaps, ports

COUNT = LAST_PORT - FIRST_PORT + 1


def test_even_traffic_is_even() -> None:
    assert list(islice(gaps(50.0, None), 3)) == [0.02, 0.02, 0.02]


def test_poisson_traffic_has_the_rate_on_average_and_its_own_spread() -> None:
    drawn = list(islice(gaps(50.0, random.Random(1)), 10_000))
    mean = sum(drawn) / len(drawn)
    assert mean == pytest.approx(0.02, rel=0.06)  # six standard errors
    assert sum((gap - mean) ** 2 for gap in drawn) / len(drawn) == pytest.approx(0.02**2, rel=0.2)


def test_no_source_port_returns_before_all_were_there() -> None:
    sources = [source for source, _ in islice(ports(random.Random(1)), COUNT)]
    assert sorted(sources) == list(range(FIRST_PORT, LAST_PORT + 1))


def test_every_mapping_has_another_destination_port_than_the_one_before() -> None:
    destinations = [far for _, far in islice(ports(random.Random(1)), COUNT)]
    assert sorted(destinations) == list(range(FIRST_PORT, LAST_PORT + 1))


def test_in_the_second_round_a_port_meets_another_destination() -> None:
    pairs = list(islice(ports(random.Random(1)), 2 * COUNT))
    assert len(set(pairs)) == 2 * COUNT


def test_the_same_seed_gives_the_same_ports() -> None:
    assert list(islice(ports(random.Random(7)), 100)) == list(islice(ports(random.Random(7)), 100))


def test_a_datagram_is_sent_when_it_is_due() -> None:
    pace = Pace(repeat(0.1), now=0.0)
    assert pace.next_at(0.0) == pytest.approx(0.1)
    assert pace.next_at(0.13) == pytest.approx(0.2)  # late once, and on time again


def test_what_is_late_is_made_up_for_at_a_thousand_a_second() -> None:
    pace = Pace(repeat(0.1), now=0.0)
    pace.next_at(0.0)
    now, sent = 1.0, 0
    while (at := pace.next_at(now)) < 1.05:
        now = max(now, at)
        sent += 1
    assert now == pytest.approx(1.0, abs=0.01)
    assert sent == 9  # those due at 0.2 to 1.0 s


@pytest.mark.parametrize("stall", [0.0, 0.5, 30.0])
def test_there_are_never_more_than_a_thousand_in_any_second_but_for_a_late_timer(stall: float) -> None:
    pace = Pace(repeat(1e-9), now=0.0)
    now = stall
    times = []
    for _ in range(5000):
        now = max(now, pace.next_at(now))
        times.append(now)
    assert min(later - earlier for earlier, later in zip(times, times[1010:], strict=False)) >= 1.0


def test_a_datagram_is_a_whole_ipv4_packet_with_a_right_header_checksum() -> None:
    made = datagram(IPv4Address("192.168.1.254"), 1024, IPv4Address("192.0.2.1"), 65535)
    header, udp = made[:20], made[20:]
    assert struct.unpack_from("!H", made, 2)[0] == len(made)
    assert (header[12:16], header[16:]) == (bytes([192, 168, 1, 254]), bytes([192, 0, 2, 1]))
    assert checksum(header) == 0  # with its checksum in it, a right header sums up to nothing
    assert struct.unpack_from("!4H", udp) == (1024, 65535, len(udp), 0)
    assert udp[8:] == PAYLOAD


def test_the_checksum_of_a_header_is_that_of_the_textbook() -> None:
    header = bytes.fromhex("45000073000040004011 0000 c0a80001c0a800c7")
    assert checksum(header) == 0xB861
