from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from natcore.address import TransportAddress
from rendezvous.trace import FileTrace


def test_each_event_is_one_json_object_with_its_time(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    trace = FileTrace(path)
    trace("connection_opened", connection=1, remote=TransportAddress.parse("203.0.113.7:1"))
    trace("counted", awakes=3)
    trace.close()
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["event"], first["connection"], first["remote"]) == ("connection_opened", 1, "203.0.113.7:1")
    assert (second["event"], second["awakes"]) == ("counted", 3)
    assert 0 < first["time"] <= second["time"]


def test_a_full_disk_ends_the_trace_with_one_warning_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trace = FileTrace(Path("/dev/full"))
    with caplog.at_level(logging.WARNING):
        trace("one")
        trace("two")
    trace.close()
    assert [record.message for record in caplog.records] == [
        "x the trace ends here: [Errno 28] No space left on device"
    ]
