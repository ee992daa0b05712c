from __future__ import annotations

from netlab.rules import core_rules
from tests.unit.netlab.rules.goldens import compare_with_golden


def test_the_core_loses_first_and_delays_the_rest() -> None:
    compare_with_golden("core", [core_rules(delayed=True, loss=0.05)])
