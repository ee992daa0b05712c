"""A server with two addresses and two ports, one with a single address, and a client of theirs."""

from __future__ import annotations

from natcore.address import TransportAddress
from natcore.registry import Offer
from natcore.registry.reflection import Answer, Arrival
from natcore.stun import Attribute, Message, MessageClass, Method, ReceivedMessage, TransactionId

A1, A2 = (TransportAddress.parse(f"198.51.100.10:{port}") for port in (10080, 10081))
B1, B2 = (TransportAddress.parse(f"198.51.100.20:{port}") for port in (10080, 10081))
ENDPOINTS = {"A1": A1, "A2": A2, "B1": B1, "B2": B2}
CLIENT = TransportAddress.parse("203.0.113.7:40001")

FULL = Offer(port=10080, alternate_port=10081, others={A1.ip: B1.ip, B1.ip: A1.ip}, second=frozenset({B1.ip}))
ONE_ADDRESS = Offer(port=10080, alternate_port=10081)
ONE_PORT = Offer(port=10080)

CLASSIC_ID = b"0123456789abcdef"


def at(local: TransportAddress, source: TransportAddress = CLIENT) -> Arrival:
    return Arrival(source=source, local=local)


def request(*attributes: Attribute, fingerprint: bool = False) -> ReceivedMessage:
    message = Message(
        method=Method.BINDING,
        message_class=MessageClass.REQUEST,
        transaction_id=TransactionId(b"transaction!"),
        attributes=attributes,
    )
    return Message.decode(message.encode(fingerprint=fingerprint))


def classic(flags: int = 0) -> bytes:
    return bytes.fromhex("00010008") + CLASSIC_ID + bytes.fromhex("00030004 000000") + bytes([flags])


def said(answer: Answer) -> ReceivedMessage:
    return Message.decode(answer.data)
