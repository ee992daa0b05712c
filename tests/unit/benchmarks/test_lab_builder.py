from __future__ import annotations

import pytest

from benchmarks.lab_builder import PROFILES, topology_of
from benchmarks.lab_race import ROWS, Scene
from netlab.topology.scenes import two_nats


def test_two_homes_are_the_scene_of_every_traversal() -> None:
    assert topology_of(2) == two_nats(*PROFILES)


@pytest.mark.parametrize("homes", [1, 9])
def test_every_home_is_a_router_with_one_host_behind_it(homes: int) -> None:
    topology = topology_of(homes)

    assert len(topology.nats) == homes
    assert [len(topology.hosts_behind(nat)) for nat in topology.nats] == [1] * homes
    assert len(topology.public_hosts) == 1


def test_the_lab_of_twenty_nodes_has_twenty_with_the_core() -> None:
    homes = {row.homes for row in ROWS if row.scene is Scene.TWENTY_NODES}

    assert [len(topology_of(number).node_names) + 1 for number in homes] == [20]
