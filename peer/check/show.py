"""The report as people read it: a verdict, what was seen, whom it reaches; safe to show on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from natcore.discovery import LifetimeProgress
from natcore.discovery.reach import Technique
from peer.check.report import CheckReport, FamilyReport, Observed
from peer.text import printable

_COLORS = {
    Technique.PLAIN_CHECKS.value: "green",
    Technique.MAPPED_PORT.value: "green",
    Technique.PREDICTION.value: "cyan",
    Technique.BIRTHDAY.value: "cyan",
    Technique.RELAY.value: "red",
    Technique.UNKNOWN.value: "yellow",
}


def show(report: CheckReport, console: Console, *, with_evidence: bool = False) -> None:
    """Prints a report.

    Args:
        report: what was found.
        console: where to.
        with_evidence: beside each value, what it was concluded from.
    """
    console.print(_render(report, with_evidence=with_evidence), soft_wrap=False)


def headline(report: CheckReport) -> list[str]:
    """The few lines that a chat shows."""
    lines = [f"your NAT: {report.verdict}"]
    family = report.ipv4
    if family is not None and family.rtt is not None:
        lines.append(f"  mapping {_plain(family.mapping)}, filtering {_plain(family.filtering)}")
        lines.append(f"  ports {_ports(family.allocation)}, seen as {', '.join(family.reflexive_addresses)}")
    lines += [f"  {row.peer:<32} {row.technique}" for row in report.reach]
    lines += [f"  to change that: {advice}" for advice in report.advice]
    return [printable(line) for line in lines]


def progress_text(progress: LifetimeProgress) -> str:
    """What a progress bar says beside itself."""
    upper = "" if progress.at_most is None else f", less than {progress.at_most:.3g} s"
    return f"mapping lifetime: more than {progress.at_least:.3g} s{upper}"


def _render(report: CheckReport, *, with_evidence: bool) -> RenderableType:
    parts: list[RenderableType] = [_verdict(report)]
    families = (
        ("IPv4", report.ipv4, report.ipv4_unknown_because),
        ("IPv6", report.ipv6, report.ipv6_unknown_because),
    )
    for name, family, reason in families:
        if family is not None:
            parts.append(_section(name, _rows(family), with_evidence=with_evidence))
        else:
            parts.append(_section(name, [("", Observed(unknown_because=reason))], with_evidence=True))
    if report.port_mapping:
        parts.append(_section("port mapping", list(report.port_mapping.items()), with_evidence=True))
    parts.append(_reach(report))
    parts += [Text(f"note: {printable(note)}", style="yellow") for note in report.notes]
    return Group(*parts)


def _verdict(report: CheckReport) -> RenderableType:
    text = Text(printable(report.verdict), style="bold")
    for advice in report.advice:
        text.append(f"\n- {printable(advice)}", style="not bold")
    return Panel(text, title="verdict", title_align="left", expand=False)


def _section(name: str, rows: list[tuple[str, Observed]], *, with_evidence: bool) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, observed in rows:
        table.add_row(label, _cell(observed, with_evidence=with_evidence))
    return Group(Text(name, style="bold"), Padding(table, (0, 0, 1, 2)))


def _rows(family: FamilyReport) -> list[tuple[str, Observed]]:
    seen = ", ".join(family.reflexive_addresses) or None
    rtt = None if family.rtt is None else f"{family.rtt * 1000:.1f} ms"
    return [
        ("seen as", Observed(value=seen, unknown_because="no server answered")),
        ("round trip", Observed(value=rtt, unknown_because="no server answered")),
        ("UDP blocked", family.udp_blocked),
        ("TCP passes", family.tcp_passes),
        ("translated", family.translated),
        ("mapping", family.mapping),
        ("filtering", family.filtering),
        (
            "ports",
            Observed(
                value=None if family.allocation.value is None else _ports(family.allocation),
                evidence=family.allocation.evidence,
                unknown_because=family.allocation.unknown_because,
            ),
        ),
        ("several addresses", family.several_addresses),
        ("hairpinning", family.hairpinning),
        ("carrier-grade NAT", family.carrier_grade_nat),
        ("outside of the nearest NAT", family.wan_side),
        ("mapping lifetime", _lifetime(family.mapping_lifetime)),
    ]


def _cell(observed: Observed, *, with_evidence: bool) -> Text:
    if observed.value is None:
        return Text(printable(f"unknown, because {observed.unknown_because}"), style="yellow")
    text = Text(printable(_plain(observed)))
    if with_evidence and observed.evidence:
        text.append(printable(f"  ({observed.evidence})"), style="dim")
    return text


def _plain(observed: Observed) -> str:
    match observed.value:
        case None:
            return f"unknown, because {observed.unknown_because}"
        case bool(value):
            return "yes" if value else "no"
        case value:
            return str(value)


def _ports(observed: Observed) -> str:
    if not isinstance(observed.value, dict):
        return _plain(observed)
    found = observed.value
    step = f", step {found['step']:+d}" if found["step"] is not None else ""
    span = f", seen from {found['lowest']} to {found['highest']}" if found["kind"] == "random" else ""
    return f"{found['kind']}{step}{span} ({found['confidence']:.0%} sure, {found['samples']} samples)"


def _lifetime(observed: Observed) -> Observed:
    if not isinstance(observed.value, dict):
        return observed
    at_least, at_most = observed.value["at_least"], observed.value["at_most"]
    text = f"more than {at_least:g} s" if at_most is None else f"{at_least:g} to {at_most:g} s"
    return Observed(value=text, evidence=observed.evidence)


def _reach(report: CheckReport) -> RenderableType:
    table = Table(
        title="whom you can reach", title_justify="left", title_style="bold", box=None, pad_edge=False
    )
    table.add_column("peer's NAT", style="dim")
    table.add_column("by")
    for row in report.reach:
        table.add_row(row.peer, Text(row.technique, style=_COLORS[row.technique]))
    return table


def changes(before: CheckReport, after: CheckReport) -> Iterator[str]:
    """What differs between two reports of the same host, a line each; for ``--watch``."""
    for name, old, new in (("IPv4", before.ipv4, after.ipv4), ("IPv6", before.ipv6, after.ipv6)):
        if (old is None) != (new is None):
            yield f"{name}: {'is gone' if new is None else 'is there'}"
        elif old is not None and new is not None:
            was, now = _steady(old), _steady(new)
            for label in was:
                if was[label] != now[label]:
                    yield printable(f"{name}: {label}: {was[label]} -> {now[label]}")
    if before.verdict != after.verdict:
        yield printable(f"verdict: {after.verdict}")


def _steady(family: FamilyReport) -> dict[str, str]:
    """The rows without what differs a little each time and means nothing."""
    rows = {label: _plain(observed) for label, observed in _rows(family) if label != "round trip"}
    found = family.allocation.value
    if isinstance(found, dict):
        rows["ports"] = (
            str(found["kind"]) if found["step"] is None else f"{found['kind']}, {found['step']:+d}"
        )
    return rows
