"""The plugin in inner runs of pytest, with labs that only pretend; tests/lab/test_plugin.py has real ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from netlab import backends, lab
from netlab.backend import Backend
from netlab.errors import MislabelledNat, MissingTool
from netlab.testing import plugin, readiness
from netlab.topology import Topology
from tests import inner_pytest


class PretendedLab:
    """Takes the place of Lab in the fixture."""

    trouble: Exception | None = None
    log: list[str] = []  # noqa: RUF012 (pytest's inner runs make the labs, so only the class can remember)

    def __init__(self, topology: Topology, *, backend: Backend, artefacts: Path) -> None:
        self.topology = topology
        self.backend = backend
        self.name = "nl-pretended"
        self.artefacts = artefacts
        self.proofs = ()

    def up(self) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.artefacts.mkdir(parents=True, exist_ok=True)
        (self.artefacts / "elsa-program.stderr").write_text("elsa says why\n")
        self.log.append("up")

    def down(self) -> None:
        self.log.append("down")

    def conntrack(self, nat: str) -> list[str]:
        return [f"udp at {nat}"]


@pytest.fixture(autouse=True)
def _pretence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "Lab", PretendedLab)
    monkeypatch.setattr(readiness, "missing_for", lambda _: None)
    monkeypatch.setattr(PretendedLab, "trouble", None)
    monkeypatch.setattr(PretendedLab, "log", [])
    for name in ("CI", "NETLAB_REQUIRE", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """An inner run."""
    return pytester.runpytest(*inner_pytest.OPTIONS, *options)


def lines_of(result: pytest.RunResult) -> str:
    return "\n".join(result.outlines + result.errlines)


ONE_TEST = """
    def test_it(nat_lab):
        assert nat_lab.name == "nl-pretended"
"""

ONE_FAILURE = """
    def test_it(nat_lab):
        assert not nat_lab
"""


def test_a_test_without_a_marker_has_port_restricted_nats(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(nat_lab):
            assert [nat.profile.name for nat in nat_lab.topology.nats] == ["port-restricted"] * 2
            assert nat_lab.backend.name == "namespaces"
        """
    )
    run(pytester).assert_outcomes(passed=1)
    assert PretendedLab.log == ["up", "down"]


def test_the_closest_marker_wins_and_that_of_a_parameter_is_the_closest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.nat("naive", "naive")

        def profiles(lab):
            return [nat.profile.name for nat in lab.topology.nats]

        def test_module(nat_lab):
            assert profiles(nat_lab) == ["naive", "naive"]

        @pytest.mark.nat("symmetric", "full-cone", rtt=0.04)
        @pytest.mark.parametrize("rtt", [0.04, pytest.param(0, marks=pytest.mark.nat("naive", "symmetric"))])
        def test_function(nat_lab, rtt):
            expected = ["symmetric", "full-cone"] if rtt else ["naive", "symmetric"]
            assert (profiles(nat_lab), nat_lab.topology.rtt) == (expected, rtt)

        @pytest.mark.nat("symmetric", "symmetric")
        class TestClass:
            def test_method(self, nat_lab):
                assert profiles(nat_lab) == ["symmetric", "symmetric"]
        """
    )
    run(pytester).assert_outcomes(passed=4)


def test_a_topology_comes_from_a_file_beside_the_test_or_from_a_value(pytester: pytest.Pytester) -> None:
    folder = pytester.mkpydir("inner")
    (folder / "mine.toml").write_text('[hosts.alone]\naddresses = ["198.51.100.10"]\n')
    (folder / "test_it.py").write_text(
        """
import pytest
from netlab import Topology, profile, two_nats

MINE = two_nats(profile("open"), profile("naive"))

@pytest.mark.nat(topology="mine.toml")
def test_file(nat_lab):
    assert nat_lab.topology.node_names == ("alone",)

@pytest.mark.nat(topology=MINE)
def test_value(nat_lab):
    assert nat_lab.topology is MINE

@pytest.mark.parametrize("nat_lab", [MINE, ("open", "naive")], indirect=True, ids=["value", "pair"])
def test_parameter(nat_lab):
    assert nat_lab.topology == MINE
