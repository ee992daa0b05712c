"""What foreign tools have really printed, in labs, behind the NATs that stand before each text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from netlab.errors import MissingTool
from netlab.profiles import COMBINATIONS, PROFILES, NatProfile, profile
from netlab.proof import opinions
from netlab.proof.opinions import NO_WORD, TOOLS, ask_tools, judge
from netlab.proof.programs import Programs
from tests.unit.netlab.proof.subjects import changed, subject

HAIRPINNING = "full-cone-that-hairpins"


def recorded() -> dict[tuple[str, str, str], str]:
    """What was printed, by profile, tool and question."""
    sections = (Path(__file__).parent / "foreign_tools.txt").read_text().split("##### ")[1:]
    texts = (section.partition("\n") for section in sections)
    found = {}
    for title, _, text in texts:
        name, tool, question = title.split(" ")
        found[name, tool, question] = text
    return found


PRINTED = recorded()


def heard(name: str) -> Mapping[str, dict[str, str]]:
    """What the tools said of a profile, by tool."""
    words: dict[str, dict[str, str]] = {}
    for tool in TOOLS:
        for question in tool.questions:
            said = tool.heard(question, PRINTED[name, tool.name, question])
            words.setdefault(tool.name, {}).update(said)
    return words


def entry(name: str) -> NatProfile:
    return changed("full-cone", hairpinning=True) if name == HAIRPINNING else profile(name)


@pytest.mark.parametrize("name", sorted({name for name, _, _ in PRINTED}))
def test_the_words_of_both_tools_are_understood(name: str) -> None:
    opinion = judge(
        subject(entry(name), routers=("nat", "carrier") if "cgn" in name else ("nat",)), heard(name), {}
    )
    assert opinion.said == opinion.claimed
    assert NO_WORD not in opinion.said.values()


@pytest.mark.parametrize(
    ("claimed", "actual", "differences"),
    [
        ("symmetric", "address-dependent", {"mapping (natdiscovery)"}),
        ("full-cone", "address-restricted", {"filtering (natdiscovery)", "filtering (stun)"}),
        ("full-cone", HAIRPINNING, {"hairpinning (natdiscovery)", "hairpinning (stun)"}),
        ("open", "stateful-firewall", {"filtering (natdiscovery)", "type (stun)"}),
        ("corporate", "udp-blocked", set()),
        (
            "udp-blocked",
            "address-restricted",
            {"mapping (natdiscovery)", "filtering (natdiscovery)", "type (stun)"},
        ),
    ],
)
def test_a_tool_that_was_asked_behind_another_nat_disagrees(
    claimed: str, actual: str, differences: set[str]
) -> None:
    opinion = judge(subject(entry(claimed)), heard(actual), {})
    differing = {name for name, words in opinion.claimed.items() if opinion.said[name] != words}
    assert differing == differences


@pytest.mark.parametrize("name", [*PROFILES, *COMBINATIONS])
def test_every_claim_has_a_translation(name: str) -> None:
    claimed = judge(subject(name), {tool.name: {} for tool in TOOLS}, {}).claimed
    assert claimed
    assert all(claimed.values())


def test_a_tool_without_words_for_it_is_remarked_and_not_compared() -> None:
    opinion = judge(subject("cgn-cone", routers=("home", "carrier")), heard("cgn-cone"), {})
    assert "hairpinning (natdiscovery)" not in opinion.claimed
    assert "inner router" in opinion.remarks["hairpinning (natdiscovery)"]
    assert opinion.said["hairpinning (stun)"] == "will hairpin"


def test_babble_is_no_verdict() -> None:
    for tool in TOOLS:
        for question in tool.questions:
            assert set(tool.heard(question, "Segmentation fault").values()) <= {NO_WORD}


def test_a_tool_that_is_not_installed_is_remarked_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(tool: str) -> str:
        raise MissingTool(tool, package=tool)

    monkeypatch.setattr(opinions, "find_tool", find)
    opinion = ask_tools("nl-x", subject("symmetric"), Programs())
    assert opinion.claimed == {}
    assert opinion.remarks == {
        "natdiscovery": "not installed (apt-get install coturn)",
        "stun": "not installed (apt-get install stun-client)",
    }


def test_stun_is_not_asked_over_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    ipv6 = replace(subject("symmetric"), address=IPv6Address("2001:db8:e::10"))
    monkeypatch.setattr(opinions, "TOOLS", TOOLS[1:])
    assert ask_tools("nl-x", ipv6, Programs()).remarks == {"stun": "does not speak IPv6"}
