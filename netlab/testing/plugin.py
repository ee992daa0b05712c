"""The pytest plugin: a fixture ``nat_lab`` that is a running lab, and markers that say which.

::

    @pytest.mark.nat("symmetric", "port-restricted", rtt=0.040)
    def test_two_peers_fall_back_to_the_relay(nat_lab):
        nat_lab.start("server", ["my-server"]).wait_for_line("listening")
        assert nat_lab.run("elsa", ["my-program"]).returncode == 0

pytest imports this module wherever the toolkit is installed, so it costs nothing: the lab is imported when a
test is collected that wants one, and built when it runs. What is wrong with a marker is told at collection,
in one line. A machine that cannot run labs skips such tests, unless they are required.

Each lab has a name and a folder of its own, so tests may run side by side (pytest-xdist). What is built in
one process and lost with it, ``netlab clean`` removes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from netlab.lab import Lab
    from netlab.topology import Topology

FIXTURE = "nat_lab"

BACKENDS = ("namespaces", "docker")
"""Those of netlab.backends, which is not imported for the sake of a help text."""

KEEP_CHOICES = ("always", "failed")

_DISTANCE = "rtt=0.0, loss=0.0, dual_stack=False"

_MARKERS = (
    f"nat(elsa, anna, *, {_DISTANCE}): the lab of the fixture nat_lab, by two NAT profiles",
    "nat(topology=...): the same, by a netlab Topology or the path of a TOML file from the test's folder on",
    f"nat_matrix(profiles, *, against=None, {_DISTANCE}): a test with nat_lab, behind every pair of these",
)

_SLUG_LENGTH = 120
"""Characters of a test's name in its folder's; file names may have 255 bytes."""

_LAB = pytest.StashKey["Lab"]()
_FOLDER = pytest.StashKey[Path]()
_HAS_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the plugin, all with ``nat`` in front."""
    group = parser.getgroup("netlab", "labs with real NATs (netlab)")
    group.addoption("--nat-backend", choices=BACKENDS, help="what the nodes are [namespaces]")
    group.addoption(
        "--nat-artefacts",
        metavar="DIR",
        help="where each test gets a folder for its programs' output and captures, emptied before it runs "
        "[pytest's temporary directory]",
    )
    group.addoption(
        "--nat-keep-artefacts", choices=KEEP_CHOICES, default=KEEP_CHOICES[0], help="of which tests [always]"
    )
    group.addoption(
        "--nat-require",
        action="store_true",
        help="fail where this machine cannot run labs, instead of skipping; so does CI=true, and "
        "NETLAB_REQUIRE=1 or 0 decides whatever CI says",
    )
    parser.addini("nat_backend", "what the nodes of labs are: namespaces or docker", default=BACKENDS[0])


