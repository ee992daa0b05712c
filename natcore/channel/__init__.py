"""Data between two peers: frames, acknowledged delivery, and the session that joins them to ICE."""

from natcore.channel.delivery import DeliveryConfig
from natcore.channel.events import (
    DataReceived,
    MessageConfirmed,
    MessageUnconfirmed,
    SessionConfirmed,
    SessionDoubted,
    SessionEnded,
    SessionEvent,
    SessionLost,
    SessionMoved,
    SocketsReleased,
)
from natcore.channel.frame import MAX_PAYLOAD_SIZE, session_field, session_field_of
from natcore.channel.session import PeerSession, SessionConfig
from natcore.channel.timeline import TimelineEntry, TimelineEvent

__all__ = [
    "MAX_PAYLOAD_SIZE",
    "DataReceived",
    "DeliveryConfig",
    "MessageConfirmed",
    "MessageUnconfirmed",
    "PeerSession",
    "SessionConfig",
    "SessionConfirmed",
    "SessionDoubted",
    "SessionEnded",
    "SessionEvent",
    "SessionLost",
    "SessionMoved",
    "SocketsReleased",
    "TimelineEntry",
    "TimelineEvent",
    "session_field",
    "session_field_of",
]