"""
    )
    run(pytester).assert_outcomes(passed=4)


def test_a_matrix_runs_a_test_behind_every_pair(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from netlab import Outcome, expected_between

        @pytest.mark.nat_matrix(["full-cone", "symmetric"], rtt=0.02)
        @pytest.mark.parametrize("times", [1, 2])
        def test_it(nat_lab, times):
            both = [nat.profile.name for nat in nat_lab.topology.nats]
            expected = Outcome.IMPOSSIBLE if both == ["symmetric"] * 2 else Outcome.DIRECT
            assert expected_between(nat_lab.topology, "elsa", "anna") is expected
        """
    )
    run(pytester).assert_outcomes(passed=8)
    listed = lines_of(run(pytester, "--collect-only", "-q"))
    assert "test_it[full-cone:symmetric-1]" in listed
    assert "test_it[symmetric:symmetric-2]" in listed


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        ('nat("symetric", "open")', "unknown NAT profile 'symetric': did you mean symmetric?"),
        ('nat("open", "open", rrt=1)', "nat: unknown option 'rrt': did you mean rtt?"),
        ('nat(topology="a.toml")', "a.toml: No such file or directory"),
        ('nat_matrix("open")', "nat_matrix: got 'open', expected a list of profiles"),
        ('parametrize("nat_lab", [("open", "ope")], indirect=True)', "'ope': did you mean open?"),
        (
            'parametrize("x", [pytest.param(1, marks=pytest.mark.nat(1, 2))])',
            "nat: profile: got 1, expected the name of one",
        ),
    ],
)
def test_a_wrong_marker_is_told_at_collection_in_one_line(
    pytester: pytest.Pytester, marker: str, complaint: str
) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.{marker}
        def test_it(nat_lab{", x" if '"x"' in marker else ""}):
            pass
        """
    )
    result = run(pytester)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    output = lines_of(result)
    assert f"{complaint}" in output
    assert "test_it.py::test_it" in output or "::test_it" in output
    assert "Traceback" not in output
    assert ".py:" not in output.replace(".py::", "")
    assert PretendedLab.log == []


def test_a_marker_that_comes_after_collection_is_told_when_the_test_begins(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.nat("open", "opne"))
        """
    )
    pytester.makepyfile(ONE_TEST)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["no lab: unknown NAT profile 'opne': did you mean open?"])


def test_nothing_is_asked_of_a_marker_called_nat_where_no_lab_is_wanted(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.nat("whatever")
        @pytest.mark.nat_matrix("whatever")
        def test_it():
            pass
        """
    )
    run(pytester).assert_outcomes(passed=1)


WANT = [
    ({}, (), "skipped"),
    ({"CI": "true"}, (), "errors"),
    ({"CI": "true", "NETLAB_REQUIRE": "0"}, (), "skipped"),
    ({"NETLAB_REQUIRE": "1"}, (), "errors"),
    ({}, ("--nat-require",), "errors"),
]


@pytest.mark.parametrize(("environment", "options", "outcome"), WANT)
def test_a_machine_without_labs_skips_unless_they_are_required(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    options: Sequence[str],
    outcome: str,
) -> None:
    monkeypatch.setattr(readiness, "missing_for", lambda backend: f"no {backend} here")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile(ONE_TEST)
    result = run(pytester, "-rs", *options)
    result.assert_outcomes(**{outcome: 1})
    assert "no namespaces here" in lines_of(result)
    assert PretendedLab.log == []


def test_what_only_the_lab_itself_misses_is_skipped_just_so(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PretendedLab, "trouble", MissingTool("nft", package="nftables"))
    pytester.makepyfile(ONE_TEST)
    run(pytester).assert_outcomes(skipped=1)
    run(pytester, "--nat-require").assert_outcomes(errors=1)


def test_a_nat_that_is_not_what_it_claims_is_one_line_and_no_traceback(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = MislabelledNat("nat-elsa", "naive", claimed={"mapping": "a"}, measured={"mapping": "b"})
    monkeypatch.setattr(PretendedLab, "trouble", trouble)
    pytester.makepyfile(ONE_TEST)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["no lab: nat-elsa is not naive: mapping: got b, expected a"])
    assert "plugin.py" not in lines_of(result)


def test_a_failure_shows_what_the_lab_knows(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE_FAILURE)
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- lab nl-pretended -*",
            "stderr of elsa-program:",
            "    elsa says why",
            "conntrack of nat-elsa: 1 entries",
            "    udp at nat-elsa",
            "artefacts of this test: *",
        ]
    )


def test_a_later_fixture_that_fails_shows_it_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def server(nat_lab):
            raise OSError("no server")

        def test_it(server):
            pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    assert "elsa says why" in lines_of(result)
    assert PretendedLab.log == ["up", "down"]


def test_a_success_shows_nothing_of_the_lab(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE_TEST)
    assert "nl-pretended" not in lines_of(run(pytester, "-rA"))


def test_every_test_has_a_folder_of_artefacts_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.nat_matrix(["open", "naive"])
        def test_it(nat_lab):
            (nat_lab.artefacts / "mine").write_text("")
        """
    )
    run(pytester, "--nat-artefacts", "kept").assert_outcomes(passed=4)
    folders = sorted(pytester.path.glob("kept/*"))
    assert len(folders) == 4
    assert all(sorted(file.name for file in one.iterdir())[-1] == "mine" for one in folders)


