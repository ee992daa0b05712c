from __future__ import annotations

import io
import json
import logging
from ipaddress import IPv4Address

import pytest

from natcore.address import TransportAddress
from peer.trace import Trace


class FullDisk(io.BytesIO):
    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0

    def flush(self) -> None:
        self.attempts += 1
        raise OSError(28, "No space left on device")


def test_an_event_is_one_json_object_on_a_line() -> None:
    file = io.BytesIO()
    trace = Trace(file)
    trace.event(1.5, "sent", length=20, destination=TransportAddress.parse("192.0.2.1:7"))
    trace.event(2.0, "Awoke")
    assert [json.loads(line) for line in file.getvalue().splitlines()] == [
        {"time": 1.5, "event": "sent", "length": 20, "destination": "192.0.2.1:7"},
        {"time": 2.0, "event": "Awoke"},
    ]


def test_a_trace_that_cannot_be_written_is_given_up_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = FullDisk()
    trace = Trace(disk)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            trace.event(1.0, "sent")
    assert disk.attempts == 1
    assert len(caplog.records) == 1


class NeverShown(TransportAddress):
    """An address that must not be turned into text."""

    def __str__(self) -> str:
        raise AssertionError("made into text for nobody")


def test_without_a_file_nothing_is_written_and_nothing_made_into_text() -> None:
    Trace().event(1.0, "sent", destination=NeverShown(IPv4Address("192.0.2.1"), 7))
