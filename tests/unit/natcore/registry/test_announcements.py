from __future__ import annotations

from natcore.control.messages import Announcement, Change, ClientChange, Unregister
from natcore.registry import RegistryConfig
from natcore.registry.announcer import Announcer
from tests.unit.natcore.registry.conversation import ELSEWHERE, HOME, Conversation


def test_a_lone_change_goes_out_at_once() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    talk.advance(1)
    talk.register("anna")
    assert talk.news(elsa) == [("anna", Change.REGISTERED)]


def test_changes_soon_after_travel_together() -> None:
    talk = Conversation()
    watcher = talk.register("watcher")
    talk.advance(1)
    for name in ("elsa", "anna", "olaf"):
        talk.register(name)
    assert len(talk.heard(watcher, Announcement)) == 1
    talk.advance(0.051)
    assert [len(message.changes) for message in talk.heard(watcher, Announcement)] == [1, 2]


def test_a_burst_of_500_joins_is_a_handful_of_messages() -> None:
    talk = Conversation()
    watcher = talk.register("watcher")
    talk.advance(1)
    talk.broadcasts.clear()
    for number in range(500):
        talk.register(f"client-{number:03}")
    talk.advance(1)
    messages = talk.heard(watcher, Announcement)
    assert len(messages) <= 4, "one at once, the others by length of line only"
    assert len(talk.broadcasts) == len(messages), "each is encoded once for everybody"
    assert [name for name, _ in talk.news(watcher)] == [f"client-{number:03}" for number in range(500)]


def test_a_client_alone_is_not_told_about_itself() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    talk.awake(elsa, 1)
    talk.advance(1)
    assert talk.news(elsa) == []


def test_whoever_follows_the_announcements_has_the_servers_list() -> None:
    talk = Conversation()
    watcher = talk.register("watcher")
    connections = [talk.register(f"client-{number}") for number in range(6)]
    talk.awake(connections[0], 1, HOME)
    talk.awake(connections[0], 2, ELSEWHERE)
    talk.say(connections[1], Unregister())
    talk.register("client-1")
    talk.lose(connections[2])
    talk.advance(1)
    known = {client.id: client.status.value for client in talk.session(watcher).clients}
    for name, change in talk.news(watcher):
        match change:
            case Change.REGISTERED:
                known[name] = "Asleep"
            case Change.AWAKE | Change.MOVED:
                known[name] = "Awake"
            case _:
                known.pop(name, None)
    assert known == {client.id: client.status.value for client in talk.registry.clients}


def test_a_change_that_repeats_while_it_waits_is_announced_once_in_its_last_place() -> None:
    announcer = Announcer(interval=0.05, interval_per_client=0)
    announcer.add(ClientChange(id="first", change=Change.REGISTERED))
    announcer.take_due(0.0, client_count=1)
    for number in range(1000):
        announcer.add(ClientChange(id="elsa", change=Change.REGISTERED))
        announcer.add(ClientChange(id="elsa", change=Change.UNREGISTERED))
        announcer.add(ClientChange(id=f"anna-{number % 2}", change=Change.MOVED))
    (announcement,) = announcer.take_due(0.05, client_count=1)
    assert [(change.id, change.change) for change in announcement.changes] == [
        ("anna-0", Change.MOVED),
        ("elsa", Change.REGISTERED),
        ("elsa", Change.UNREGISTERED),
        ("anna-1", Change.MOVED),
    ]


def test_nothing_is_due_before_the_interval_is_over() -> None:
    announcer = Announcer(interval=0.05, interval_per_client=0)
    announcer.add(ClientChange(id="elsa", change=Change.REGISTERED))
    assert announcer.deadline(3.0) == 3.0
    assert len(announcer.take_due(3.0, client_count=1)) == 1
    announcer.add(ClientChange(id="anna", change=Change.REGISTERED))
    assert announcer.deadline(3.0) == 3.05
    assert announcer.take_due(3.049, client_count=1) == []
    assert len(announcer.take_due(3.05, client_count=1)) == 1
    assert announcer.deadline(3.05) is None


def test_with_many_clients_announcements_come_less_often() -> None:
    talk = Conversation(RegistryConfig(announcement_interval=0.05, announcement_interval_per_client=0.1))
    watcher, mover = talk.register("watcher"), talk.register("mover")
    talk.advance(1)
    talk.forget_what_was_heard()
    talk.lose(mover)
    talk.register("second")
    talk.advance(0.09)
    assert [name for name, _ in talk.news(watcher)] == ["mover"]
    talk.advance(0.02)
    assert [name for name, _ in talk.news(watcher)] == ["mover", "second"]
