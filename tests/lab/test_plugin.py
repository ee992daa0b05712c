"""The pytest plugin with real labs, in inner runs of pytest; the unit tests pretend more."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netlab.state import known_labs
from tests import inner_pytest

pytestmark = pytest.mark.lab


def test_a_lab_is_there_for_the_test_and_tells_what_it_knows_when_it_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        ASK = "echo asking >&2; ping -c 1 -W 2 198.51.100.10"

        @pytest.mark.nat_matrix(["symmetric"], against=["open", "full-cone"], rtt=0.01)
        def test_it(nat_lab):
            asking = nat_lab.start("elsa", ["sh", "-c", ASK], label="asking")
            assert asking.wait() == 0
            assert len(nat_lab.topology.nats) == 1, "only one of them passes"
        """
    )
    result = pytester.runpytest(*inner_pytest.OPTIONS, "--nat-artefacts", "kept")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_it*symmetric:full-cone*",
            "*- lab nl-* -*",
            "nat-elsa is symmetric, proven: *mapping address-and-port-dependent*",
            "nat-anna is full-cone, proven: *filtering endpoint-independent*",
            "stderr of asking:",
            "    asking",
            "conntrack of nat-elsa: *",
            "    icmp *src=192.168.1.10 dst=198.51.100.10*",
            f"artefacts of this test: {pytester.path}/kept/*symmetric-full-cone-*",
        ]
    )
    assert len(list(pytester.path.glob("kept/*/asking.stdout"))) == 2
    assert not [lab for lab in known_labs() if lab.name in result.stdout.str()]


def test_two_runs_side_by_side_do_not_clash(pytester: pytest.Pytester) -> None:
    test = pytester.makepyfile(
        """
        def test_it(nat_lab):
            assert nat_lab.run("elsa", ["ping", "-c", "1", "198.51.100.10"]).returncode == 0
        """
    )
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    command = [sys.executable, "-m", "pytest", *options, str(test)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for run in runs:
        said, _ = run.communicate(timeout=60)
        assert run.returncode == 0, said
        assert "1 passed" in said
