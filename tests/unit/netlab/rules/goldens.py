"""Rules as text, compared with the text that was measured.

The golden files are the rules as the lab tests measured them. After a wanted change, write them again with
``NETLAB_WRITE_GOLDEN=1 pytest tests/unit/netlab/rules`` and run the lab tests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from netlab.rules import RouterFacts, RuleScript

_GOLDEN = Path(__file__).parent / "golden"

FACTS = RouterFacts(
    wan="wan0",
    wan_address=IPv4Address("203.0.113.7"),
    lan="lan0",
    lan_network=IPv4Network("192.168.1.0/24"),
    hosts=(IPv4Address("192.168.1.10"),),
)


def text_of(scripts: Iterable[RuleScript]) -> str:
    return "\n".join(f"# {' '.join(script.tool)}\n{script.text}" for script in scripts)


_LONG_POOL = re.compile(r"(elements = \{(?: \d+ : \d+,){4})[^}]*,( \d+ : \d+ \})")
"""Thousands of ports, of which the first four and the last say enough (see test_ports.py)."""


def compare_with_golden(name: str, scripts: Iterable[RuleScript]) -> None:
    path, text = _GOLDEN / f"{name}.rules", _LONG_POOL.sub(r"\1 ...\2", text_of(scripts))
    if os.environ.get("NETLAB_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
