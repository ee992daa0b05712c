from __future__ import annotations

from dataclasses import replace

from netlab.cli.report import claims_text, columns, dialogue_line, lab_text, proof_details, proof_table
from netlab.demo import Demonstration
from netlab.evidence import Claim
from netlab.profiles import COMBINATIONS, PROFILES, profile
from netlab.proof import Proof
from netlab.proof.claims import claims_of
from netlab.proof.opinions import TOOLS
from netlab.state import LabState, current_process, nodes_of
from netlab.topology.scenes import two_nats
from tests.unit.netlab.proof.subjects import subject


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


SYMMETRIC = {"mapping": "address-and-port-dependent", "filtering": "address-and-port-dependent"}
CONE = {"filtering": "endpoint-independent", "mapping lifetime": "120 s, by the kernel's countdown"}
GOOD = Proof(
    node="nat",
    profile="symmetric",
    claimed={**SYMMETRIC, "mapping (stun)": "Dependent Mapping"},
    measured={**SYMMETRIC, "mapping (stun)": "Dependent Mapping"},
    remarks={"hairpinning (stun)": "not installed (apt-get install stun-client)"},
)
BAD = Proof(
    node="nat",
    profile="full-cone",
    claimed={"mapping": "endpoint-independent", **CONE},
    measured={"mapping": "address-dependent", **CONE},
)


def holding(name: str) -> Proof:
    """A proof of all that is claimed of a profile."""
    measured = subject(name)
    claimed = claims_of(measured, patience=5.0)
    for tool in TOOLS:
        claimed |= {f"{what} ({tool.name})": words for what, words in tool.expected(measured).items()}
    return Proof(node="nat", profile=name, claimed=claimed, measured=claimed)


def test_a_proof_in_detail_shows_claim_against_measurement_under_who_measured() -> None:
    assert proof_details([GOOD, BAD]).splitlines() == [
        "symmetric  claimed                     measured",
        "mapping    address-and-port-dependent  address-and-port-dependent  ok",
        "filtering  address-and-port-dependent  address-and-port-dependent  ok",
        "",
        "stun     claimed            measured",
        "mapping  Dependent Mapping  Dependent Mapping  ok",
        "",
        "full-cone         claimed               measured",
        "mapping           endpoint-independent  address-dependent     DIFFERS",
        "filtering         endpoint-independent  endpoint-independent  ok",
        "mapping lifetime  120 s *               120 s *               ok",
        "",
        "*: by the kernel's countdown",
        "not compared: symmetric, hairpinning (stun): not installed (apt-get install stun-client)",
        "",
        "1 of 2 profiles are not what they claim: full-cone",
    ]
    assert proof_details([GOOD]).endswith("it is what it claims")


def test_a_table_of_proofs_is_a_line_a_profile_and_a_line_a_difference() -> None:
    heading, good, bad, *rest = proof_table([GOOD, BAD]).splitlines()
    assert heading.split() == [
        *("profile", "control", "behavior", "ports", "hairpin", "early", "timer", "TCP", "tools", "held")
    ]
    assert good.split() == ["symmetric", "-", "APDM", "APDF", *"-----", "1/1", "3/3"]
    assert bad.split() == ["full-cone", "-", "ADM", "EIF!", *"---", "120", "s*", *"--", "2/3", "FAILED"]
    assert rest[-2] == (
        "DIFFERS: full-cone, mapping: claimed endpoint-independent, measured address-dependent"
    )
    assert proof_table([GOOD, GOOD]).endswith("all 2 profiles are what they claim")


def test_the_table_says_of_ports_and_timers_what_sets_a_profile_apart() -> None:
    names = ("symmetric-sequential", "symmetric-small-pool", "short-lifetime", "corporate", "open")
    proofs = [holding(name) for name in names]
    sequential, pool, short, corporate, public = (
        line.split() for line in proof_table(proofs).splitlines()[1 : len(names) + 1]
    )
    assert sequential[4] == "sequential"
    assert pool[4] == "random/256"
    assert short[7:10] == ["3", "s", "out"]
    assert corporate[1:8] == ["stopped", *"-----", "80,443"]
    assert public[1:4] == ["arrives", "EIM", "EIF"]


def test_tables_of_proofs_fit_into_a_terminal() -> None:
    proofs = [holding(name) for name in (*PROFILES, *COMBINATIONS)]
    assert max(map(len, proof_table(proofs).splitlines())) <= 100
    assert max(map(len, proof_details(proofs).splitlines())) <= 100
    assert max(map(len, proof_details([holding("symmetric")]).splitlines())) <= 80


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
