from __future__ import annotations

from dataclasses import replace

from netlab.cli.report import claims_text, columns, dialogue_line, lab_text, proof_details, proof_table
from netlab.demo import Demonstration
from netlab.evidence import Claim
from netlab.profiles import profile
from netlab.proof import Proof
from netlab.state import LabState, current_process, nodes_of
from netlab.topology.scenes import two_nats


def test_a_lab_is_a_heading_and_a_line_a_node() -> None:
    nodes = nodes_of(two_nats(profile("cgn-symmetric"), profile("open")))
    lab = LabState(name="nl-x", backend="namespaces", rtt=0.04, nodes=nodes, topology={})
    assert lab_text(lab).splitlines() == [
        "nl-x (namespaces, 40 ms round trip)",
        "  server        public host                                    198.51.100.10 198.51.100.20",
        "  anna          public host                                    203.0.113.33",
        "  nat-elsa      cgn-symmetric/home router behind carrier-elsa  100.64.0.2 192.168.1.1",
        "  carrier-elsa  cgn-symmetric/carrier router                   203.0.113.7 100.64.0.1",
        "  elsa          behind nat-elsa                                192.168.1.10",
    ]


def test_a_lab_that_is_held_says_by_whom() -> None:
    owner = current_process()
    assert owner is not None
    lab = LabState(name="nl-x", backend="docker", rtt=0.0, nodes=(), topology={}, owner=owner)
    assert lab_text(lab) == f"nl-x (docker, held by process {owner.pid})"
    orphan = replace(lab, owner=replace(owner, started=owner.started + 1))
    assert lab_text(orphan) == "nl-x (docker, left by a killed process)"


GOOD = Proof(
    node="nat",
    profile="symmetric",
    claimed={"mapping": "address-and-port-dependent", "mapping (stun)": "Dependent Mapping"},
    measured={"mapping": "address-and-port-dependent", "mapping (stun)": "Dependent Mapping"},
    remarks={"hairpinning (stun)": "not installed (apt-get install stun-client)"},
)
BAD = Proof(
    node="nat",
    profile="full-cone",
    claimed={"mapping": "endpoint-independent", "mapping lifetime": "120 s, by the kernel's countdown"},
    measured={"mapping": "address-dependent", "mapping lifetime": "120 s, by the kernel's countdown"},
)


def test_a_proof_in_detail_shows_claim_against_measurement() -> None:
    shown = proof_details([GOOD, BAD]).splitlines()
    assert [line.split()[-1] for line in shown[1:6]] == ["ok", "ok", "-", "DIFFERS", "ok"]
    assert shown[3].split(maxsplit=3)[3] == "not installed (apt-get install stun-client)  -"
    assert shown[-1] == "1 of 2 profiles are not what they claim: full-cone"
    assert proof_details([GOOD]).endswith("it is what it claims")


def test_a_table_of_proofs_is_a_line_a_profile_and_a_line_a_difference() -> None:
    heading, good, bad, *rest = proof_table([GOOD, BAD]).splitlines()
    assert heading.split()[:4] == ["profile", "control", "mapping", "filtering"]
    assert good.split()[:4] == ["symmetric", "-", "APDM", "-"]
    assert good.endswith("1 of 1      2 of 2")
    assert "EIM -> ADM" in bad
    assert "120 s *" in bad
    assert bad.endswith("1 of 2: FAILED")
    assert rest[-2] == (
        "DIFFERS: full-cone, mapping: claimed endpoint-independent, measured address-dependent"
    )
    assert proof_table([GOOD, GOOD]).endswith("all 2 profiles are what they claim")


def test_a_failed_claim_stands_out_and_so_does_the_verdict() -> None:
    claims = (
        Claim(claim="one", holds=True, evidence=("seen",)),
        Claim(claim="two", holds=False, evidence=()),
    )
    shown = Demonstration(lab="nl-x", transcript=(), claims=claims, seconds=1.25)
    assert claims_text(shown).splitlines() == [
        "",
        "held: one",
        "      seen",
        "",
        "FAILED: two",
        "",
        "a claim FAILED, in 1.2 s",
    ]


def test_the_chat_says_who() -> None:
    assert dialogue_line("elsa", "> @awake") == "  elsa | > @awake"


def test_no_rows_are_no_lines() -> None:
    assert columns([]) == []
