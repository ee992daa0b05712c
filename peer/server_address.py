"""Where the rendezvous server is, as people write it: ``HOST``, ``HOST:PORT``, ``[IPV6]:PORT``."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address

from natcore.errors import DecodeError

DEFAULT_PORT = 10080
"""TCP for registration and UDP for observation."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A host name or numeric address, and a TCP port."""

    host: str
    port: int = DEFAULT_PORT

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """Reads what a user typed.

        Raises:
            DecodeError: it is empty, or its port is no port.
        """
        text = text.strip()
        host, port = _split(text)
        if not host or any(character.isspace() for character in host):
            raise DecodeError("server", got=ascii(text[:64]), expected="HOST or HOST:PORT")
        if port is None:
            return cls(host)
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65535):
            raise DecodeError("server port", got=ascii(port[:16]), expected="1 to 65535")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _split(text: str) -> tuple[str, str | None]:
    """Host and port as they stand; no host where the text has none of the three forms."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        is_whole = bracket and _is_ipv6(host) and rest[:1] in ("", ":")
        return host if is_whole else "", rest[1:] if rest else None
    if _is_ipv6(text):
        return text, None
    host, colon, port = text.partition(":")
    if ":" in port:
        return "", None
    return host, port if colon else None


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
