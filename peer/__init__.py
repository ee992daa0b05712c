"""The peer: connects two programs behind NATs directly, as a library, a command line and a chat.

::

    import peer

    async with peer.Node("elsa", "rendezvous.example.org") as node:
        channel = await node.connect("anna")
        await channel.send(b"hello")
        async for data in channel:
            print(data)
"""

from natcore.errors import PeerError
from peer.channel import Channel, Delivery
from peer.errors import (
    AwakeFailed,
    ChannelClosed,
    NoPath,
    PeerUnavailable,
    RegistrationFailed,
    ServerUnreachable,
    Undelivered,
)
from peer.node import Node, NodeConfig

__all__ = [
    "AwakeFailed",
    "Channel",
    "ChannelClosed",
    "Delivery",
    "NoPath",
    "Node",
    "NodeConfig",
    "PeerError",
    "PeerUnavailable",
    "RegistrationFailed",
    "ServerUnreachable",
    "Undelivered",
]
