"""What is kept of an attempt, in a folder of its own: captures, rules, mappings, output, proof."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

from netlab.errors import EnvironmentProblem, LabError
from netlab.lab import Lab

RULE_TOOLS = ("iptables-save", "ip6tables-save", "ipset save", "nft list ruleset")
"""Everything that a router's rules can be in; a tool that is missing is left out."""

_PRINT_RULES = "PATH=$PATH:/usr/sbin:/sbin\n" + "".join(
    f'if command -v {tool.split()[0]} > /dev/null; then echo "### {tool}"; {tool} 2> /dev/null; echo; fi\n'
    for tool in RULE_TOOLS
)

MIN_FREE_SPACE = 1 << 20
"""Bytes. With less, a file that is too short is no evidence of anything."""


class ArtefactsFull(EnvironmentProblem):
    """There is no room for what the matrix has to keep.

    Attributes:
        folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(folder)

    def __str__(self) -> str:
        return f"no space left for artefacts in {self.folder}: free some, or choose another with --output"


def keep_state(lab: Lab) -> None:
    """Writes what the routers are and hold now; a router that cannot tell is left out.

    Raises:
        OSError: it cannot be written.
    """
    for nat in lab.topology.nats:
        try:
            rules = lab.run(nat.name, ["sh", "-c", _PRINT_RULES]).stdout
            mappings = "".join(f"{line}\n" for line in lab.conntrack(nat.name))
        except LabError as error:
            rules, mappings = f"{error}\n", ""
        (lab.artefacts / f"{nat.name}.rules.txt").write_text(rules, encoding="utf-8")
        (lab.artefacts / f"{nat.name}.conntrack.txt").write_text(mappings, encoding="utf-8")
    proofs = [{**asdict(proof), "holds": proof.holds} for proof in lab.proofs]
    text = json.dumps(proofs, indent=1, default=str)
    (lab.artefacts / "proof.json").write_text(text, encoding="utf-8")


_OF_INSTRUMENTS = re.compile(r".+-(capture|delay|stunserver|probe)(~\d+)?\.stdout")
"""Files in which there is never more than READY."""


def tidy(folder: Path) -> tuple[str, ...]:
    """Removes the files of a run that tell nothing; returns the names of the others, sorted."""
    names = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_file():
            continue
        if path.stat().st_size == 0 or _OF_INSTRUMENTS.fullmatch(path.name):
            path.unlink()
        else:
            names.append(path.name)
    return tuple(names)


def require_space(folder: Path) -> None:
    """Checks that what is in the folder can be believed to be whole.

    Raises:
        ArtefactsFull: the disk is full.
    """
    found = next(path for path in (folder, *folder.parents) if path.exists())
    space = os.statvfs(found)
    if space.f_bavail * space.f_frsize < MIN_FREE_SPACE:
        raise ArtefactsFull(folder)
