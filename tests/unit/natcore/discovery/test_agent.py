"""The discovery agent: what it asks, whom it believes, when it gives up, and what a hostile server gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, ip_address

import pytest

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.discovery import (
    SOCKET_COUNT,
    Discovery,
    DiscoveryConfig,
    DiscoveryReport,
    Known,
    Unknown,
    WanSide,
    value_of,
)
from natcore.discovery.finding import Finding
from natcore.discovery.inference import CHANGE_BOTH, CHANGE_PORT
from natcore.discovery.plan import MAX_SERVERS, SOCKETS, Role
from natcore.errors import MisuseError
from natcore.nat import FilteringBehavior, MappingBehavior
from tests.sim.pair import seeded
from tests.unit.natcore.discovery.rehearsal import (
    BASES,
    NOBODY,
    OTHER,
    PRIMARY,
    PUBLIC,
    RTT,
    SCOUT,
    Reply,
    Responder,
    Server,
    Stage,
    answer,
    bases_of,
    discover,
    keeping,
    refusal,
    silence,
    symmetric,
)

CONFIG = DiscoveryConfig()
VICTIM = TransportAddress.parse("203.0.113.200:53")
SECOND = TransportAddress.parse("198.51.100.30:3478")
THIRD = TransportAddress.parse("192.0.2.30:3478")


def reason(finding: Finding[object]) -> str:
    assert isinstance(finding, Unknown), finding
    return finding.reason


def mapped_as(address: str) -> Callable[[TransportAddress, TransportAddress], TransportAddress]:
    return lambda _base, _destination: TransportAddress.parse(address)


def several(*servers: Responder) -> Responder:
    """Each of them sees each request."""

    def respond(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        for server in servers:
            yield from server(transmit, request)

    return respond


# --- a discovery among honest people ------------------------------------------------------------------------


def test_one_honest_server_tells_everything() -> None:
    report = discover(Server(lets_in=(CHANGE_PORT,)))
    assert value_of(report.udp_blocked) is False
    assert value_of(report.tcp_passes) is True
    assert value_of(report.translated) is True
    assert value_of(report.mapping) is MappingBehavior.ENDPOINT_INDEPENDENT
    assert value_of(report.filtering) is FilteringBehavior.ADDRESS_DEPENDENT
    assert value_of(report.hairpinning) is False
    assert value_of(report.several_addresses) is False
    assert report.reflexive_addresses == (PUBLIC,)
    assert report.rtt == pytest.approx(RTT)
    assert [server.other for server in report.servers] == [OTHER]


def test_it_takes_few_round_trips_where_nothing_is_lost() -> None:
    report = discover(Server(lets_in=(CHANGE_BOTH, CHANGE_PORT)))
    assert report.elapsed < 10 * RTT


def test_the_scout_asks_first_and_nobody_else_before_it_has_an_answer() -> None:
    stage = Stage(silence)
    stage.run()
    assert {one.base for one in stage.sent} == {SCOUT}


def test_every_socket_has_its_part_and_mappings_are_made_in_the_order_of_the_plan() -> None:
    stage = Stage(Server())
    stage.run()
    assert {one.base for one in stage.sent} == set(BASES)
    asked = dict.fromkeys(one.base for one in stage.sent)
    plan = [base for role in SOCKETS if role is not Role.FILTERING for base in bases_of(role)]
    assert [base for base in asked if base not in bases_of(Role.FILTERING)] == plan


def test_packets_to_the_hops_die_after_one_to_five_hops_and_no_others_do() -> None:
    stage = Stage(Server())
    stage.run()
    lives = {(one.base, one.ttl) for one in stage.sent if one.ttl is not None}
    assert lives == set(zip(bases_of(Role.HOP), range(1, 6), strict=True))
    assert all(one.ttl is None for one in stage.sent if one.base not in bases_of(Role.HOP))


def test_only_the_scout_asks_for_the_alternate_port_and_every_request_has_its_own_transaction() -> None:
    stage = Stage(Server())
    stage.run()
    messages = [(one.base, stun.Message.decode(one.data)) for one in stage.sent]
    assert {base for base, message in messages if message.get(stun.AlternatePort)} == {SCOUT}
    assert len({message.transaction_id for _, message in messages}) == len(messages)
    assert all(message.has_fingerprint for _, message in messages)


def test_the_report_counts_what_was_sent() -> None:
    stage = Stage(Server())
    assert stage.run().packets_sent == len(stage.sent)


def test_the_same_randomness_gives_the_same_discovery() -> None:
    one, other = Stage(Server()), Stage(Server())
    assert one.run() == other.run()
    assert one.sent == other.sent


def test_an_old_server_with_a_mapped_address_in_the_clear_is_understood() -> None:
    def respond(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        mapped = keeping(transmit.base, transmit.destination)
        yield answer(request, stun.MappedAddress(mapped)), transmit.destination, transmit.base

    assert value_of(discover(respond).translated) is True


def test_hairpinning_is_seen_when_a_request_of_ours_comes_back_in() -> None:
    server = Server()

    def respond(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        yield from server(transmit, request)
        for base in bases_of(Role.HAIRPIN):
            if transmit.destination == keeping(base, PRIMARY):
                yield transmit.data, keeping(transmit.base, PRIMARY), base

    assert value_of(discover(respond).hairpinning) is True


# --- misuse -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, SOCKET_COUNT - 1, SOCKET_COUNT + 1])
def test_another_number_of_sockets_is_misuse(count: int) -> None:
    bases = [TransportAddress(SCOUT.ip, 1 + number) for number in range(count)]
    with pytest.raises(MisuseError, match=f"got {count} sockets and 1 servers, expected {SOCKET_COUNT}"):
        Discovery(bases=bases, servers=(PRIMARY,), random=seeded(1), now=0.0)


def test_no_server_is_misuse() -> None:
    with pytest.raises(MisuseError, match="0 servers"):
        Discovery(bases=BASES, servers=(), random=seeded(1), now=0.0)


# --- time ---------------------------------------------------------------------------------------------------


def test_an_early_timer_does_nothing() -> None:
    stage = Stage(Server())
    due = stage.agent.get_timer()
    assert due == CONFIG.first_rto
    stage.agent.handle_timer(due - 0.001)
    assert stage.agent.datagrams_to_send() == []
    assert stage.agent.get_timer() == due
    stage.agent.handle_timer(due)
    assert len(stage.agent.datagrams_to_send()) == 1


def test_a_late_timer_does_everything_that_is_due_and_ends_after_the_deadline() -> None:
    stage = Stage(silence)
    stage.agent.handle_timer(1000.0)
    assert stage.agent.next_event() is not None


def test_the_end_is_final_and_has_no_timer() -> None:
    stage = Stage(Server())
    report = stage.run()
    agent = stage.agent
    assert agent.report is report
    assert agent.get_timer() is None
    discarded = agent.discarded
    for one in stage.sent:
        request = stun.Message.decode(one.data)
        agent.receive_datagram(
            answer(request, stun.XorMappedAddress(NOBODY)), one.destination, one.base, stage.now + 1
        )
    agent.handle_timer(stage.now + 100)
    agent.tcp_failed(PRIMARY, stage.now + 100)
    agent.hop_answered(bases_of(Role.HOP)[0], IPv4Address("192.0.2.1"), stage.now + 100)
    assert agent.datagrams_to_send() == []
    assert agent.next_event() is None
    assert agent.get_timer() is None
    assert agent.report is report
    assert agent.discarded == discarded + len(stage.sent)


def test_a_question_is_asked_seven_times_and_no_more_and_a_hop_twice() -> None:
    server = Server()

    def scout_only(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        return server(transmit, request) if transmit.base == SCOUT else ()

    stage = Stage(scout_only)
    stage.run()
    plain = Counter(
        (one.base, one.destination, one.ttl)
        for one in stage.sent
        if stun.Message.decode(one.data).get(stun.ChangeRequest) is None
    )
    assert {number for (_, _, ttl), number in plain.items() if ttl is not None} == {CONFIG.hop_tries}
    assert {number for (_, _, ttl), number in plain.items() if ttl is None} - {1} == {CONFIG.max_tries}


def test_a_doubtful_question_is_asked_sixteen_times_and_no_more() -> None:
    server = Server()
    kept = Counter[TransportAddress]()

    def lossy(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        kept[transmit.base] += 1
        return server(transmit, request) if kept[transmit.base] % 3 == 1 else ()

    stage = Stage(lossy)
    stage.run()
    changed = Counter(
        (one.base, change)
        for one in stage.sent
        if (change := stun.Message.decode(one.data).get(stun.ChangeRequest)) is not None
    )
    assert 0 < max(changed.values()) <= CONFIG.max_trial_rounds


@pytest.mark.parametrize("interval", [1.0, 0.5])
def test_the_deadline_ends_what_never_would(interval: float) -> None:
    config = DiscoveryConfig(trial_interval=interval, trial_rounds=1000, max_trial_rounds=1000)
    stage = Stage(Server(), config=config)
    report = stage.run()
    assert report.elapsed == pytest.approx(config.deadline)
    assert value_of(report.mapping) is MappingBehavior.ENDPOINT_INDEPENDENT, "what is known stays known"
    assert "tell silence from a filter" in reason(report.filtering)


def test_a_better_server_has_a_moment_after_the_first_answer_of_a_plain_one() -> None:
    plain, full = Server(primary=SECOND, other=None), Server()
    late = CONFIG.scout_patience - 0.05

    def schedule_late(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        if transmit.base == SCOUT and transmit.destination == PRIMARY:
            for reply in full(transmit, request):
                stage.schedule(reply, late + RTT)
        else:
            yield from full(transmit, request)
        yield from plain(transmit, request)

    stage = Stage(silence, (SECOND, PRIMARY))
    stage.responder = schedule_late
    report = stage.run()
    assert value_of(report.filtering) is FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT
    assert stage.now < 3.0


def test_a_late_first_answer_of_a_plain_server_leaves_no_timer_in_the_past() -> None:
    """Its patience ends after the instant at which silence would have meant blocked UDP."""
    stage = Stage(silence, (PRIMARY, SECOND))
    request = stun.Message.decode(stage.sent[1].data)
    stage.now = CONFIG.blocked_after - 0.1
    stage.receive(answer(request, stun.XorMappedAddress(keeping(SCOUT, SECOND))), SECOND, SCOUT)
    stage.now = CONFIG.blocked_after
    stage.agent.handle_timer(stage.now)
    due = stage.agent.get_timer()
    assert due is not None
    assert due > stage.now


def test_without_a_better_server_the_plain_one_has_to_do() -> None:
    report = discover(Server(primary=SECOND, other=None), PRIMARY, SECOND)
    assert "no server answers from another of its ports" in reason(report.filtering)


# --- servers ------------------------------------------------------------------------------------------------


def test_at_most_eight_servers_are_asked_each_once() -> None:
    servers = [TransportAddress(IPv4Address(f"198.51.100.{number}"), 3478) for number in range(1, 12)]
    stage = Stage(silence, [servers[0], *servers])
    assert [one.destination for one in stage.sent] == servers[:MAX_SERVERS]


def test_two_plain_servers_show_an_independent_mapping_and_no_filter() -> None:
    respond = several(Server(primary=SECOND, other=None), Server(primary=THIRD, other=None))
    report = discover(respond, SECOND, THIRD)
    assert value_of(report.mapping) is MappingBehavior.ENDPOINT_INDEPENDENT
    assert isinstance(report.filtering, Unknown)


def test_two_plain_servers_leave_a_dependent_mapping_open() -> None:
    respond = several(
        Server(primary=SECOND, other=None, nat=symmetric), Server(primary=THIRD, other=None, nat=symmetric)
    )
    assert "whether on its address or its port too" in reason(discover(respond, SECOND, THIRD).mapping)


# --- UDP blocked, or the server gone ------------------------------------------------------------------------


def test_no_answer_while_tcp_connects_is_blocked_udp() -> None:
    report = discover(silence)
    assert value_of(report.udp_blocked) is True
    assert value_of(report.tcp_passes) is True
    assert report.elapsed == pytest.approx(CONFIG.blocked_after)


def test_on_a_slow_road_udp_has_four_round_trips_of_tcp_to_answer() -> None:
    assert discover(silence, tcp=0.9).elapsed == pytest.approx(CONFIG.blocked_round_trips * 0.9)


def test_no_answer_at_all_may_be_a_server_that_is_gone() -> None:
    stage = Stage(silence, tcp=None)
    stage.agent.tcp_failed(PRIMARY, stage.now)
    report = stage.run()
    assert "may be gone" in reason(report.udp_blocked)
    assert "by TCP either" in reason(report.tcp_passes)


def test_tcp_that_has_not_come_about_in_time_is_unknown_and_blocks_nothing() -> None:
    report = discover(silence, tcp=None)
    assert isinstance(report.udp_blocked, Unknown)
    assert "in time" in reason(report.tcp_passes)


@pytest.mark.parametrize("code", [420, 500, 300])
def test_a_server_that_answers_every_question_with_an_error_shows_that_udp_passes(code: int) -> None:
    report = discover(
        lambda transmit, request: [(refusal(request, code), transmit.destination, transmit.base)]
    )
    assert value_of(report.udp_blocked) is False, "an error is an answer"
    assert isinstance(report.mapping, Unknown)


@pytest.mark.parametrize("lie", ["[2001:db8::7]:5000", "203.0.113.7:0"], ids=["other family", "port 0"])
def test_an_address_that_cannot_be_ours_is_no_address_but_udp_passes(lie: str) -> None:
    report = discover(Server(nat=mapped_as(lie)))
    assert report.reflexive_addresses == ()
    assert isinstance(report.mapping, Unknown)
    assert value_of(report.udp_blocked) is not True, "something came back by UDP"


# --- TCP ----------------------------------------------------------------------------------------------------


def test_the_report_waits_for_tcp_and_not_for_ever() -> None:
    report = discover(Server(), tcp=None)
    assert report.elapsed == pytest.approx(CONFIG.tcp_patience)
    assert "in time" in reason(report.tcp_passes)


def test_tcp_that_fails_everywhere_ends_the_waiting() -> None:
    stage = Stage(Server(), tcp=None)
    stage.agent.tcp_failed(PRIMARY, stage.now)
    report = stage.run()
    assert report.elapsed < CONFIG.tcp_patience
    assert "no server takes TCP connections" in reason(report.tcp_passes)


def test_tcp_that_fails_somewhere_is_waited_for_elsewhere() -> None:
    stage = Stage(Server(), (PRIMARY, SECOND), tcp=None)
    stage.agent.tcp_failed(PRIMARY, stage.now)
    stage.now = 0.5
    stage.agent.tcp_connected(SECOND, 0.5, stage.now)
    report = stage.run()
    assert isinstance(report.tcp_passes, Known)
    assert str(SECOND) in report.tcp_passes.evidence


# --- routers on the way -------------------------------------------------------------------------------------


def test_routers_are_known_by_the_socket_whose_packet_died() -> None:
    stage = Stage(Server())
    for distance, router in ((1, "192.168.7.1"), (2, "100.64.0.1")):
        stage.agent.hop_answered(bases_of(Role.HOP)[distance - 1], ip_address(router), stage.now)
    report = stage.run()
    assert {distance: str(router) for distance, router in report.hops.items()} == {
        1: "192.168.7.1",
        2: "100.64.0.1",
    }
    assert value_of(report.wan_side) is WanSide.CARRIER


def test_of_two_routers_at_one_distance_the_first_counts() -> None:
    stage = Stage(Server())
    for router in ("192.168.7.1", "10.0.0.1"):
        stage.agent.hop_answered(bases_of(Role.HOP)[0], ip_address(router), stage.now)
    assert list(map(str, stage.run().hops.values())) == ["192.168.7.1"]


@pytest.mark.parametrize(
    ("base", "router"),
    [(SCOUT, "192.168.7.1"), (NOBODY, "192.168.7.1"), (bases_of(Role.HOP)[0], "2001:db8::1")],
    ids=["another role's socket", "nobody's socket", "other family"],
)
def test_a_router_that_cannot_be_on_the_way_is_ignored(base: TransportAddress, router: str) -> None:
    stage = Stage(Server())
    stage.agent.hop_answered(base, ip_address(router), stage.now)
    assert stage.run().hops == {}


# --- strangers ----------------------------------------------------------------------------------------------


def honest(stage: Stage) -> bytes:
    """The right answer to the scout's question."""
    request = stun.Message.decode(stage.sent[0].data)
    return answer(request, stun.XorMappedAddress(keeping(SCOUT, PRIMARY)))


