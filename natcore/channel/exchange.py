"""The data of one session: payloads to frames and back, wherever frames are sent.

What enters: payloads, received frames, time. What leaves: frames, and what the peer's frames say. What is
always true: a payload is handed over once, whatever is repeated or replayed. What it refuses to know: paths,
sockets, and when a session ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from natcore.channel.delivery import DeliveryConfig, MessageReceiver, MessageSender, ReplayWindow
from natcore.channel.events import DataReceived, MessageConfirmed
from natcore.channel.frame import MAX_NUMBER, Frame, FrameKey, FrameType
from natcore.errors import DecodeError, MisuseError
from natcore.ice import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one authentic frame of the peer's says.

    Attributes:
        event: for the owner, or None.
        reply: a frame that goes to where this one came from, or None.
        is_new: whether it was no copy: a copy can be sent by anybody who saw it, from anywhere.
        closes: whether the peer ends the session.
    """

    event: DataReceived | MessageConfirmed | None = None
    reply: bytes | None = None
    is_new: bool = True
    closes: bool = False


class DataExchange:
    """See the module.

    Attributes:
        messages: those that we send until they are confirmed.
        discarded: frames that were not authentic, or repeated.
    """

    def __init__(
        self, *, session: str, local: Credentials, remote: Credentials, config: DeliveryConfig
    ) -> None:
        self.messages = MessageSender(config)
        self.discarded = 0
        self._outgoing = FrameKey.of(session, remote.for_session(session))
        self._incoming = FrameKey.of(session, local.for_session(session))
        self._receiver = MessageReceiver()
        self._seen = ReplayWindow()
        self._next_datagram = 0

    def datagram(self, payload: bytes) -> bytes:
        """The frame of a payload that is sent once.

        Raises:
            MisuseError: the payload is too long, or the last number is used up.
        """
        if self._next_datagram > MAX_NUMBER:
            raise MisuseError(f"{self._next_datagram} datagrams were sent, there are no numbers left")
        data = self._encode(FrameType.DATAGRAM, self._next_datagram, payload)
        self._next_datagram += 1
        return data

    def early_message(self, now: float) -> bytes | None:
        """A copy of the message whose turn it is, ahead of a confirmed path; None where there is none."""
        message = self.messages.peek()
        if message is None:
            return None
        self.messages.sent_early(now)
        return self._encode(FrameType.MESSAGE, *message)

    def due_message(self, now: float, *, path_rtt: float | None) -> bytes | None:
        """The message that is to be sent now, for the first time or again, or None."""
        message = self.messages.take_due(now, path_rtt=path_rtt)
        return None if message is None else self._encode(FrameType.MESSAGE, *message)

    def expired_messages(self, now: float) -> Iterator[int]:
        """The numbers of messages that are given up now."""
        while (number := self.messages.take_expired(now)) is not None:
            yield number

    def goodbye(self) -> bytes:
        """The frame that ends the session at the peer's."""
        return self._encode(FrameType.CLOSE, 0)

    def receive(self, data: bytes, now: float) -> Heard | None:
        """Reads a frame; None where it is not authentic."""
        try:
            frame = Frame.decode(data, self._incoming)
        except DecodeError:
            self.discarded += 1
            return None
        match frame.type:
            case FrameType.DATAGRAM:
                heard = self._receive_datagram(frame)
            case FrameType.MESSAGE:
                heard = self._receive_message(frame)
            case FrameType.ACKNOWLEDGEMENT:
                is_new = self.messages.receive_acknowledgement(frame.number, now)
                heard = Heard(event=MessageConfirmed(number=frame.number) if is_new else None, is_new=is_new)
            case FrameType.CLOSE:
                heard = Heard(closes=True)
        self.discarded += not heard.is_new
        return heard

    def _receive_datagram(self, frame: Frame) -> Heard:
        is_new = self._seen.take(frame.number)
        return Heard(event=DataReceived(payload=frame.payload) if is_new else None, is_new=is_new)

    def _receive_message(self, frame: Frame) -> Heard:
        is_new, is_acknowledged = self._receiver.receive(frame.number)
        reply = self._encode(FrameType.ACKNOWLEDGEMENT, frame.number) if is_acknowledged else None
        return Heard(
            event=DataReceived(payload=frame.payload) if is_new else None, reply=reply, is_new=is_new
        )

    def _encode(self, frame_type: FrameType, number: int, payload: bytes = b"") -> bytes:
        return Frame(frame_type, number, payload).encode(self._outgoing)
