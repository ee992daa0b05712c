"""Our ICE agent against libnice, which is GStreamer's, over loopback sockets, in either role."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from natcore.address import TransportAddress
from natcore.ice import (
    AgentState,
    Candidate,
    CandidateType,
    Credentials,
    IceAgent,
    IceConfig,
    LocalCandidate,
    PathConfirmed,
    PathSelected,
)
from tests.integration.ice_shell import PATIENCE, IceShell, from_sdp, opened_shell, to_sdp
from tests.lab.requirements import stop_for_want_of

PYTHON = "/usr/bin/python3"
PROGRAM = Path(__file__).with_name("libnice_agent.py")

REGULAR, AGGRESSIVE = "nomination-mode=0", "nomination-mode=1"


@pytest.fixture(scope="module", autouse=True)
def _libnice_is_installed() -> None:
    find = "import gi; gi.require_version('Nice', '0.1')"
    if subprocess.run([PYTHON, "-c", find], capture_output=True, check=False).returncode != 0:
        stop_for_want_of("libnice's introspection is not installed: `make test` installs it")


class Libnice:
    """The other side.

    Attributes:
        credentials: its.
        candidates: its.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self.credentials = Credentials("", "")
        self.candidates: list[Candidate] = []

    async def read_description(self) -> None:
        lines = str(await self.hear("sdp")).splitlines()
        values = dict(line.partition(":")[::2] for line in lines if line.startswith("a=ice-"))
        self.credentials = Credentials(values["a=ice-ufrag"], values["a=ice-pwd"])
        prefix = "a=candidate:"
        self.candidates = [from_sdp(line.removeprefix(prefix)) for line in lines if line.startswith(prefix)]

    def describe(self, ours: Credentials, candidates: Iterable[Candidate]) -> None:
        """Tells it of us."""
        lines = ["m=application 9 ICE/SDP", f"a=ice-ufrag:{ours.ufrag}", f"a=ice-pwd:{ours.pwd}"]
        lines += [f"a=candidate:{to_sdp(candidate)}" for candidate in candidates]
        self.say(json.dumps("\n".join(lines) + "\n"))

    def say(self, line: str) -> None:
        """From its second line on it sends them to us."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def hear(self, key: str, value: object = None) -> object:
        """The next thing that it tells under this key, or that it tells this."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self._process.stdout.readline():
                told: dict[str, Any] = json.loads(line)
                if key in told and value in (None, told[key]):
                    return told[key]
        raise AssertionError(f"libnice ended and never told of {key} {value or ''}")


