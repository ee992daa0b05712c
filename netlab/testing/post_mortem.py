"""What a running lab tells about itself once something in it has failed: enough to begin with, and bounded.

It never raises for want of evidence: a lab in which something failed may be half broken, and what failed
first is the news.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from netlab.errors import LabError
from netlab.lab import Lab
from netlab.proof import Proof
from netlab.topology import CORE

LAST_LINES = 8
"""Lines of each program's stdout and stderr; the reason is nearly always among the last few."""

LAST_ENTRIES = 12
"""Connection tracking entries of each NAT; a session between two peers needs four."""

_MAX_LINE = 200
"""Characters of one line."""

_MAX_OUTPUT = 65_536
"""Bytes from the end of a program's output that are looked at."""


def tell(lab: Lab) -> str:
    """The lab's NATs as they were proven, what its programs said last, and what its NATs remember."""
    return "\n".join([*_proofs(lab.proofs), *_programs(lab.artefacts), *_mappings(lab)])


def _proofs(proofs: Sequence[Proof]) -> Iterator[str]:
    for proof in proofs:
        verdict = "proven" if proof.holds else "NOT AS CLAIMED"
        measured = ", ".join(f"{name} {value}" for name, value in proof.measured.items())
        yield f"{proof.node} is {proof.profile}, {verdict}: {measured}"


def _programs(folder: Path) -> Iterator[str]:
    for file in sorted([*folder.glob("*.stdout"), *folder.glob("*.stderr")]):
        label, _, stream = file.name.rpartition(".")
        if stream == "stdout" and label.startswith(f"{CORE}-"):
            continue  # an instrument of the lab, which says READY
        if lines := _last_lines(file):
            yield f"{stream} of {label}:"
            yield from _shown(lines, LAST_LINES)


def _mappings(lab: Lab) -> Iterator[str]:
    for nat in lab.topology.nats:
        try:
            entries = lab.conntrack(nat.name)
        except (LabError, OSError) as problem:
            yield f"conntrack of {nat.name}: not to be had ({problem})"
            continue
        yield f"conntrack of {nat.name}: {len(entries)} entries"
        yield from _shown([" ".join(entry.split()) for entry in entries], LAST_ENTRIES)


def _last_lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            is_cut = stream.seek(0, os.SEEK_END) > _MAX_OUTPUT
            stream.seek(-_MAX_OUTPUT if is_cut else 0, os.SEEK_END if is_cut else os.SEEK_SET)
            lines = stream.read().decode("utf-8", "replace").rstrip().splitlines()
            return lines[1:] if is_cut else lines  # where it was cut is hardly ever between two lines
    except OSError as problem:
        return [f"not to be read ({problem})"]


def _shown(lines: Sequence[str], count: int) -> Iterator[str]:
    if len(lines) > count:
        yield f"    ... {len(lines) - count} before"
    for line in lines[-count:]:
        yield f"    {_printable(line)}"


def _printable(line: str) -> str:
    """A line that cannot play tricks with the terminal."""
    text = "".join(char if char.isprintable() else "?" for char in line.expandtabs())
    return text if len(text) <= _MAX_LINE else f"{text[: _MAX_LINE - 3]}..."