def with_unknown_transaction(stage: Stage) -> bytes:
    data = honest(stage)
    return data[:8] + bytes(12) + data[20:]


def as_indication(stage: Stage) -> bytes:
    request = stun.Message.decode(stage.sent[0].data)
    return answer(request, message_class=stun.MessageClass.INDICATION)


INVALID: dict[str, tuple[Callable[[Stage], bytes], TransportAddress, TransportAddress]] = {
    "from another port": (honest, TransportAddress(PRIMARY.ip, 1), SCOUT),
    "from another address": (honest, NOBODY, SCOUT),
    "at another socket": (honest, PRIMARY, BASES[1]),
    "at nobody's socket": (honest, PRIMARY, NOBODY),
    "with an unknown transaction": (with_unknown_transaction, PRIMARY, SCOUT),
    "cut short": (lambda stage: honest(stage)[:-1], PRIMARY, SCOUT),
    "empty": (lambda _: b"", PRIMARY, SCOUT),
    "no STUN": (lambda _: b"GET / HTTP/1.1\r\n\r\n", PRIMARY, SCOUT),
    "an indication": (as_indication, PRIMARY, SCOUT),
    "our own request": (lambda stage: stage.sent[0].data, PRIMARY, SCOUT),
    "without an address": (lambda stage: answer(stun.Message.decode(stage.sent[0].data)), PRIMARY, SCOUT),
    "an error from elsewhere": (
        lambda stage: refusal(stun.Message.decode(stage.sent[0].data), 500),
        NOBODY,
        SCOUT,
    ),
    "an error without a code": (
        lambda stage: answer(
            stun.Message.decode(stage.sent[0].data), message_class=stun.MessageClass.ERROR_RESPONSE
        ),
        PRIMARY,
        SCOUT,
    ),
}


