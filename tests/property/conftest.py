"""How Hypothesis runs here: the same examples every time, so that nothing flakes.

``HYPOTHESIS_PROFILE=explore`` looks for new ones, many more, and keeps what fails in ``.hypothesis``.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
