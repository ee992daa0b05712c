"""Second opinions: what other people's tools say of the same NATs, asked from the same hosts.

Each tool speaks its own language, and not about everything. So a claim is translated into what the tool is
expected to say, as far as its words go, and compared with what it says; our own measurement has no part in
it. A tool that disagrees is a difference like any other.

natdiscovery waits 3 s for each filtered answer, twice, and has no option for less. Its questions are
therefore asked by processes of their own, side by side.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation
from netlab.backend import namespace_of
from netlab.errors import MissingTool
from netlab.profiles import Boundary
from netlab.proof.claims import yes_or_no
from netlab.proof.subject import Subject
from netlab.tools import find_tool, in_namespace
from netlab.topology import INSTRUMENT_ADDRESSES

_TIMEOUT = 60.0
"""Seconds for a tool; natdiscovery takes 6 s where an answer is filtered, and as long where UDP is blocked."""

_SILENT = "says nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What tools were expected to say, what they have said, and what they could not say.

    Attributes:
        claimed: by property, with the tool's name: ``mapping, says natdiscovery``.
        said: the same properties.
        remarks: by property or tool, why nothing is compared.
    """

    claimed: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)


def ask_tools(lab, subject):
    return Opinion()