def test_what_an_earlier_run_left_is_not_mistaken_for_this_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE_TEST)
    run(pytester, "--nat-artefacts", "kept")
    [folder] = pytester.path.glob("kept/*")
    (folder / "old").write_text("")
    run(pytester, "--nat-artefacts", "kept")
    assert not (folder / "old").exists()
    assert (folder / "elsa-program.stderr").exists()


def test_artefacts_of_failures_alone_are_kept_on_request(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE_TEST + ONE_FAILURE.replace("test_it", "test_fails"))
    result = run(pytester, "--nat-artefacts", "kept", "--nat-keep-artefacts", "failed")
    result.assert_outcomes(passed=1, failed=1)
    [folder] = pytester.path.glob("kept/*")
    assert "test-fails" in folder.name


def test_artefacts_are_in_pytests_own_folder_where_no_other_was_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE_TEST)
    run(pytester, "--basetemp=temporary")
    assert len(list(pytester.path.glob("temporary/nat-artefacts/*/elsa-program.stderr"))) == 1


def test_artefacts_that_cannot_be_written_are_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ONE_TEST)
    pytester.path.joinpath("kept").write_text("a file")
    result = run(pytester, "--nat-artefacts", "kept")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["no lab: *kept*: Not a directory"])


def test_the_backend_comes_from_the_option_or_else_from_the_ini_file(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nnat_backend = docker\n")
    pytester.makepyfile(
        """
        def test_it(nat_lab, request):
            assert nat_lab.backend.name == (request.config.getoption("nat_backend") or "docker")
        """
    )
    run(pytester).assert_outcomes(passed=1)
    run(pytester, "--nat-backend", "namespaces").assert_outcomes(passed=1)


def test_a_wrong_backend_is_wrong_usage(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nnat_backend = dokcer\n")
    pytester.makepyfile(ONE_TEST)
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: nat_backend: got 'dokcer': did you mean docker?" in lines_of(result)
    assert run(pytester, "--nat-backend", "dokcer").ret == pytest.ExitCode.USAGE_ERROR


def test_the_plugin_knows_the_backends_that_there_are() -> None:
    assert plugin.BACKENDS == backends.BACKEND_NAMES


def test_an_async_test_has_a_lab_too(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_mode = auto\n")
    pytester.makepyfile(
        """
        import asyncio

        async def test_it(nat_lab):
            await asyncio.sleep(0)
            assert nat_lab.name == "nl-pretended"
        """
    )
    run(pytester).assert_outcomes(passed=1)


def test_different_tests_have_different_folders_whatever_their_names() -> None:
    ids = [
        "test_a.py::test[a b]",
        "test_a.py::test[a:b]",
        "test_a.py::test[ä b]",
        "t.py::t[" + "x" * 300 + "]",
    ]
    names = {plugin.folder_name(one) for one in ids}
    assert len(names) == len(ids)
    assert all(name.isascii() and len(name) < 140 and "/" not in name for name in names)
    assert plugin.folder_name("../..").startswith("-")


def test_pytest_without_the_plugin_works_and_with_it_loads_no_lab() -> None:
    program = (
        "import sys, pytest; import netlab.testing.plugin;"
        "print(*(name for name in sys.modules if name.startswith(('netlab', 'natcore', 'docker'))))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == ["netlab", "netlab.testing", "netlab.testing.plugin"]
