from __future__ import annotations

from pathlib import Path

import pytest

from netlab.errors import UnknownProfile, UsageProblem
from netlab.profiles import profile
from netlab.testing.markers import (
    BadMarker,
    default_topology,
    topologies_of,
    topology_of,
    topology_of_parameter,
)
from netlab.topology.scenes import two_nats

NOWHERE = Path("/nowhere")


def test_two_names_are_two_nats() -> None:
    wanted = two_nats(profile("symmetric"), profile("open"), rtt=0.04, loss=0.1, dual_stack=True)
    options = {"rtt": 0.04, "loss": 0.1, "dual_stack": True}
    assert topology_of(("symmetric", "open"), options, NOWHERE) == wanted


def test_a_profile_of_ones_own_needs_no_name_in_a_table() -> None:
    mine = profile("eim-adf-random")
    assert topology_of((mine, "open"), {}, NOWHERE) == two_nats(mine, profile("open"))


def test_a_topology_is_taken_as_it_is() -> None:
    mine = default_topology()
    assert topology_of((), {"topology": mine}, NOWHERE) is mine
    assert topology_of_parameter(mine, NOWHERE) is mine


def test_a_file_is_looked_for_beside_the_test(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text('[hosts.alone]\naddresses = ["198.51.100.10"]\n')
    topology = topology_of((), {"topology": "one.toml"}, tmp_path)
    assert topology.node_names == ("alone",)
    assert topology_of_parameter(Path("one.toml"), tmp_path) == topology


def test_a_parameter_may_be_a_pair() -> None:
    assert topology_of_parameter(("port-restricted", "port-restricted"), NOWHERE) == default_topology()


@pytest.mark.parametrize(
    ("args", "options", "complaint"),
    [
        ((), {}, "nat: got 0 profiles, expected two, elsa's and anna's, or topology=..."),
        (("open",), {}, "nat: got 1 profiles, expected two, elsa's and anna's, or topology=..."),
        (("symetric", "open"), {}, "unknown NAT profile 'symetric': did you mean symmetric?"),
        ((3, "open"), {}, "nat: profile: got 3, expected the name of one, or a NatProfile"),
        (("open", "open"), {"rrt": 1}, "nat: unknown option 'rrt': did you mean rtt?"),
        (
            ("open", "open"),
            {"x": 1},
            "nat: unknown option 'x': expected one of rtt, loss, dual_stack, topology",
        ),
        (("open", "open"), {"rtt": "40ms"}, "nat: rtt: got '40ms', expected seconds, like 0.04"),
        (("open", "open"), {"loss": True}, "nat: loss: got True, expected a probability, like 0.05"),
        (("open", "open"), {"loss": 2}, "loss: got 2, expected 0 or more and less than 1"),
        (("open", "open"), {"dual_stack": 1}, "nat: dual_stack: got 1, expected True or False"),
        (
            ("open", "open"),
            {"topology": "a.toml"},
            "nat: topology says it all, expected nothing beside it",
        ),
        ((), {"topology": "a.toml", "rtt": 1}, "nat: topology says it all, expected nothing beside it"),
        ((), {"topology": "a.toml"}, "nat: topology: /nowhere/a.toml: No such file or directory"),
        ((), {"topology": 7}, "nat: topology: got 7, expected a Topology or the path of a TOML file"),
    ],
)
def test_what_describes_no_lab_is_told_in_one_line(
    args: tuple[object, ...], options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(UsageProblem) as caught:
        topology_of(args, options, NOWHERE)
    assert str(caught.value) == complaint


def test_a_matrix_is_every_pair_in_both_directions_named_after_it() -> None:
    matrix = topologies_of((["open", "symmetric", "open"],), {"rtt": 0.1})
    assert list(matrix) == ["open:open", "open:symmetric", "symmetric:open", "symmetric:symmetric"]
    assert matrix["open:symmetric"] == two_nats(profile("open"), profile("symmetric"), rtt=0.1)


def test_a_matrix_may_have_other_profiles_on_the_other_side() -> None:
    assert list(topologies_of((["open"],), {"against": ["naive", "symmetric"]})) == [
        "open:naive",
        "open:symmetric",
    ]


@pytest.mark.parametrize(
    ("args", "options", "complaint"),
    [
        ((), {}, "nat_matrix: got 0 arguments, expected one list of profiles"),
        (("open", "naive"), {}, "nat_matrix: got 2 arguments, expected one list of profiles"),
        (("open",), {}, "nat_matrix: got 'open', expected a list of profiles"),
        (([],), {}, "nat_matrix: got an empty list, expected at least one profile"),
        ((["open"],), {"againts": []}, "nat_matrix: unknown option 'againts': did you mean against?"),
        ((["open"],), {"against": 5}, "nat_matrix: got 5, expected a list of profiles"),
    ],
)
def test_what_describes_no_matrix_is_told_in_one_line(
    args: tuple[object, ...], options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(BadMarker) as caught:
        topologies_of(args, options)
    assert str(caught.value) == complaint


def test_a_matrix_names_the_nearest_profile_too() -> None:
    with pytest.raises(UnknownProfile, match="did you mean full-cone"):
        topologies_of((["full-con"],), {})
