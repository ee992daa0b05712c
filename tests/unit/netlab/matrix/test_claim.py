from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.matrix.claim import (
    MAX_EVENTS,
    MAX_LINE_LENGTH,
    MAX_TEXT_LENGTH,
    BadClaim,
    Event,
    Outcome,
    find_claim,
    read_claim,
)


def test_the_last_json_object_counts() -> None:
    lines = [
        "starting",
        '{"outcome":"failed"}',
        "{not json}",
        '{"outcome":"direct","elapsed":0.5}',
        "[1]",
        "bye",
    ]
    claim = find_claim(lines)
    assert claim is not None
    assert (claim.outcome, claim.elapsed) == (Outcome.DIRECT, 0.5)


@pytest.mark.parametrize("lines", [[], ["hello"], ["{", "{}}"], ["[1,2]"], ['{"outcome": NaN}']])
def test_where_there_is_no_object_there_is_no_claim(lines: list[str]) -> None:
    assert find_claim(lines) is None


def test_a_line_that_is_too_long_is_none() -> None:
    line = json.dumps({"outcome": "direct", "x": ""})
    exact = line.replace('""', f'"{"y" * (MAX_LINE_LENGTH - len(line))}"')
    assert find_claim([exact]) is not None
    assert find_claim([exact.replace("yy", "yyy", 1)]) is None


def test_everything_is_kept() -> None:
    claim = read_claim(
        {
            "outcome": "relayed",
            "elapsed": 1,
            "technique": "turn",
            "packets_sent": 3,
            "path": {"via": "198.51.100.10:3478"},
            "reason": None,
            "timeline": [{"at": -0.5, "event": "gathered", "more": 1}],
            "of mine": [1],
        }
    )
    assert (claim.elapsed, claim.technique, claim.packets_sent) == (1.0, "turn", 3)
    assert claim.path == {"via": "198.51.100.10:3478"}
    assert claim.timeline == (Event(at=-0.5, event="gathered"),)
    assert claim.further == {"of mine": [1]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("outcome", "directt"),
        ("outcome", None),
        ("elapsed", "1"),
        ("elapsed", -1),
        ("elapsed", True),
        ("elapsed", 1e400),
        ("technique", 1),
        ("packets_sent", 1.5),
        ("packets_sent", -1),
        ("packets_sent", 2**53),
        ("path", "203.0.113.7"),
        ("reason", []),
        ("timeline", {}),
        ("timeline", [1]),
        ("timeline", [{"at": 1}]),
        ("timeline", [{"at": "1", "event": "x"}]),
    ],
)
def test_a_wrong_value_is_said_with_its_key(key: str, value: Any) -> None:
    with pytest.raises(BadClaim, match=f"^{key}: got "):
        read_claim({"outcome": "direct", key: value})


def test_texts_and_timelines_are_bounded() -> None:
    events = [{"at": 0, "event": "x" * (MAX_TEXT_LENGTH + 1)}] * (MAX_EVENTS + 1)
    claim = read_claim({"outcome": "failed", "reason": "y" * (MAX_TEXT_LENGTH + 1), "timeline": events})
    assert claim.reason == "y" * MAX_TEXT_LENGTH
    assert len(claim.timeline) == MAX_EVENTS
    assert len(claim.timeline[0].event) == MAX_TEXT_LENGTH


@given(st.lists(st.text(max_size=40) | st.sampled_from(['{"outcome":', '{"outcome":"direct"}', "[" * 5000])))
def test_no_output_raises_anything_else(lines: list[str]) -> None:
    try:
        find_claim(lines)
    except BadClaim:
        return
