"""What the command line prints, as text from values."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.demo import Demonstration
from netlab.proof import Proof
from netlab.state import LabState, NodeState


def lab_text(lab: LabState) -> str:
    """A lab and its nodes."""
    distance = f", {lab.rtt * 1000:g} ms round trip" if lab.rtt else ""
    rows = [(f"  {node.name}", _role(node), " ".join(node.addresses)) for node in lab.nodes]
    return "\n".join([f"{lab.name} ({lab.backend}{distance}{_holder(lab)})", *columns(rows)])


def proof_table(proofs: Sequence[Proof]) -> str:
    """Claimed against measured, one line a property."""
    rows = [("profile", "property", "claimed", "measured", "")]
    for proof in proofs:
        for name, claimed in proof.claimed.items():
            verdict = "DIFFERS" if name in proof.differences else "ok"
            rows.append((proof.profile, name, claimed, proof.measured[name], verdict))
    return "\n".join(columns(rows))


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _holder(lab: LabState) -> str:
    if lab.owner is None:
        return ""
    return f", held by process {lab.owner.pid}" if lab.is_owned else ", left by a killed process"


def _role(node: NodeState) -> str:
    place = f"behind {' and '.join(node.behind)}" if node.behind else ""
    if node.profile is not None:
        return f"{node.profile} router {place}".rstrip()
    return place or "public host"


def dialogue_line(who: str, text: str) -> str:
    """A line of the chat, with who typed or saw it."""
    return f"{who:>6} | {text}"


def claims_text(shown: Demonstration) -> str:
    """Each claim with its evidence, and the verdict."""
    lines: list[str] = []
    for claim in shown.claims:
        lines += ["", f"{'held' if claim.holds else 'FAILED'}: {claim.claim}"]
        lines += [f"      {evidence}" for evidence in claim.evidence]
    verdict = "every claim held" if shown.succeeded else "a claim FAILED"
    return "\n".join([*lines, "", f"{verdict}, in {shown.seconds:.1f} s"])