def pytest_configure(config: pytest.Config) -> None:
    """Registers the markers, and checks what the ini file says."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    wanted = config.getini("nat_backend")
    if wanted not in BACKENDS:
        from netlab.nearest import guess

        raise pytest.UsageError(f"nat_backend: got {wanted!r}: {guess(wanted, BACKENDS)}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes one test a pair out of ``nat_matrix``."""
    marker = metafunc.definition.get_closest_marker("nat_matrix")
    if marker is None or FIXTURE not in metafunc.fixturenames:
        return
    from netlab.errors import LabError
    from netlab.testing.markers import topologies_of

    try:
        topologies = topologies_of(marker.args, marker.kwargs)
    except LabError as problem:
        raise _refusal(metafunc.definition, problem) from None
    metafunc.parametrize(FIXTURE, list(topologies.values()), ids=list(topologies), indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem() -> Generator[None, object, object]:
    """Refuses a test whose marker describes no lab, as a collection error of its file."""
    made = yield
    for item in made if isinstance(made, list) else ():
        if isinstance(item, pytest.Function) and FIXTURE in item.fixturenames:
            _check_marker(item)
    return made


@pytest.fixture
def nat_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab that is up and proven; the marker ``nat`` or ``nat_matrix`` says which, see pytest --markers.

    Without one, elsa and anna are behind port-restricted NATs, with a public server.
    """
    from netlab.backends import backend_named
    from netlab.complaint import complaint
    from netlab.errors import EnvironmentProblem, LabError
    from netlab.lab import Lab
    from netlab.testing.readiness import missing_for

    item, config = request.node, request.config
    backend = config.getoption("nat_backend") or config.getini("nat_backend")
    if missing := missing_for(backend):
        _stop_for_want_of(missing, config)
    folder = _folder_of(request)
    try:
        lab = Lab(_topology_of(item), backend=backend_named(backend), artefacts=folder)
        lab.up()
    except EnvironmentProblem as problem:
        _stop_for_want_of(str(problem), config)
    except (LabError, OSError) as problem:
        raise pytest.fail.Exception(f"no lab: {complaint(problem)}", pytrace=False) from None
    item.stash[_LAB] = lab
    item.stash[_FOLDER] = folder
    try:
        yield lab
    finally:
        del item.stash[_LAB]
        lab.down()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the lab's evidence to the report of a failure; after a success removes what shall not be kept."""
    report = yield
    if report.failed:
        item.stash[_HAS_FAILED] = True
        if lab := item.stash.get(_LAB, None):
            from netlab.testing.post_mortem import tell

            artefacts = f"artefacts of this test: {lab.artefacts}"
            report.sections.append((f"lab {lab.name}", f"{tell(lab)}\n{artefacts}"))
    if call.when == "teardown" and item.config.getoption("nat_keep_artefacts") == "failed":
        folder = item.stash.get(_FOLDER, None)
        if folder is not None and not item.stash.get(_HAS_FAILED, False):
            shutil.rmtree(folder, ignore_errors=True)
    return report


def _check_marker(item: pytest.Function) -> None:
    from netlab.errors import LabError

    try:
        _topology_of(item)
    except LabError as problem:
        raise _refusal(item, problem) from None


def _topology_of(item: pytest.Item) -> Topology:
    """What a test asks for: by a parameter of the fixture, else by the closest marker, else the default."""
    from netlab.testing import markers

    folder = item.path.parent
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if FIXTURE in parameters:
        return markers.topology_of_parameter(parameters[FIXTURE], folder)
    marker = next(_nat_markers(item), None)
    return markers.default_topology() if marker is None else markers.topology_of(*marker[:2], folder)


def _nat_markers(item: pytest.Item) -> Iterator[tuple[tuple[object, ...], dict[str, object]]]:
    """The markers ``nat`` of a test, the closest first: a parameter's, the function's, then further out."""
    of_parameters: Iterable[pytest.Mark] = item.callspec.marks if hasattr(item, "callspec") else ()
    for marker in (*of_parameters, *item.iter_markers("nat")):
        if marker.name == "nat":
            yield marker.args, dict(marker.kwargs)


def _refusal(node: pytest.Item, problem: Exception) -> pytest.Collector.CollectError:
    return pytest.Collector.CollectError(f"{node.nodeid}: {problem}")


def _stop_for_want_of(missing: str, config: pytest.Config) -> NoReturn:
    from netlab.testing.readiness import is_required

    if config.getoption("nat_require") or is_required(os.environ):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


def _folder_of(request: pytest.FixtureRequest) -> Path:
    """Where a test's artefacts go; what an earlier run of the same test left there is removed."""
    wanted = request.config.getoption("nat_artefacts")
    if wanted is None:
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        artefacts = factory.getbasetemp() / "nat-artefacts"
    else:
        artefacts = request.config.invocation_params.dir / wanted
    folder = artefacts / folder_name(request.node.nodeid)
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def folder_name(node_id: str) -> str:
    """A file name for a test: readable, and different for every node id whatever characters are in it."""
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", node_id).strip(".-")[-_SLUG_LENGTH:]
    return f"{readable}-{hashlib.sha256(node_id.encode()).hexdigest()[:8]}"
