from __future__ import annotations

import json

from click.testing import CliRunner

from netlab.cli.commands import cli
from netlab.profiles import COMBINATIONS, PROFILES


def listed(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["profiles", *arguments])
    assert done.exit_code == 0
    return done.output


def test_every_profile_is_listed_once_and_fits_into_a_terminal() -> None:
    words = listed().split()
    lines = listed().splitlines()
    assert all(sum(line.startswith(f"{name} ") for line in lines) == 1 for name in PROFILES)
    assert all(words.count(name) == 1 for name in COMBINATIONS)
    assert max(map(len, lines)) <= 90


def test_one_profile_is_told_of_by_its_behaviour_and_its_devices() -> None:
    shown = listed("corporate")
    assert shown.startswith("corporate: only TCP to ports 80 and 443 passes\n")
    assert "  TCP               ports 80, 443\n" in shown


def test_the_json_has_every_profile() -> None:
    assert list(json.loads(listed("--json"))["profiles"]) == [*PROFILES, *COMBINATIONS]
