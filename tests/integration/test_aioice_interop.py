"""Our ICE agent against the real aioice, over loopback sockets, in either role."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aioice
import aioice.ice
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


@asynccontextmanager
async def opened_aioice(*, ice_controlling: bool) -> AsyncIterator[aioice.Connection]:
    connection = aioice.Connection(ice_controlling=ice_controlling)
    try:
        await connection.gather_candidates()
        yield connection
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    # aioice leaves loopback out on purpose; here there is nothing else that a test may touch.
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


def make_agent(
    shell: IceShell, theirs: aioice.Connection, *, is_controlling: bool
) -> tuple[IceAgent, Credentials]:
    credentials = Credentials.generate(secrets.token_bytes)
    local = LocalCandidate.of(CandidateType.HOST, shell.base, base=shell.base)
    agent = IceAgent(
        config=IceConfig(),
        is_controlling=is_controlling,
        local=credentials,
        remote=Credentials(theirs.local_username, theirs.local_password),
        local_candidates=[local],
        random=secrets.token_bytes,
    )
    return agent, credentials


def candidates_of(theirs: aioice.Connection) -> list[Candidate]:
    return [from_sdp(candidate.to_sdp()) for candidate in theirs.local_candidates]


async def tell(
    theirs: aioice.Connection, credentials: Credentials, addresses: list[TransportAddress]
) -> None:
    """Gives aioice our credentials and candidates."""
    theirs.remote_username, theirs.remote_password = credentials.ufrag, credentials.pwd
    for address in addresses:
        own = LocalCandidate.of(CandidateType.HOST, address, base=address)
        await theirs.add_remote_candidate(aioice.Candidate.from_sdp(to_sdp(own)))
    await theirs.add_remote_candidate(None)


async def assert_data_flows(shell: IceShell, theirs: aioice.Connection) -> None:
    async with asyncio.timeout(PATIENCE):
        shell.send(b"to aioice")
        assert await theirs.recv() == b"to aioice"
        await theirs.send(b"from aioice")
        assert await shell.received.get() == b"from aioice"


@pytest.mark.parametrize("we_control", [True, False], ids=["we control", "aioice controls"])
async def test_both_find_and_nominate_a_path_and_data_flows_both_ways(we_control: bool) -> None:
    async with opened_shell() as shell, opened_aioice(ice_controlling=not we_control) as theirs:
        agent, credentials = make_agent(shell, theirs, is_controlling=we_control)
        await tell(theirs, credentials, [shell.base])
        shell.start(agent, candidates_of(theirs))
        async with asyncio.timeout(PATIENCE):
            await theirs.connect()
        selected = await shell.wait_for(PathSelected)
        assert isinstance(selected, PathSelected)
        assert selected.path.remote == candidates_of(theirs)[0].address
        assert selected.path.local == shell.base
        await assert_data_flows(shell, theirs)
        assert agent.is_controlling is we_control
        assert agent.counters.rejections_received == 0


@pytest.mark.parametrize("both_control", [True, False], ids=["both controlling", "both controlled"])
async def test_a_role_conflict_with_aioice_resolves(both_control: bool) -> None:
    async with opened_shell() as shell, opened_aioice(ice_controlling=both_control) as theirs:
        agent, credentials = make_agent(shell, theirs, is_controlling=both_control)
        await tell(theirs, credentials, [shell.base])
        shell.start(agent, candidates_of(theirs))
        async with asyncio.timeout(PATIENCE):
            await theirs.connect()
        await shell.wait_for(PathSelected)
        assert agent.is_controlling is not theirs.ice_controlling
        await assert_data_flows(shell, theirs)


@pytest.mark.parametrize("we_control", [True, False], ids=["we control", "aioice controls"])
async def test_an_address_that_aioice_was_not_told_of_is_learned_from_our_check(we_control: bool) -> None:
    async with opened_shell() as shell, opened_aioice(ice_controlling=not we_control) as theirs:
        agent, credentials = make_agent(shell, theirs, is_controlling=we_control)
        # Port 9 discards; aioice wants one candidate, and shall find the right one by itself.
        await tell(theirs, credentials, [TransportAddress(shell.base.ip, 9)])
        shell.start(agent, candidates_of(theirs))
        async with asyncio.timeout(PATIENCE):
            await theirs.connect()
        await assert_data_flows(shell, theirs)


async def test_an_address_that_we_were_not_told_of_is_learned_from_aioices_check() -> None:
    async with opened_shell() as shell, opened_aioice(ice_controlling=True) as theirs:
        agent, credentials = make_agent(shell, theirs, is_controlling=False)
        await tell(theirs, credentials, [shell.base])
        shell.start(agent, [])
        async with asyncio.timeout(PATIENCE):
            await theirs.connect()
        confirmed = await shell.wait_for(PathConfirmed)
        assert isinstance(confirmed, PathConfirmed)
        assert confirmed.path.kind is CandidateType.PEER_REFLEXIVE
        await assert_data_flows(shell, theirs)


async def test_consent_checks_are_answered_by_aioice() -> None:
    async with opened_shell() as shell, opened_aioice(ice_controlling=False) as theirs:
        credentials = Credentials.generate(secrets.token_bytes)
        agent = IceAgent(
            config=IceConfig(consent_interval=0.02, consent_timeout=5.0),
            is_controlling=True,
            local=credentials,
            remote=Credentials(theirs.local_username, theirs.local_password),
            local_candidates=[LocalCandidate.of(CandidateType.HOST, shell.base, base=shell.base)],
            random=secrets.token_bytes,
        )
        await tell(theirs, credentials, [shell.base])
        shell.start(agent, candidates_of(theirs))
        async with asyncio.timeout(PATIENCE):
            await theirs.connect()
            await shell.wait_for(PathSelected)
            rtts: set[float | None] = set()
            while len(rtts) < 4:  # each answered consent check measures the round trip anew
                await theirs.send(b"tick")
                await shell.received.get()
                assert agent.path is not None
                rtts.add(agent.path.rtt)
        assert agent.state is AgentState.CONFIRMED
