from __future__ import annotations

import math

import pytest

from natcore.nat import NatBehavior
from netlab.errors import UnsupportedBehavior
from netlab.rules.lifetime import MAX_LIFETIME, whole_seconds


@pytest.mark.parametrize("seconds", [1.0, 3.0, 120.0, MAX_LIFETIME])
def test_a_lifetime_is_what_was_said(seconds: float) -> None:
    assert whole_seconds(NatBehavior(mapping_lifetime=seconds)) == seconds


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.4, 2.5, MAX_LIFETIME + 1, math.inf, math.nan])
def test_a_lifetime_that_the_kernel_cannot_count_is_refused(seconds: float) -> None:
    with pytest.raises(UnsupportedBehavior, match=r"mapping lifetime: got .* s, expected whole seconds"):
        whole_seconds(NatBehavior(mapping_lifetime=seconds))
