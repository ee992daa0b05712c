from __future__ import annotations

import pytest

from natcore.control.messages import (
    VERSION,
    Change,
    ClientStatus,
    Connect,
    Fault,
    FaultCode,
    Goodbye,
    Ping,
    Pong,
    Register,
    Registered,
    Roster,
    Status,
    Unregister,
)
from natcore.registry import RegistryConfig
from tests.unit.natcore.registry.conversation import BASE, ELSEWHERE, HOME, Conversation, publication


def test_a_client_registers_and_receives_session_key_endpoints_and_the_list() -> None:
    talk = Conversation()
    talk.register("elsa")
    anna = talk.session(talk.register("anna"))
    assert anna.id == "anna"
    assert (len(anna.session), len(anna.key)) == (16, 32)
    assert anna.endpoints == (str(BASE),)
    assert anna.clients == (
        ClientStatus(id="elsa", status=Status.ASLEEP),
        ClientStatus(id="anna", status=Status.ASLEEP),
    )
    assert talk.reports == ["elsa Asleep", "anna Asleep"]


def test_every_session_has_its_own_name_and_key() -> None:
    talk = Conversation()
    sessions = [talk.session(talk.register(f"client-{number}")) for number in range(20)]
    assert len({one.session for one in sessions}) == len({one.key for one in sessions}) == 20


@pytest.mark.parametrize(
    "client_id",
    ["", " ", "el sa", "a" * 33, "a" * 10_000, "elsa\n", "elsa\x1b[2J", "élsa", "../../x/", "a,b", "\0"],
)
def test_an_invalid_id_is_refused_and_another_can_be_tried(client_id: str) -> None:
    talk = Conversation()
    connection = talk.register(client_id)
    assert talk.last(connection, Fault).code is FaultCode.INVALID_ID
    talk.say(connection, Register(id="elsa", version=VERSION))
    assert talk.session(connection).id == "elsa"


@pytest.mark.parametrize("client_id", ["a", "a" * 32, "A_b.C-9"])
def test_the_shortest_the_longest_and_the_oddest_id_are_taken(client_id: str) -> None:
    talk = Conversation()
    assert talk.session(talk.register(client_id)).id == client_id


def test_a_duplicate_id_is_refused_and_its_holder_notices_nothing() -> None:
    talk = Conversation()
    holder = talk.register("elsa")
    told = list(talk.told[holder])
    second = talk.register("elsa")
    assert talk.last(second, Fault).code is FaultCode.DUPLICATE_ID
    assert talk.told[holder] == told
    assert second not in talk.closed
    talk.say(second, Register(id="anna", version=VERSION))
    assert talk.session(second).id == "anna"


@pytest.mark.parametrize("version", [0, 2, -1, 2**63, 10**4000])
def test_another_version_is_refused_and_ours_is_named(version: int) -> None:
    talk = Conversation()
    connection = talk.open()
    talk.say(connection, Register(id="elsa", version=version))
    fault = talk.last(connection, Fault)
    assert fault.code is FaultCode.UNSUPPORTED_VERSION
    assert f"expected {VERSION}" in fault.reason


def test_a_second_registration_on_one_connection_is_refused() -> None:
    talk = Conversation()
    connection = talk.register("elsa")
    talk.say(connection, Register(id="anna", version=VERSION))
    assert talk.last(connection, Fault).code is FaultCode.ALREADY_REGISTERED
    assert [client.id for client in talk.registry.clients] == ["elsa"]


@pytest.mark.parametrize("request_", [Connect(target="elsa"), publication("192.0.2.1:5000")])
def test_who_is_not_registered_can_ask_for_nothing(request_: Connect) -> None:
    talk = Conversation()
    connection = talk.open()
    talk.say(connection, request_)
    assert talk.last(connection, Fault).code is FaultCode.NOT_REGISTERED


def test_a_ping_is_answered_before_and_after_registration() -> None:
    talk = Conversation()
    connection = talk.open()
    talk.say(connection, Ping())
    talk.say(connection, Register(id="elsa", version=VERSION))
    talk.say(connection, Ping())
    assert len(talk.heard(connection, Pong)) == 2


