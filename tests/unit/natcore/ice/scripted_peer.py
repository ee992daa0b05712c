"""The other side of one ICE agent, played by the test: it answers what it likes, as it likes."""

from __future__ import annotations

import random
from ipaddress import IPv4Address

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.ice import Candidate, CandidateType, Credentials, IceAgent, IceConfig, IceEvent, LocalCandidate
from natcore.ice.check import build_check, build_role_conflict, build_success

BASE = TransportAddress(IPv4Address("192.0.2.1"), 4000)
PEER = TransportAddress(IPv4Address("198.51.100.1"), 5000)
ELSEWHERE = TransportAddress(IPv4Address("203.0.113.66"), 6666)
OURS = Credentials("ourfrag", "ourpassword" * 2)
THEIRS = Credentials("theirfrag", "theirpassword" * 2)


def host(address: TransportAddress) -> LocalCandidate:
    return LocalCandidate.of(CandidateType.HOST, address, base=address)


def make_agent(
    *,
    is_controlling: bool = True,
    config: IceConfig | None = None,
    bases: tuple[TransportAddress, ...] = (BASE,),
    seed: int = 1,
    opener_ttl: int | None = None,
) -> IceAgent:
    return IceAgent(
        config=config or IceConfig(),
        is_controlling=is_controlling,
        local=OURS,
        remote=THEIRS,
        local_candidates=[host(base) for base in bases],
        random=random.Random(seed).randbytes,
        opener_ttl=opener_ttl,
    )


class ScriptedPeer:
    """Drives one agent; its own messages are made with the keys of both sides."""

    def __init__(self, agent: IceAgent) -> None:
        self.agent = agent
        self.now = 0.0
        self._random = random.Random(2)

    def start(self, *addresses: TransportAddress) -> list[Transmit]:
        """Starts the agent with host candidates; returns its first checks."""
        self.agent.start([host(address) for address in addresses or (PEER,)], self.now)
        return self.agent.datagrams_to_send()

    def at(self, now: float) -> list[Transmit]:
        """Lets the agent's timer fire at an instant."""
        self.now = now
        self.agent.handle_timer(now)
        return self.agent.datagrams_to_send()

    def run_until(self, end: float) -> list[Transmit]:
        """Lets the agent's timers fire when they are due, up to an instant."""
        sent: list[Transmit] = []
        for _ in range(10_000):
            due = self.agent.get_timer()
            if due is None or due > end:
                self.now = end
                return sent
            assert due >= self.now, "the timer lies in the past"
            sent += self.at(due)
            due_now = self.agent.get_timer()
            assert due_now is None or due_now > due, "a busy loop"
        raise AssertionError("ten thousand timers")

    def check(
        self,
        *,
        source: TransportAddress = PEER,
        base: TransportAddress = BASE,
        is_controlling: bool = False,
        tie_breaker: int = 0,
        nominates: bool = False,
        local: Credentials = THEIRS,
        remote: Credentials = OURS,
    ) -> list[Transmit]:
        """Sends a check to the agent; returns what the agent says to it."""
        data = build_check(
            transaction_id=stun.TransactionId(self._random.randbytes(12)),
            local=local,
            remote=remote,
            candidate=host(source),
            is_controlling=is_controlling,
            tie_breaker=tie_breaker,
            nominates=nominates,
        )
        return self.deliver(data, source=source, base=base)

    def deliver(
        self, data: bytes, *, source: TransportAddress = PEER, base: TransportAddress = BASE
    ) -> list[Transmit]:
        self.agent.receive_datagram(data, source, base, self.now)
        return self.agent.datagrams_to_send()

    def answer(
        self, transmit: Transmit, *, source: TransportAddress | None = None, key: Credentials = THEIRS
    ) -> list[Transmit]:
        """Answers a check of the agent's with success."""
        request = stun.Message.decode(transmit.data)
        data = build_success(request, transmit.base, local=key)
        return self.deliver(data, source=source or transmit.destination, base=transmit.base)

    def reject(self, transmit: Transmit, code: int = 487) -> list[Transmit]:
        """Answers a check of the agent's with an error."""
        request = stun.Message.decode(transmit.data)
        if code == 487:
            data = build_role_conflict(request, local=THEIRS)
        else:
            data = stun.error_response(request, code, "No", THEIRS.key)
        return self.deliver(data, source=transmit.destination, base=transmit.base)

    def events(self) -> list[IceEvent]:
        """What the agent has told since the last time."""
        return list(iter(self.agent.next_event, None))


def requests(transmits: list[Transmit]) -> list[Transmit]:
    """The checks among some datagrams."""
    return [one for one in transmits if decode(one).message_class is stun.MessageClass.REQUEST]


def responses(transmits: list[Transmit]) -> list[Transmit]:
    """The answers among some datagrams."""
    return [one for one in transmits if decode(one).message_class is not stun.MessageClass.REQUEST]


def decode(transmit: Transmit) -> stun.ReceivedMessage:
    """A datagram as a STUN message."""
    return stun.Message.decode(transmit.data)


def is_nomination(transmit: Transmit) -> bool:
    """Whether a check carries USE-CANDIDATE."""
    return decode(transmit).get(stun.UseCandidate) is not None


def remote(address: TransportAddress, candidate_type: CandidateType = CandidateType.HOST) -> Candidate:
    """A candidate of the peer's."""
    return Candidate.from_wire(LocalCandidate.of(candidate_type, address, base=address).to_wire())