@asynccontextmanager
async def opened_libnice(*, is_controlling: bool, properties: Iterable[str] = ()) -> AsyncIterator[Libnice]:
    role = "controlling" if is_controlling else "controlled"
    process = await asyncio.create_subprocess_exec(
        PYTHON, str(PROGRAM), role, *properties, stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    try:
        libnice = Libnice(process)
        await libnice.read_description()
        yield libnice
    finally:
        process.stdin.close()
        await process.wait()


def make_agent(
    shell: IceShell, theirs: Libnice, *, is_controlling: bool, config: IceConfig | None = None
) -> tuple[IceAgent, Credentials]:
    credentials = Credentials.generate(secrets.token_bytes)
    agent = IceAgent(
        config=config or IceConfig(),
        is_controlling=is_controlling,
        local=credentials,
        remote=theirs.credentials,
        local_candidates=[host(shell.base)],
        random=secrets.token_bytes,
    )
    return agent, credentials


def host(address: TransportAddress) -> LocalCandidate:
    return LocalCandidate.of(CandidateType.HOST, address, base=address)


async def assert_data_flows(shell: IceShell, theirs: Libnice) -> None:
    shell.send(b"to libnice")
    assert await theirs.hear("received") == "to libnice"
    theirs.say("from libnice")
    async with asyncio.timeout(PATIENCE):
        assert await shell.received.get() == b"from libnice"


@pytest.mark.parametrize(
    ("we_control", "mode"),
    [(True, REGULAR), (False, REGULAR), (False, AGGRESSIVE)],
    ids=["we control", "libnice controls", "libnice controls and nominates aggressively"],
)
async def test_both_find_and_nominate_a_path_and_data_flows_both_ways(we_control: bool, mode: str) -> None:
    async with (
        opened_shell() as shell,
        opened_libnice(is_controlling=not we_control, properties=[mode]) as theirs,
    ):
        agent, credentials = make_agent(shell, theirs, is_controlling=we_control)
        theirs.describe(credentials, [host(shell.base)])
        shell.start(agent, theirs.candidates)
        selected = await shell.wait_for(PathSelected)
        assert isinstance(selected, PathSelected)
        assert (selected.path.local, selected.path.remote) == (shell.base, theirs.candidates[0].address)
        await theirs.hear("state", "ready")
        await assert_data_flows(shell, theirs)
        assert agent.is_controlling is we_control
        assert agent.counters.rejections_received == 0


@pytest.mark.parametrize("both_control", [True, False], ids=["both controlling", "both controlled"])
async def test_a_role_conflict_with_libnice_resolves(both_control: bool) -> None:
    async with opened_shell() as shell, opened_libnice(is_controlling=both_control) as theirs:
        agent, credentials = make_agent(shell, theirs, is_controlling=both_control)
        theirs.describe(credentials, [host(shell.base)])
        shell.start(agent, theirs.candidates)
        await shell.wait_for(PathSelected)
        await theirs.hear("state", "ready")
        await assert_data_flows(shell, theirs)


@pytest.mark.parametrize("we_control", [True, False], ids=["we control", "libnice controls"])
async def test_an_address_that_libnice_was_not_told_of_is_learned_from_our_check(we_control: bool) -> None:
    async with opened_shell() as shell, opened_libnice(is_controlling=not we_control) as theirs:
        agent, credentials = make_agent(shell, theirs, is_controlling=we_control)
        theirs.describe(credentials, [host(TransportAddress(shell.base.ip, 9))])  # nobody is there
        shell.start(agent, theirs.candidates)
        await shell.wait_for(PathSelected)
        await theirs.hear("state", "ready")
        await assert_data_flows(shell, theirs)


@pytest.mark.parametrize("we_control", [True, False], ids=["we control", "libnice controls"])
async def test_an_address_that_we_were_not_told_of_is_learned_from_libnices_check(we_control: bool) -> None:
    async with opened_shell() as shell, opened_libnice(is_controlling=not we_control) as theirs:
        agent, credentials = make_agent(shell, theirs, is_controlling=we_control)
        shell.start(agent, [])
        theirs.describe(credentials, [host(shell.base)])
        confirmed = await shell.wait_for(PathConfirmed)
        assert isinstance(confirmed, PathConfirmed)
        assert confirmed.path.kind is CandidateType.PEER_REFLEXIVE
        await shell.wait_for(PathSelected)
        await theirs.hear("state", "ready")
        await assert_data_flows(shell, theirs)


async def test_consent_checks_are_answered_by_libnice() -> None:
    config = IceConfig(consent_interval=0.02, consent_timeout=5.0)
    async with opened_shell() as shell, opened_libnice(is_controlling=False) as theirs:
        agent, credentials = make_agent(shell, theirs, is_controlling=True, config=config)
        theirs.describe(credentials, [host(shell.base)])
        shell.start(agent, theirs.candidates)
        await shell.wait_for(PathSelected)
        await theirs.hear("state", "ready")
        rtts: set[float | None] = set()
        async with asyncio.timeout(PATIENCE):
            while len(rtts) < 4:  # each answered consent check measures the round trip anew
                theirs.say("tick")
                await shell.received.get()
                assert agent.path is not None
                rtts.add(agent.path.rtt)
        assert agent.state is AgentState.CONFIRMED
