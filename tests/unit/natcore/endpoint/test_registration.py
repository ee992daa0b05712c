from __future__ import annotations

import pytest

from natcore.control.messages import (
    VERSION,
    Announcement,
    Change,
    ClientChange,
    ClientStatus,
    Fault,
    FaultCode,
    Goodbye,
    Ping,
    Pong,
    Register,
    Roster,
    Status,
    Unregister,
    encode,
)
from natcore.endpoint import (
    ClientsChanged,
    ConnectionUnusable,
    FaultReceived,
    RegistrationConfirmed,
    RegistrationRefused,
    ServerLeaving,
)
from natcore.endpoint import registration as registration_module
from tests.unit.natcore.endpoint.rehearsed_server import REGISTERED, RehearsedServer


def test_the_first_word_of_a_connection_is_register() -> None:
    assert RehearsedServer().connect() == [Register(id="elsa", version=VERSION)]


def test_being_registered_brings_the_list() -> None:
    server = RehearsedServer()
    server.register()
    assert server.events() == [RegistrationConfirmed()]
    assert server.endpoint.registration.clients == {
        "elsa": Status.ASLEEP,
        "anna": Status.AWAKE,
        "olaf": Status.ASLEEP,
    }


def test_a_long_list_comes_in_parts() -> None:
    server = RehearsedServer()
    server.register()
    server.say(Roster(clients=(ClientStatus(id="sven", status=Status.AWAKE),)))
    assert server.endpoint.registration.clients["sven"] is Status.AWAKE


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (Change.REGISTERED, Status.ASLEEP),
        (Change.AWAKE, Status.AWAKE),
        (Change.MOVED, Status.AWAKE),
        (Change.UNREGISTERED, None),
        (Change.DISCONNECTED, None),
    ],
)
def test_announcements_keep_the_list_current(change: Change, status: Status | None) -> None:
    server = RehearsedServer()
    server.register()
    server.events()
    what = ClientChange(id="anna", change=change)
    server.say(Announcement(changes=(what,)))
    assert server.events() == [ClientsChanged(change=what, status=status)]
    assert server.endpoint.registration.clients.get("anna") is status


def test_what_is_announced_of_ourselves_is_old_news() -> None:
    server = RehearsedServer()
    server.register()
    server.events()
    for change in Change:
        server.say(Announcement(changes=(ClientChange(id="elsa", change=change),)))
    assert server.events() == []
    assert server.endpoint.registration.clients["elsa"] is Status.ASLEEP


def test_the_departure_of_somebody_unknown_is_survived() -> None:
    server = RehearsedServer()
    server.register()
    server.say(Announcement(changes=(ClientChange(id="nobody", change=Change.DISCONNECTED),)))
    assert "nobody" not in server.endpoint.registration.clients


def test_a_flood_of_announcements_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration_module, "MAX_CLIENTS", 10)
    server = RehearsedServer()
    server.register()
    for index in range(50):
        server.say(Announcement(changes=(ClientChange(id=f"id{index}", change=Change.AWAKE),)))
    clients = server.endpoint.registration.clients
    assert len(clients) == 10
    server.say(Announcement(changes=(ClientChange(id="anna", change=Change.DISCONNECTED),)))
    server.say(Announcement(changes=(ClientChange(id="newcomer", change=Change.AWAKE),)))
    assert "newcomer" in clients, "there is room again"


def test_a_ping_is_answered() -> None:
    server = RehearsedServer()
    server.register()
    assert server.say(Ping()) == [Pong()]


def test_a_fault_before_the_registration_refuses_it_and_later_is_only_told() -> None:
    server = RehearsedServer()
    server.connect()
    fault = Fault(code=FaultCode.DUPLICATE_ID, reason="elsa is taken")
    server.say(fault)
    assert server.events() == [RegistrationRefused(code=fault.code, reason=fault.reason)]
    server.say(REGISTERED, fault)
    assert server.events() == [RegistrationConfirmed(), FaultReceived(code=fault.code, reason=fault.reason)]


def test_goodbye_is_told() -> None:
    server = RehearsedServer()
    server.register()
    server.events()
    server.say(Goodbye(reason="shutting down"))
    assert server.events() == [ServerLeaving(reason="shutting down")]


@pytest.mark.parametrize("id_", ["elsa", "olaf"])
def test_a_server_that_registers_us_twice_or_as_another_is_unusable(id_: str) -> None:
    server = RehearsedServer()
    if id_ == "elsa":
        server.register()
        server.events()
    else:
        server.connect()
    server.endpoint.receive_data(
        encode(REGISTERED).replace(b'"id":"elsa"', b'"id":"%s"' % id_.encode(), 1), 0.0
    )
    assert server.events() == [ConnectionUnusable(reason="the server registered us twice or as another")]


def test_rubbish_is_no_rendezvous_server() -> None:
    server = RehearsedServer()
    server.connect()
    server.endpoint.receive_data(b"HTTP/1.1 400 Bad Request\r\n", 0.0)
    (event,) = server.events()
    assert isinstance(event, ConnectionUnusable)
    assert event.reason.startswith("the server does not speak our protocol")


def test_an_unknown_type_comes_from_a_newer_server_and_is_ignored_once_registered() -> None:
    server = RehearsedServer()
    server.register()
    server.events()
    server.endpoint.receive_data(b'{"type":"news","text":"hello"}\n', 0.0)
    assert server.events() == []


def test_a_server_that_never_answers_is_given_up_after_10_s() -> None:
    server = RehearsedServer()
    server.connect()
    assert server.endpoint.get_timer() == 10.0
    server.at(9.999)
    assert server.events() == []
    server.at(10.0)
    assert server.events() == [ConnectionUnusable(reason="the server shows no sign of life")]
    server.at(11.0)
    assert server.events() == [], "once is enough"
    assert server.endpoint.get_timer() is None


def test_a_server_that_falls_silent_is_noticed_after_two_and_a_half_pings() -> None:
    server = RehearsedServer()
    server.now = 3.0
    server.register()
    server.events()
    server.now = 20.0
    server.say(Ping())
    server.at(44.999)
    assert server.events() == []
    server.at(45.0)
    assert server.events() == [ConnectionUnusable(reason="the server shows no sign of life")]


def test_a_new_connection_resumes_the_session_and_begins_the_list_anew() -> None:
    server = RehearsedServer()
    server.register()
    server.endpoint.connection_lost(1.0)
    assert server.endpoint.get_timer() is None
    assert server.connect() == [Register(id="elsa", version=VERSION, resume=REGISTERED.key)]
    server.events()
    server.say(REGISTERED)
    assert server.events() == [RegistrationConfirmed()]


def test_half_a_line_of_the_old_connection_does_not_spoil_the_new_one() -> None:
    server = RehearsedServer()
    server.register()
    server.endpoint.receive_data(b'{"type":"anno', 0.0)
    server.endpoint.connection_lost(1.0)
    server.events()
    server.register()
    assert server.events() == [RegistrationConfirmed()]


def test_a_goodbye_of_ours_leaves_nothing_to_resume() -> None:
    server = RehearsedServer()
    server.register()
    server.endpoint.unregister()
    assert server.heard() == [Unregister()]
    server.endpoint.connection_lost(1.0)
    assert server.connect() == [Register(id="elsa", version=VERSION)]
