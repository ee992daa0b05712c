"""How the tests of our pytest plugin run pytest within pytest: with our own strictness, and by itself."""

from __future__ import annotations

OPTIONS = (
    *("--strict-markers", "--strict-config"),
    # A warning of the plugin's would be an error, but not that the two runs share modules: an outer one that
    # began as `pytest` had not found the metadata beside the sources, by which they are rewritten.
    *("-W", "error", "-W", "ignore:Module already imported so cannot be rewritten"),
    # The one plugin warns where nobody has said this, the other takes half a second for nothing.
    *("-o", "asyncio_default_fixture_loop_scope=function", "-p", "no:hypothesispytest"),
)
