from __future__ import annotations

import pytest

from netlab.cli.options import Duration, Probability


@pytest.mark.parametrize(
    ("text", "seconds"), [("40ms", 0.04), ("0.04s", 0.04), ("1s", 1.0), ("0", 0.0), ("2.5ms", 0.0025)]
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == pytest.approx(seconds)


def test_a_loss_is_a_percentage() -> None:
    assert Probability().convert("5%", None, None) == pytest.approx(0.05)
