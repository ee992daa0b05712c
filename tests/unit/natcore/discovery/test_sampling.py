from __future__ import annotations

from collections.abc import Sequence

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.discovery import BURST_SIZE, PortSampler, PortSamples
from natcore.discovery.sampling import BURST_INTERVAL, SCHEDULE
from tests.sim.pair import seeded
from tests.unit.natcore.discovery.rehearsal import BASES, NOBODY, PRIMARY, PUBLIC, answer

START = 50.0
FIRST, SECOND = BASES[:BURST_SIZE], BASES[BURST_SIZE : 2 * BURST_SIZE]


def sampler(bases: Sequence[TransportAddress] = (*FIRST, *SECOND)) -> PortSampler:
    return PortSampler(bases=bases, server=PRIMARY, random=seeded(1), now=START)


def asked(agent: PortSampler, now: float) -> list[Transmit]:
    """What is sent at that instant."""
    agent.handle_timer(now)
    return agent.datagrams_to_send()


def reply(
    agent: PortSampler,
    question: Transmit,
    port: int,
    *,
    source: TransportAddress = PRIMARY,
    base: TransportAddress | None = None,
    message_class: stun.MessageClass = stun.MessageClass.SUCCESS_RESPONSE,
) -> None:
    """The server tells which port it saw."""
    request = stun.Message.decode(question.data)
    mapped = stun.XorMappedAddress(TransportAddress(PUBLIC, port))
    data = answer(request, mapped, message_class=message_class)
    agent.receive_datagram(data, source, base or question.base, START + 0.05)


def result_of(agent: PortSampler) -> PortSamples:
    samples = agent.next_event()
    assert samples is not None
    assert agent.next_event() is None
    return samples


def test_two_bursts_leave_one_after_the_other() -> None:
    agent = sampler()
    first = asked(agent, START)
    assert [one.base for one in first] == list(FIRST)
    for port, question in enumerate(first, start=40000):
        reply(agent, question, port)
    assert agent.get_timer() == START + BURST_INTERVAL
    assert asked(agent, START + BURST_INTERVAL - 0.001) == []
    second = asked(agent, START + BURST_INTERVAL)
    assert [one.base for one in second] == list(SECOND)
    assert {one.destination for one in second} == {PRIMARY}


def test_few_sockets_make_one_burst() -> None:
    assert len(asked(sampler(FIRST), START)) == BURST_SIZE


def test_samples_come_by_burst_and_then_in_the_order_of_their_answers() -> None:
    agent = sampler()
    questions = asked(agent, START)
    later = asked(agent, START + BURST_INTERVAL)[-BURST_SIZE:]
    reply(agent, later[0], 40005)
    for index in (2, 0, 1, 3):
        reply(agent, questions[index], 40000 + index)
    assert agent.next_event() is None
    for index in (1, 2, 3):
        reply(agent, later[index], 40005 + index)
    ports, instants = zip(*result_of(agent), strict=True)
    assert ports == (40002, 40000, 40001, 40003, 40005, 40006, 40007, 40008)
    assert instants == (START,) * BURST_SIZE + (START + BURST_INTERVAL,) * BURST_SIZE
    assert agent.get_timer() is None


def test_a_question_without_an_answer_is_repeated_and_then_left() -> None:
    agent = sampler(FIRST)
    first = asked(agent, START)
    for question in first[1:]:
        reply(agent, question, 40001)
    assert [one.data for one in asked(agent, START + SCHEDULE.rto)] == [first[0].data]
    assert len(asked(agent, START + 3 * SCHEDULE.rto)) == 1
    assert agent.next_event() is None
    assert asked(agent, START + SCHEDULE.total) == []
    assert len(result_of(agent)) == BURST_SIZE - 1


def test_without_any_answer_it_ends_with_nothing() -> None:
    agent = sampler()
    for _ in range(100):
        due = agent.get_timer()
        if due is None:
            break
        agent.handle_timer(due)
    assert result_of(agent) == ()


def test_what_is_no_answer_is_ignored() -> None:
    agent = sampler(FIRST)
    questions = asked(agent, START)
    reply(agent, questions[0], 1, source=NOBODY)
    reply(agent, questions[0], 2, base=FIRST[1])
    reply(agent, questions[0], 3, base=NOBODY)
    reply(agent, questions[0], 4, message_class=stun.MessageClass.ERROR_RESPONSE)
    reply(agent, questions[0], 0)
    agent.receive_datagram(b"no STUN", PRIMARY, FIRST[0], START)
    for index, question in enumerate(questions):
        reply(agent, question, 40000 + index)
        reply(agent, question, 50000 + index)  # a second answer changes nothing
    assert [port for port, _ in result_of(agent)] == [40000, 40001, 40002, 40003]
