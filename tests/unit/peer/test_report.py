from __future__ import annotations

import json
from typing import cast

import pytest

from natcore.address import TransportAddress
from natcore.channel import TimelineEntry, TimelineEvent
from natcore.errors import PeerError
from natcore.hardnat import Technique
from natcore.ice import CandidateType, Path
from peer.channel import Channel
from peer.errors import AwakeFailed, NoPath
from peer.report import Report
from peer.why import Evidence, explain

PATH = Path(
    kind=CandidateType.SERVER_REFLEXIVE,
    base=TransportAddress.parse("192.168.1.10:5000"),
    local=TransportAddress.parse("203.0.113.7:40001"),
    remote=TransportAddress.parse("[2001:db8::33]:40002"),
    rtt=0.04,
)
EVIDENCE = Evidence(
    peer="anna",
    path=PATH,
    timeline=(
        TimelineEntry(at=0.0, event=TimelineEvent.INTRODUCED, detail="anna offers srflx 203.0.113.33:40002"),
        TimelineEntry(at=0.0612345678, event=TimelineEvent.PATH_CONFIRMED, detail="one\x1b"),
    ),
)
NO_PATH = NoPath(peer="anna", reason="silence", detail="10 checks in 3 s", packets_sent=10)


class FakeChannel:
    def __init__(self, *, rtt: float | None) -> None:
        self.peer = "anna"
        self.rtt = rtt
        self.packets_sent = 7
        self.technique = Technique.PLAIN


def direct(*, rtt: float | None = 0.0401234567, message: str | None = None) -> Report:
    channel = cast(Channel, FakeChannel(rtt=rtt))
    report = Report.direct(channel, PATH, elapsed=0.0612345678, message=message, evidence=EVIDENCE)
    return report.without_explanation()


def test_a_direct_report_says_where_data_went_in_microseconds() -> None:
    assert json.loads(direct(message="hé\n").to_json()) == {
        "outcome": "direct",
        "peer": "anna",
        "path": {"kind": "srflx", "local": "203.0.113.7:40001", "remote": "[2001:db8::33]:40002"},
        "technique": "plain-checks",
        "elapsed": 0.061235,
        "rtt": 0.040123,
        "packets_sent": 7,
        "message": "hé\n",
        "reason": None,
        "timeline": [
            {"at": 0.0, "event": "introduced", "detail": "anna offers srflx 203.0.113.33:40002"},
            {"at": 0.061235, "event": "path confirmed", "detail": "one\\x1b"},
        ],
    }


@pytest.mark.parametrize(
    ("error", "packets_sent"), [(NO_PATH, 10), (AwakeFailed(detail="no answer"), 0), (PeerError("x\x1b"), 0)]
)
def test_a_failed_report_has_the_same_fields_and_the_reason(error: PeerError, packets_sent: int) -> None:
    failed = json.loads(Report.failed("anna", error).without_explanation().to_json())
    assert list(failed) == list(json.loads(direct().to_json()))
    assert {name for name, value in failed.items() if value is not None} == {
        *("outcome", "peer", "packets_sent", "reason", "timeline")
    }
    assert (failed["outcome"], failed["packets_sent"]) == ("failed", packets_sent)
    assert failed["reason"] == str(error).replace("\x1b", r"\x1b")


def test_the_explanation_is_a_list_of_sentences_in_success_and_in_failure() -> None:
    channel = cast(Channel, FakeChannel(rtt=None))
    found = Report.direct(channel, PATH, elapsed=0.06, message=None, evidence=EVIDENCE)
    assert json.loads(found.to_json())["explanation"] == list(explain(EVIDENCE))
    evidence = Evidence(peer="anna", error=NO_PATH)
    failed = Report.failed("anna", NO_PATH, evidence)
    assert json.loads(failed.to_json())["explanation"] == list(explain(evidence))


def test_json_is_one_line_whatever_the_peer_sent() -> None:
    line = direct(message="one\ntwo\u2028\x1b[2J").to_json()
    assert "\n" not in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (direct(), "direct to anna at [2001:db8::33]:40002 (srflx, rtt 40.1 ms)"),
        (direct(rtt=None), "direct to anna at [2001:db8::33]:40002 (srflx)"),
        (direct(message="a\x07"), r"direct to anna at [2001:db8::33]:40002 (srflx, rtt 40.1 ms): [a\x07]"),
        (direct(message=""), "direct to anna at [2001:db8::33]:40002 (srflx, rtt 40.1 ms): []"),
        (
            Report.failed("anna", NO_PATH),
            "failed: no direct path to anna: silence (10 checks in 3 s)",
        ),
    ],
)
def test_people_get_one_line(report: Report, text: str) -> None:
    assert report.to_text() == text
