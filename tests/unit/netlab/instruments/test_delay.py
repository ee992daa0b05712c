from __future__ import annotations

import random
import struct

import pytest

from netlab.instruments.delay import (
    DelayLine,
    Packet,
    Paths,
    Setting,
    attribute,
    message,
    packets,
    verdict,
)

PACKET, ERROR = 0x0300, 2
DROP, ACCEPT = b"\0\0\0\0", b"\0\0\0\1"


def announcement(number: int, *, queue: int = 0, came_in_by: int = 0, goes_out_by: int = 0) -> bytes:
    header = struct.pack("!IHBB", number, 0x0800, 2, 0)[:7]
    attributes = attribute(1, header)
    if came_in_by:
        attributes += attribute(5, struct.pack("!I", came_in_by))
    if goes_out_by:
        attributes += attribute(6, struct.pack("!I", goes_out_by))
    return message(PACKET, 0, queue, attributes)


def packet(number: int = 1, *, queue: int = 0, came_in_by: int = 0, goes_out_by: int = 0) -> Packet:
    return Packet(queue, struct.pack("!I", number), came_in_by, goes_out_by)


def line_of(
    *, queues: dict[int, tuple[str, ...]] | None = None, ports: dict[int, str] | None = None, **links: Setting
) -> DelayLine:
    paths = Paths(queues=queues if queues is not None else {0: tuple(links)}, ports=ports or {})
    return DelayLine(dict(links), paths, random.Random(1))


def accepted(*numbers: int, queue: int = 0) -> list[bytes]:
    return [verdict(queue, struct.pack("!I", number), ACCEPT) for number in numbers]


def test_attributes_are_padded_to_four_bytes() -> None:
    assert attribute(1, b"abcde") == struct.pack("=HH", 9, 1) + b"abcde\0\0\0"


def test_a_message_says_its_own_length() -> None:
    made = message(PACKET, 1, 0, attribute(1, b"abcd"))
    assert struct.unpack_from("=I", made)[0] == len(made) == 16 + 4 + 8


def test_every_packet_of_a_batch_is_taken_in_order() -> None:
    batch = announcement(1) + announcement(2, queue=7) + announcement(0xFFFFFFFF, came_in_by=3, goes_out_by=4)
    assert list(packets(batch)) == [
        packet(1),
        packet(2, queue=7),
        packet(0xFFFFFFFF, came_in_by=3, goes_out_by=4),
    ]


def test_other_messages_are_passed_over() -> None:
    error = struct.pack("=IHHII", 36, ERROR, 0, 0, 0) + bytes(20)
    assert list(packets(error + announcement(7))) == [packet(7)]


def test_a_message_that_is_cut_short_is_no_packet() -> None:
    whole = announcement(1)
    assert [list(packets(whole[:length])) for length in range(32)] == [[]] * 32


@pytest.mark.parametrize("garbage", [bytes(1000), b"\xff" * 1000, bytes(range(256)) * 4])
def test_a_batch_of_garbage_ends(garbage: bytes) -> None:
    assert list(packets(garbage)) == []


def test_a_packet_waits_for_the_sum_of_the_links_on_its_path() -> None:
    line = line_of(
        queues={0: ("core",)},
        ports={1: "a", 2: "b"},
        core=Setting(0.020, 0, 0),
        a=Setting(0.003, 0, 0),
        b=Setting(0.002, 0, 0),
    )
    assert line.receive(packet(came_in_by=1, goes_out_by=2), 100.0) is None
    assert line.get_timer() == pytest.approx(100.025)


@pytest.mark.parametrize(
    ("came_in_by", "goes_out_by", "wait"),
    [(1, 0, 0.001), (0, 1, 0.001), (1, 1, 0.002), (9, 9, 0.0)],
    ids=["in", "out", "back out of the same port", "other ports"],
)
def test_a_link_is_passed_as_often_as_its_port(came_in_by: int, goes_out_by: int, wait: float) -> None:
    line = line_of(queues={0: ()}, ports={1: "a"}, a=Setting(0.001, 0, 0))
    line.receive(packet(came_in_by=came_in_by, goes_out_by=goes_out_by), 0.0)
    assert line.get_timer() == pytest.approx(wait)


def test_a_packet_goes_when_its_time_has_come_and_not_before() -> None:
    line = line_of(a=Setting(1.0, 0, 0))
    line.receive(packet(1), 10.0)
    assert line.verdicts(10.999) == []
    assert line.verdicts(11.0) == accepted(1)
    assert line.verdicts(99.0) == []
    assert line.get_timer() is None


def test_packets_of_one_path_leave_in_the_order_in_which_they_came() -> None:
    line = line_of(a=Setting(1.0, 0, 0))
    for number in (5, 3, 9):
        line.receive(packet(number), 10.0)
    assert line.verdicts(11.0) == accepted(5, 3, 9)


def test_a_packet_on_a_shorter_path_overtakes() -> None:
    line = line_of(queues={0: ("far",), 1: ("near",)}, far=Setting(2, 0, 0), near=Setting(1, 0, 0))
    line.receive(packet(1, queue=0), 0.0)
    line.receive(packet(2, queue=1), 0.5)
    assert line.verdicts(3.0) == [*accepted(2, queue=1), *accepted(1, queue=0)]


def test_jitter_is_uniform_around_the_delay() -> None:
    line = line_of(a=Setting(0.020, 0.005, 0))
    waits = []
    for number in range(2000):
        line.receive(packet(number), 0.0)
        waits.append(line.get_timer() or 0.0)
        line.verdicts(1.0)
    assert 0.015 <= min(waits) < 0.0151
    assert 0.0249 < max(waits) <= 0.025
    assert sum(waits) / len(waits) == pytest.approx(0.020, abs=0.0004)  # six standard errors


def test_loss_is_drawn_on_every_link_of_the_path_and_told_at_once() -> None:
    line = line_of(a=Setting(1, 0, 0.2), b=Setting(0, 0, 0.5))
    answers = [line.receive(packet(number), 0.0) for number in range(2000)]
    lost = [answer for answer in answers if answer is not None]
    assert lost[0] == verdict(0, struct.pack("!I", answers.index(lost[0])), DROP)
    assert len(lost) / 2000 == pytest.approx(1 - 0.8 * 0.5, abs=0.06)  # over five standard deviations


def test_a_change_is_for_packets_to_come() -> None:
    line = line_of(a=Setting(1, 0, 0))
    line.receive(packet(1), 0.0)
    assert line.change("a=5,0.5,0.25") == ""
    assert line.get_timer() == 1.0
    assert line.links["a"] == Setting(5, 0.5, 0.25)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("b=1,0,0", "got link 'b', expected one of a"),
        ("", "got link '', expected one of a"),
        ("a", "got setting ''"),
        ("a=1,0", "got setting '1,0'"),
        ("a=1,0,0,0", "got setting"),
        ("a=x,0,0", "got setting"),
        ("a=1,2,0", "got setting"),
        ("a=61,0,0", "got setting"),
        ("a=1,0,1.01", "got setting"),
        ("a=nan,0,0", "got setting"),
        ("a=1,0,nan", "got setting"),
        ("a=-1,-1,0", "got setting"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing_and_says_why(change: str, complaint: str) -> None:
    line = line_of(a=Setting(1, 0, 0))
    assert line.change(change).startswith(complaint)
    assert line.links == {"a": Setting(1, 0, 0)}


def test_all_links_of_the_paths_are_known_by_name() -> None:
    assert Paths(queues={0: ("a", "b"), 1: ()}, ports={1: "c"}).names == {"a", "b", "c"}
