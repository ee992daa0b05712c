from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from benchmarks.builder import Order, obey


class Fake:
    """Remembers what it was told; cannot build 13 homes."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def prepare(self, order: Order) -> None:
        self.told.append("prepare")

    def up(self, order: Order) -> None:
        self.told.append(f"up {order['homes']}")
        if order["homes"] == 13:
            raise RuntimeError("bad luck")

    def down(self) -> None:
        self.told.append("down")


def answers_to(
    builder: Fake,
    orders: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> list[dict[str, Any]]:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{json.dumps(order)}\n" for order in orders)))
    obey(builder)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_order_is_carried_out_and_answered_with_when_it_began_and_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = Fake()

    greeting, up, down = answers_to(builder, [{"do": "up", "homes": 2}, {"do": "down"}], monkeypatch, capsys)

    assert greeting == {}
    assert up["started_at"] <= up["ended_at"] <= down["started_at"] <= down["ended_at"]
    assert builder.told[:3] == ["prepare", "up 2", "down"]


def test_a_lab_that_cannot_be_built_is_an_answer_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    orders: list[dict[str, Any]] = [{"do": "up", "homes": 13}, {"do": "down"}, {"do": "up", "homes": 2}]

    _, failed, *others = answers_to(Fake(), orders, monkeypatch, capsys)

    assert failed == {"failed": "RuntimeError: bad luck"}
    assert all("ended_at" in answer for answer in others)


def test_a_lab_that_is_up_when_the_orders_end_is_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = Fake()

    answers_to(builder, [{"do": "up", "homes": 2}], monkeypatch, capsys)

    assert builder.told == ["prepare", "up 2", "down"]
