"""The report as people read it, and that nothing from the network drives their terminal."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from natcore.discovery import Known, LifetimeProgress, MappingLifetime, Unknown, WanSide
from natcore.nat import NatBehavior, PortAllocation
from peer.check.report import CheckReport, Observed
from peer.check.show import changes, headline, progress_text, show
from tests.unit.natcore.discovery.reports import PORTS, REFLEXIVE, report_of, silent, symmetric
from tests.unit.peer.check.checks import NO_IPV6, check_of

HOSTILE = "evil\x1b[2J\x1b]0;owned\x07\r\n\u202egpj.exe \x9b31m[red]not markup[/red]"


def shown(report: CheckReport, *, with_evidence: bool = False, width: int = 200) -> str:
    out = StringIO()
    show(report, Console(file=out, width=width, highlight=False), with_evidence=with_evidence)
    return out.getvalue()


def row(text: str, label: str) -> str:
    """What stands beside a label."""
    line = next(line for line in text.splitlines() if line.strip().startswith(label))
    return line.strip().removeprefix(label).strip()


# --- what is shown ------------------------------------------------------------------------------------------


def test_every_property_has_its_row_in_plain_words() -> None:
    text = shown(check_of())
    assert row(text, "seen as") == "203.0.113.7"
    assert row(text, "round trip") == "40.0 ms"
    assert row(text, "UDP blocked") == "no"
    assert row(text, "TCP passes") == "yes"
    assert row(text, "mapping") == "endpoint-independent"
    assert row(text, "filtering") == "address-and-port-dependent"
    assert row(text, "ports") == "preserving (90% sure, 20 samples)"
    assert row(text, "carrier-grade NAT") == "no"
    assert row(text, "outside of the nearest NAT") == "public"
    assert row(text, "mapping lifetime").startswith("unknown, because measuring it takes minutes")
    assert f"unknown, because {NO_IPV6}" in text
    assert row(text, "UPnP").startswith("no")


def test_evidence_is_shown_to_who_asks_for_it() -> None:
    assert "(seen)" not in shown(check_of())
    assert row(shown(check_of(), with_evidence=True), "filtering").endswith("(seen)")


@pytest.mark.parametrize(
    ("kind", "step", "expected"),
    [
        (PortAllocation.SEQUENTIAL, 1, "sequential, step +1 (90% sure, 20 samples)"),
        (PortAllocation.SEQUENTIAL, -2, "sequential, step -2 (90% sure, 20 samples)"),
        (PortAllocation.RANDOM, None, "random, seen from 40000 to 40019 (90% sure, 20 samples)"),
    ],
)
def test_ports_are_told_in_words(kind: PortAllocation, step: int | None, expected: str) -> None:
    ports = Known(replace(PORTS, kind=kind, step=step), "seen")
    assert row(shown(check_of(report_of(allocation=ports))), "ports") == expected


@pytest.mark.parametrize(("at_most", "expected"), [(30.0, "28 to 30 s"), (None, "more than 28 s")])
def test_a_lifetime_is_told_with_both_ends(at_most: float | None, expected: str) -> None:
    life = Known(MappingLifetime(at_least=28.0, at_most=at_most), "seen")
    assert row(shown(check_of(report_of(mapping_lifetime=life))), "mapping lifetime") == expected


def test_where_nobody_answered_every_row_says_why() -> None:
    text = shown(check_of(silent(is_blocked=True)))
    assert row(text, "seen as") == "unknown, because no server answered"
    assert row(text, "UDP blocked") == "yes"
    assert row(text, "mapping") == "unknown, because nobody answered"


def test_the_verdict_and_the_advice_stand_above_everything() -> None:
    report = check_of(report_of(symmetric()))
    text = shown(report)
    assert report.advice
    for line in (report.verdict, *report.advice):
        assert line in text
    assert text.index(report.verdict) < text.index("IPv4")


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_narrow_terminal_is_no_misfortune(width: int) -> None:
    text = shown(check_of(), with_evidence=True, width=width)
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("at_most", "expected"),
    [
        (None, "mapping lifetime: more than 16 s"),
        (32.0, "mapping lifetime: more than 16 s, less than 32 s"),
    ],
)
def test_progress_says_what_is_known_so_far(at_most: float | None, expected: str) -> None:
    progress = LifetimeProgress(elapsed=1.0, expected=2.0, at_least=16.0, at_most=at_most)
    assert progress_text(progress) == expected


# --- the headline -------------------------------------------------------------------------------------------


def test_the_headline_is_short_and_has_the_verdict_the_reach_and_the_advice() -> None:
    report = check_of(report_of(symmetric()))
    first, second, third, *rest = headline(report)
    assert first == f"your NAT: {report.verdict}"
    assert second == "  mapping address-and-port-dependent, filtering address-and-port-dependent"
    assert third.endswith("seen as 203.0.113.7")
    assert len(rest) == len(report.reach) + len(report.advice)
    assert rest[-1] == f"  to change that: {report.advice[-1]}"


def test_without_an_answer_the_headline_says_only_what_is_known() -> None:
    report = check_of(silent(is_blocked=True))
    assert len(headline(report)) == 1 + len(report.reach) + len(report.advice)


# --- hostile text -------------------------------------------------------------------------------------------

UNSAFE = set("\x1b\x07\r\x9b\u202e")


@pytest.mark.parametrize("with_evidence", [False, True])
@pytest.mark.parametrize("is_available", [False, True])
def test_a_gateways_words_never_reach_the_terminal_as_they_are(
    is_available: bool, with_evidence: bool
) -> None:
    gateway = Observed(value=is_available, evidence=HOSTILE)
    unknown = Observed(unknown_because=HOSTILE)
    text = shown(check_of(port_mapping={"UPnP": gateway, "PCP": unknown}), with_evidence=with_evidence)
    assert not UNSAFE & set(text)
    assert r"\x1b[2J" in text
    assert "[red]not markup[/red]" in text


def test_hostile_words_of_a_server_never_reach_the_terminal_as_they_are() -> None:
    known, unknown = Known(value=False, evidence=HOSTILE), Unknown(HOSTILE)
    found = report_of(hairpinning=known, filtering=unknown, mapping_lifetime=unknown)
    report = check_of(found, verdict=f"verdict {HOSTILE}", advice=(HOSTILE,), notes=(HOSTILE,))
    text = shown(report, with_evidence=True) + "".join(headline(report))
    other = check_of(replace(found, filtering=Unknown(HOSTILE[::-1])), verdict="another")
    text += "".join([*changes(report, other), *changes(other, report)])
    assert not UNSAFE & set(text)


# --- changes ------------------------------------------------------------------------------------------------


def test_the_same_again_is_no_change() -> None:
    assert list(changes(check_of(), check_of())) == []


def test_what_differs_each_time_is_no_change() -> None:
    again = report_of(
        rtt=0.5,
        packets_sent=99,
        elapsed=3.0,
        loss=0.1,
        allocation=Known(replace(PORTS, lowest=1, highest=2), "other words"),
    )
    assert list(changes(check_of(), check_of(again))) == []


def test_another_address_is_a_change() -> None:
    moved = report_of(reflexive_addresses=(REFLEXIVE + 1,))
    assert list(changes(check_of(), check_of(moved))) == ["IPv4: seen as: 203.0.113.7 -> 203.0.113.8"]


def test_another_nat_is_a_line_for_each_property_and_the_verdict() -> None:
    before, after = check_of(), check_of(report_of(NatBehavior(), wan_side=Known(WanSide.CARRIER, "seen")))
    assert list(changes(before, after)) == [
        "IPv4: filtering: address-and-port-dependent -> endpoint-independent",
        "IPv4: carrier-grade NAT: no -> yes",
        "IPv4: outside of the nearest NAT: public -> carrier-grade",
        f"verdict: {after.verdict}",
    ]


def test_what_becomes_unknown_is_a_change_with_its_reason() -> None:
    [line] = changes(check_of(), check_of(report_of(hairpinning=Unknown("it was lost"))))
    assert line == "IPv4: hairpinning: no -> unknown, because it was lost"


def test_a_family_that_comes_or_goes_is_a_change() -> None:
    with_ipv6 = check_of(ipv6=check_of().ipv4)
    assert list(changes(check_of(), with_ipv6)) == ["IPv6: is there"]
    assert list(changes(with_ipv6, check_of())) == ["IPv6: is gone"]