@pytest.mark.parametrize(("make", "source", "base"), INVALID.values(), ids=INVALID)
def test_what_is_no_answer_is_discarded_and_the_answer_is_still_waited_for(
    make: Callable[[Stage], bytes], source: TransportAddress, base: TransportAddress
) -> None:
    stage = Stage(silence)
    due = stage.agent.get_timer()
    stage.receive(make(stage), source, base)
    assert stage.agent.discarded == 1
    assert len(stage.sent) == 1, "it makes us send nothing"
    assert stage.agent.get_timer() == due
    stage.responder = Server()
    assert value_of(stage.run().udp_blocked) is False


def test_an_answer_that_comes_twice_counts_once() -> None:
    server = Server(lets_in=(CHANGE_PORT,))

    def twice(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        for reply in server(transmit, request):
            yield from (reply, reply)

    once, doubled = discover(server), discover(twice)
    for name in ("mapping", "filtering", "allocation", "hairpinning", "translated"):
        assert getattr(once, name) == getattr(doubled, name)


def test_an_answer_to_a_control_of_an_earlier_round_does_not_count_for_a_later_one() -> None:
    """Losses bring a second control; then the second copy of the first one's answer comes in."""
    server = Server()
    kept = Counter[TransportAddress]()
    controls: list[Reply] = []

    def respond(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        kept[transmit.base] += 1
        is_control = transmit.base in bases_of(Role.FILTERING) and request.get(stun.ChangeRequest) is None
        if transmit.base in bases_of(Role.ALLOCATION) and kept[transmit.base] < 3:
            return
        for reply in server(transmit, request):
            yield reply
            if is_control:
                controls.append(reply)
                for hundredths in range(5, 60):
                    stage.schedule(reply, hundredths / 100)

    stage = Stage(silence)
    stage.responder = respond
    report = stage.run()
    assert len(controls) > 2, "there was a second control"
    assert value_of(report.filtering) in (None, FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT)


def test_a_request_of_ours_at_a_socket_that_does_not_hairpin_is_no_hairpinning() -> None:
    server = Server()

    def reflect(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        yield from server(transmit, request)
        yield transmit.data, transmit.destination, SCOUT
        yield transmit.data, transmit.destination, transmit.base

    assert value_of(discover(reflect).hairpinning) is False


# --- hostile servers ----------------------------------------------------------------------------------------


def test_a_server_that_ignores_where_to_answer_from_shows_no_filter() -> None:
    """Taking such an answer for one from elsewhere makes a full cone of every NAT (pystun3 does)."""
    report = discover(Server(is_obedient=False))
    assert "does not answer from where it is asked to" in reason(report.filtering)


def test_a_server_that_ignores_it_and_tells_only_another_port_shows_no_filter() -> None:
    report = discover(Server(other=None, alternate_port=10081, is_obedient=False))
    assert "does not answer from where it is asked to" in reason(report.filtering)


@pytest.mark.parametrize("code", [420, 500])
def test_a_server_that_refuses_to_change_shows_no_filter_and_all_the_rest(code: int) -> None:
    report = discover(Server(refuses_changes=code))
    assert f"error {code}" in reason(report.filtering)
    assert report.was_put_off is (code == 500)
    assert value_of(report.mapping) is MappingBehavior.ENDPOINT_INDEPENDENT


def test_a_server_that_falls_silent_after_its_first_answer_leaves_nothing_wrong() -> None:
    server = Server()
    answered: list[Transmit] = []

    def once(transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        if not answered:
            answered.append(transmit)
            return server(transmit, request)
        return ()

    report = discover(once)
    assert value_of(report.udp_blocked) is False
    unknown = ("mapping", "filtering", "allocation", "hairpinning", "several_addresses", "wan_side")
    assert [name for name in unknown if not isinstance(getattr(report, name), Unknown)] == []
    assert report.elapsed <= CONFIG.deadline


def test_another_address_that_is_a_victims_gets_so_many_packets_and_no_more() -> None:
    stage = Stage(Server(other=None, says=(stun.OtherAddress(VICTIM),)))
    report = stage.run()
    hit = [one for one in stage.sent if one.destination.ip == VICTIM.ip]
    endpoints, sockets = 2, SOCKETS[Role.MAPPING]
    assert 0 < len(hit) <= endpoints * sockets * CONFIG.max_tries == 42
    assert sum(len(one.data) for one in hit) < 4000, "bytes, from which nothing comes back"
    assert value_of(report.filtering) is not FilteringBehavior.ENDPOINT_INDEPENDENT


def test_a_public_address_that_is_a_victims_gets_so_many_packets_and_no_more() -> None:
    stage = Stage(Server(nat=lambda _base, _destination: VICTIM))
    stage.run()
    assert 0 < len(stage.sent_to(VICTIM)) <= SOCKETS[Role.HAIRPIN] * CONFIG.max_trial_rounds == 32


def test_eight_servers_that_all_name_victims_get_so_many_packets_together() -> None:
    servers = [TransportAddress(IPv4Address(f"198.51.100.{number}"), 3478) for number in range(1, 9)]
    liars = [
        Server(
            primary=server,
            other=None,
            says=(stun.OtherAddress(TransportAddress(VICTIM.ip, 1000 + number)),),
            nat=lambda _base, _destination: VICTIM,
        )
        for number, server in enumerate(servers)
    ]
    stage = Stage(several(*liars), servers)
    stage.run()
    assert len([one for one in stage.sent if one.destination.ip == VICTIM.ip]) <= 42 * 4 + 32
    assert len(stage.sent) < 600


def test_a_liar_among_plain_servers_makes_the_mapping_unknown_and_not_wrong() -> None:
    liar = Server(primary=THIRD, other=None, nat=symmetric)
    report = discover(several(Server(primary=SECOND, other=None), liar), SECOND, THIRD)
    assert isinstance(report.mapping, Unknown)


def test_a_server_that_sees_something_else_each_time_ends_in_a_report_all_the_same() -> None:
    ports = iter(range(1, 60000))
    report = discover(Server(nat=lambda _base, _destination: TransportAddress(PUBLIC, next(ports))))
    assert report.elapsed < CONFIG.deadline


@pytest.mark.parametrize("seen_as", ["127.0.0.1:5", "0.0.0.0:5", "224.0.0.1:5", "255.255.255.255:5"])
def test_a_public_address_that_nobody_can_have_raises_nothing(seen_as: str) -> None:
    report = discover(Server(nat=mapped_as(seen_as)))
    assert isinstance(report, DiscoveryReport)
