from __future__ import annotations

from collections.abc import Callable

import pytest

from netlab.quantities import BadQuantity, parse_duration, parse_probability, parse_rate


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_duration, "40ms", 0.04),
        (parse_duration, "0.04s", 0.04),
        (parse_duration, "1s", 1.0),
        (parse_duration, "0", 0.0),
        (parse_duration, "2.5ms", 0.0025),
        (parse_probability, "5%", 0.05),
        (parse_probability, "0", 0.0),
        (parse_rate, "20Mbit", 20e6),
        (parse_rate, "500kbit", 500e3),
        (parse_rate, "1Gbit", 1e9),
    ],
)
def test_a_quantity_is_a_number_with_its_unit(parse: Callable[[str], float], text: str, value: float) -> None:
    assert parse(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("parse", "text", "hint"),
    [
        (parse_duration, "40", "like 40ms or 0.04s"),
        (parse_duration, "40 ms", "like 40ms"),
        (parse_duration, "-1s", "like 40ms"),
        (parse_duration, "", "like 40ms"),
        (parse_duration, "1" * 500, "like 40ms"),
        (parse_probability, "0.05", "like 5%"),
        (parse_probability, "5", "like 5%"),
        (parse_rate, "20", "like 20Mbit"),
        (parse_rate, "20mbit", "like 20Mbit"),
    ],
)
def test_anything_else_is_answered_with_an_example(
    parse: Callable[[str], float], text: str, hint: str
) -> None:
    with pytest.raises(BadQuantity) as caught:
        parse(text)
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 150
