"""Other people's tools see what our probe sees, and contradict a router that lies.

That they agree on every profile is shown by ``test_proof.py``, where they are asked as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from netlab.errors import MissingTool
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.proof import Proof
from netlab.proof.everything import one_of_each
from netlab.proof.opinions import TOOLS
from netlab.proof.subject import subjects_of
from netlab.tools import find_tool
from tests.lab.requirements import stop_for_want_of

pytestmark = pytest.mark.lab

LIES = {
    "full-cone": ("port-restricted", {"filtering (natdiscovery)", "filtering (stun)"}),
    "port-restricted": ("full-cone", {"filtering (natdiscovery)", "filtering (stun)"}),
    "address-dependent": ("symmetric", {"mapping (natdiscovery)"}),
    "eim-apdf-random": ("port-restricted", {"allocation (stun)"}),
    "symmetric": ("eim-apdf-random", {"mapping (natdiscovery)", "mapping (stun)", "filtering (stun)"}),
    "stateful-firewall": (
        "port-restricted",
        {
            "translation (natdiscovery)",
            "hairpinning (natdiscovery)",
            "mapping (stun)",
            "filtering (stun)",
            "allocation (stun)",
            "hairpinning (stun)",
        },
    ),
    "cgn-cone": ("cgn-symmetric", {"mapping (natdiscovery)", "mapping (stun)", "hairpinning (stun)"}),
}
"""For what was built: what it claims to be, and which words of the tools give it away."""


@pytest.fixture(scope="module")
def contradicted() -> Iterator[dict[str, Proof]]:
    for tool in TOOLS:
        try:
            find_tool(tool.program)
        except MissingTool:
            stop_for_want_of(f"{tool.program} is not installed: `make test` installs it")
    with Lab(one_of_each([profile(name) for name in LIES]), prove=False) as lab:
        subjects = [
            replace(subject, profile=profile(LIES[subject.node][0])) for subject in subjects_of(lab.topology)
        ]
        yield {proof.node: proof for proof in lab.measure(subjects, opinions=True)}


@pytest.mark.parametrize("built", LIES)
def test_the_tools_contradict_a_router_that_lies(built: str, contradicted: dict[str, Proof]) -> None:
    said = {name for name in contradicted[built].differences if name.endswith(")")}
    assert said == LIES[built][1]
