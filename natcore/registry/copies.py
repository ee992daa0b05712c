"""Copies over UDP of what the server tells a client: to nobody but who has proven to be there."""

from __future__ import annotations

from natcore.agent import RandomBytes
from natcore.control.messages import ServerMessage
from natcore.registry.client import Client
from natcore.registry.commands import SendDatagram
from natcore.registry.introductions import is_proven


def copy_for(client: Client, message: ServerMessage, random: RandomBytes) -> SendDatagram | None:
    """The datagram, from where the client was observed to where it was; None where it goes over TCP alone.

    A client could have forged the source of its Awake request: what others cause must not go there.
    """
    last = client.observation
    if last is None or not is_proven(client):
        return None
    data = client.copies.encode(message, random)
    return None if data is None else SendDatagram(data=data, destination=last.source, base=last.local)
