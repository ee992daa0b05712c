"""What all tests may use: pytest's own fixture for tests of our pytest plugin."""

from __future__ import annotations

pytest_plugins = ["pytester"]
