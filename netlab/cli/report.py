"""What the command line prints, as text from values."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.demo import Demonstration
from netlab.proof import Proof
from netlab.state import LabState, NodeState

_COLUMNS = {
    "control: unasked datagram": "control",
    "mapping": "mapping",
    "filtering": "filtering",
    "allocation": "ports",
    "hairpinning": "hairpin",
    "early inbound": "early",
    "mapping lifetime": "lifetime",
    "inbound refresh": "refresh",
    "tcp ports": "TCP",
}
"""The properties that have a column in the table of all profiles, with its heading."""

_LEGEND = """\
control: a datagram to a host that has sent nothing.  EI, AD, APD: endpoint-independent, address-dependent,
address-and-port-dependent (M mapping, F filtering).  early: what an unsolicited packet does to the mapping.
*: by the kernel's countdown, the others by waiting.  others: coturn's natdiscovery, and stun-client."""


def lab_text(lab: LabState) -> str:
    """A lab and its nodes."""
    distance = f", {lab.rtt * 1000:g} ms round trip" if lab.rtt else ""
    rows = [(f"  {node.name}", _role(node), " ".join(node.addresses)) for node in lab.nodes]
    return "\n".join([f"{lab.name} ({lab.backend}{distance}{_holder(lab)})", *columns(rows)])


def proof_details(proofs: Sequence[Proof]) -> str:
    """Claimed against measured, one line a property."""
    rows = [("profile", "property", "claimed", "measured", "")]
    rows += [(proof.profile, *row) for proof in proofs for row in proof.rows()]
    return "\n".join([*columns(rows), "", _verdict(proofs)])


def proof_table(proofs: Sequence[Proof]) -> str:
    """What was measured, one line a profile; where it is not what was claimed, the claim stands before it."""
    rows = [("profile", *_COLUMNS.values(), "others say", "claims held")]
    for proof in proofs:
        cells = [_cell(proof, name) for name in _COLUMNS]
        held = f"{len(proof.claimed) - len(proof.differences)} of {len(proof.claimed)}"
        rows.append((proof.profile, *cells, _others(proof), held if proof.holds else f"{held}: FAILED"))
    differences = [
        f"DIFFERS: {proof.profile}, {name}: claimed {proof.claimed[name]}, measured {proof.measured[name]}"
        for proof in proofs
        for name in proof.differences
    ]
    return "\n".join([*columns(rows), "", _LEGEND, "", *differences, _verdict(proofs)])


def _cell(proof: Proof, name: str) -> str:
    if name not in proof.claimed:
        return "-"
    claimed, measured = (_brief(name, table[name]) for table in (proof.claimed, proof.measured))
    return measured if name not in proof.differences else f"{claimed} -> {measured}"


def _brief(name: str, value: str) -> str:
    """A value in a narrow column."""
    letters = {"endpoint-independent": "EI", "address-dependent": "AD", "address-and-port-dependent": "APD"}
    suffix = {"mapping": "M", "filtering": "F"}.get(name, "")
    return letters[value] + suffix if value in letters else value.replace(", by the kernel's countdown", " *")


def _others(proof: Proof) -> str:
    """Whether the foreign tools agree: their properties end in the tool's name."""
    theirs = [name for name in proof.claimed if name.endswith(")")]
    agreeing = [name for name in theirs if name not in proof.differences]
    return f"{len(agreeing)} of {len(theirs)}" if theirs else "-"


def _verdict(proofs: Sequence[Proof]) -> str:
    failed = [proof.profile for proof in proofs if not proof.holds]
    if failed:
        return f"{len(failed)} of {len(proofs)} profiles are not what they claim: {', '.join(failed)}"
    return f"all {len(proofs)} profiles are what they claim" if len(proofs) > 1 else "it is what it claims"


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