def test_unregister_closes_and_frees_the_id() -> None:
    talk = Conversation()
    elsa, anna = talk.register("elsa"), talk.register("anna")
    talk.advance(1)
    talk.forget_what_was_heard()
    talk.say(elsa, Unregister())
    assert elsa in talk.closed
    assert talk.reports == ["elsa is unregistered"]
    assert talk.news(anna) == [("elsa", Change.UNREGISTERED)]
    talk.register("elsa")
    assert [client.id for client in talk.registry.clients] == ["anna", "elsa"]


def test_a_lost_connection_is_a_disconnected_client_with_a_reason() -> None:
    talk = Conversation()
    elsa, anna = talk.register("elsa"), talk.register("anna")
    talk.advance(1)
    talk.lose(anna, "connection reset by peer")
    assert talk.reports[-1] == "anna is disconnected"
    change = talk.broadcasts[-1].message.changes[-1]
    assert (change.id, change.change, change.reason) == (
        "anna",
        Change.DISCONNECTED,
        "connection reset by peer",
    )
    assert talk.news(elsa)[-1] == ("anna", Change.DISCONNECTED)


def test_a_connection_that_never_registered_is_lost_in_silence() -> None:
    talk = Conversation()
    talk.lose(talk.open())
    assert talk.reports == []
    assert talk.registry.connection_count == 0
    assert talk.registry.get_timer() is None


def test_the_session_key_takes_an_id_over_and_nobody_else_notices() -> None:
    talk = Conversation()
    old, anna = talk.reachable("elsa"), talk.register("anna")
    talk.advance(1)
    key = talk.session(old).key
    talk.forget_what_was_heard()
    new = talk.register("elsa", resume=key)
    assert talk.last(old, Goodbye).reason == "replaced by a new connection"
    assert old in talk.closed
    assert talk.session(new).key != key
    assert ClientStatus(id="elsa", status=Status.AWAKE) in talk.session(new).clients
    talk.advance(1)
    assert talk.news(anna) == []
    assert talk.reports == []


def test_after_a_takeover_only_the_new_session_wakes() -> None:
    talk = Conversation()
    old = talk.reachable("elsa", HOME)
    of_old = talk.session(old)
    new = talk.register("elsa", resume=of_old.key)
    talk.datagram(talk.awake_request(of_old, 2), ELSEWHERE)
    assert talk.registry.counters.unknown_sessions == 1
    talk.awake(new, 1, ELSEWHERE)
    assert talk.reports[-1] == f"elsa Awake {ELSEWHERE}"


@pytest.mark.parametrize("resume", [None, "AAAA", "A" * 32])
def test_a_wrong_key_takes_nothing_over(resume: str | None) -> None:
    talk = Conversation()
    holder = talk.register("elsa")
    assert talk.last(talk.register("elsa", resume=resume), Fault).code is FaultCode.DUPLICATE_ID
    assert holder not in talk.closed


def test_a_key_of_an_earlier_life_of_the_server_registers_as_if_new() -> None:
    talk = Conversation()
    assert talk.session(talk.register("elsa", resume="A" * 32)).id == "elsa"


def test_a_full_server_says_so_and_has_room_again_later() -> None:
    talk = Conversation(RegistryConfig(max_clients=2))
    elsa, _ = talk.register("elsa"), talk.register("anna")
    third = talk.register("olaf")
    assert talk.last(third, Fault).code is FaultCode.SERVER_FULL
    talk.say(elsa, Unregister())
    talk.say(third, Register(id="olaf", version=VERSION))
    assert talk.session(third).id == "olaf"


def test_a_long_list_travels_on_several_lines_in_order() -> None:
    talk = Conversation()
    for number in range(1000):
        talk.register(f"a-client-with-a-long-name-{number:05}")
    last = talk.register("elsa")
    messages = [message for message in talk.told[last] if isinstance(message, Registered | Roster)]
    assert isinstance(messages[0], Registered)
    assert 3 <= len(messages) <= 6
    ids = [client.id for message in messages for client in message.clients]
    assert ids == [client.id for client in talk.registry.clients]
