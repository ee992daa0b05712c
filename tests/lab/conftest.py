from __future__ import annotations

import pytest

from tests.lab import requirements


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    requirements.require(item)
