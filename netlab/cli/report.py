"""What the command line prints, as text from values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from netlab.demo import Demonstration
from netlab.proof import Proof
from netlab.proof.claims import COUNTDOWN, UNASKED, name_pool, yes_or_no
from netlab.state import LabState, NodeState


def _behavior(measured: Mapping[str, str]) -> str:
    mapping, filtering = (
        f"{_LETTERS[value]}{letter}" if (value := measured[name]) in _LETTERS else value
        for name, letter in (("mapping", "M"), ("filtering", "F"))
    )
    return f"{mapping:<4} {filtering}"


def _ports(measured: Mapping[str, str]) -> str:
    allocation = measured["allocation"].removesuffix(", step 1").replace(", step ", "+")
    pool = measured.get("port pool", name_pool(None))
    return allocation if pool == name_pool(None) else f"{allocation}/{pool.removesuffix(' ports')}"


def _timer(measured: Mapping[str, str]) -> str:
    refreshed = " out" if measured.get("inbound refresh") == yes_or_no(False) else ""
    return measured["mapping lifetime"].replace(f", {COUNTDOWN}", "*") + refreshed


def _value_of(name: str) -> Callable[[Mapping[str, str]], str]:
    return lambda measured: measured[name].replace(", ", ",")


_COLUMNS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, str]], str]]] = {
    "control": ((UNASKED,), _value_of(UNASKED)),
    "behavior": (("mapping", "filtering"), _behavior),
    "ports": (("allocation", "port pool"), _ports),
    "hairpin": (("hairpinning",), _value_of("hairpinning")),
    "early": (("early inbound",), _value_of("early inbound")),
    "timer": (("mapping lifetime", "inbound refresh"), _timer),
    "TCP": (("tcp ports",), _value_of("tcp ports")),
}
"""Of the table of all profiles: each column's heading, the properties in it, and how it shows them.

With the longest name of a profile it is 100 characters wide.
"""

_LETTERS = {
    "endpoint-independent": "EI",
    "address-dependent": "AD",
    "address-and-port-dependent": "APD",
}

_LEGEND = """\
control   a datagram to a host that has sent nothing
behavior  mapping and filtering: endpoint-independent (EI), address-dependent (AD),
          address-and-port-dependent (APD)
early     what an unasked packet does to the mapping
timer     of an idle mapping; *: by the kernel's countdown, others by waiting;
          out: only packets out refresh it
tools     on how many properties coturn's natdiscovery and stun-client agree
held      claims that hold, the tools' included"""


def lab_text(lab: LabState) -> str:
    """A lab and its nodes."""
    distance = f", {lab.rtt * 1000:g} ms round trip" if lab.rtt else ""
    rows = [(f"  {node.name}", _role(node), " ".join(node.addresses)) for node in lab.nodes]
    return "\n".join([f"{lab.name} ({lab.backend}{distance}{_holder(lab)})", *columns(rows)])


def proof_details(proofs: Sequence[Proof]) -> str:
    """Claimed against measured, one line a property; those that a foreign tool judges under its name."""
    blocks = [line for proof in proofs for block in _blocks(proof) for line in (*columns(block), "")]
    has_countdown = any(COUNTDOWN in value for proof in proofs for value in proof.claimed.values())
    remarks = [
        f"not compared: {proof.profile}, {name}: {why}"
        for proof in proofs
        for name, why in proof.remarks.items()
    ]
    notes = [*([f"*: {COUNTDOWN}"] if has_countdown else []), *remarks]
    return "\n".join([*blocks, *notes, *([""] if notes else []), _verdict(proofs)])


def _blocks(proof: Proof) -> Iterator[list[tuple[str, ...]]]:
    """The rows of each who has measured: netlab under the profile's name, then the tools under theirs."""
    for tool, names in groupby(proof.claimed, key=lambda name: name.partition(" (")[2].rstrip(")")):
        rows: list[tuple[str, ...]] = [(tool or proof.profile, "claimed", "measured", "")]
        for name in names:
            texts = [
                text.replace(f", {COUNTDOWN}", " *") for text in (proof.claimed[name], proof.measured[name])
            ]
            verdict = "DIFFERS" if name in proof.differences else "ok"
            rows.append((re.split("[:(]", name)[0].strip(), *texts, verdict))
        yield rows


def proof_table(proofs: Sequence[Proof]) -> str:
    """What was measured, one line a profile; where it is not what was claimed, a mark and a line below."""
    rows = [("profile", *_COLUMNS, "tools", "held")]
    for proof in proofs:
        held = f"{len(proof.claimed) - len(proof.differences)}/{len(proof.claimed)}"
        cells = [_cell(proof, names, shown) for names, shown in _COLUMNS.values()]
        rows.append((proof.profile, *cells, _others(proof), held if proof.holds else f"{held} FAILED"))
    differences = [
        f"DIFFERS: {proof.profile}, {name}: claimed {proof.claimed[name]}, measured {proof.measured[name]}"
        for proof in proofs
        for name in proof.differences
    ]
    return "\n".join([*columns(rows), "", _LEGEND, "", *differences, _verdict(proofs)])


def _cell(proof: Proof, names: tuple[str, ...], shown: Callable[[Mapping[str, str]], str]) -> str:
    if names[0] not in proof.claimed:
        return "-"
    return shown(proof.measured) + ("!" if set(names) & set(proof.differences) else "")


def _others(proof: Proof) -> str:
    """Whether the foreign tools agree: their properties end in the tool's name."""
    theirs = [name for name in proof.claimed if name.endswith(")")]
    agreeing = [name for name in theirs if name not in proof.differences]
    return f"{len(agreeing)}/{len(theirs)}" if theirs else "-"


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
