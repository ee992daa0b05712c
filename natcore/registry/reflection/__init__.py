"""The server's side of NAT behaviour discovery (RFC 5780): answers from and to other endpoints."""

from natcore.registry.reflection.answers import Answer, Arrival
from natcore.registry.reflection.link import LinkOptions
from natcore.registry.reflection.offer import NO_OFFER, Offer
from natcore.registry.reflection.reflector import Reflector

__all__ = ["NO_OFFER", "Answer", "Arrival", "LinkOptions", "Offer", "Reflector"]
