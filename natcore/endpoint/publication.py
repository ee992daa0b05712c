"""What a client tells the server of itself beforehand, so that an introduction costs no gathering."""

from __future__ import annotations

from collections.abc import Iterable

from natcore.address import IPAddress, ReflexiveAddress, TransportAddress
from natcore.control.messages import MAX_CANDIDATES, Publish
from natcore.endpoint.awake import Way
from natcore.errors import DecodeError
from natcore.hardnat import SideSummary
from natcore.ice import Credentials, LocalCandidate, mapped_candidate


class Publication:
    """Our candidates: those of our sockets, and a port that our gateway forwards.

    Attributes:
        host_candidates: one for each socket, best first.
        mapped: the port that the gateway says it forwards, or None.
        offered: the same where it was published.
    """

    def __init__(self, host_candidates: Iterable[LocalCandidate]) -> None:
        self.host_candidates = tuple(host_candidates)
        self.mapped: TransportAddress | None = None
        self.offered: TransportAddress | None = None

    def message(
        self, credentials: Credentials, observed: ReflexiveAddress | None, nat: SideSummary | None
    ) -> Publish:
        """What to publish now; the first 16 candidates.

        Args:
            credentials: ours.
            observed: where the server sees us. A mapped port is offered at the very same IP address only: a
                gateway that names another one lies, or stands behind a further NAT.
            nat: what our NAT does.
        """
        self.offered = self._mapped_at(observed)
        mapped = [] if self.offered is None else [mapped_candidate(self.offered)]
        candidates = [*self.host_candidates[: MAX_CANDIDATES - len(mapped)], *mapped]
        return Publish(
            ufrag=credentials.ufrag,
            pwd=credentials.pwd,
            candidates=tuple(own.to_wire() for own in candidates),
            nat=nat,
        )

    def is_outdated(self, observed: ReflexiveAddress | None) -> bool:
        """Whether another mapped port would be offered now than was."""
        return self.offered != self._mapped_at(observed)

    def ways_to(self, endpoints: Iterable[str], server_ip: IPAddress | None) -> list[Way]:
        """From which base to which of a server's endpoints we can send: one way a base, the best first.

        IPv4 comes first: its addresses are translated and have to be observed, while an IPv6 address is
        public as it is published.

        The first endpoint is where our TCP connection arrived. A server behind a NAT of its own, as most of
        the cloud's are, sees an inside address there; ``server_ip``, which we connected to, is right anyway.
        """
        by_version: dict[int, TransportAddress] = {}
        for position, text in enumerate(endpoints):
            try:
                server = TransportAddress.parse(text)
            except DecodeError:
                continue
            if position == 0 and server_ip is not None:
                server = TransportAddress(server_ip, server.port)
            if server.port:
                by_version.setdefault(server.ip.version, server)
        bases = sorted((own.base for own in self.host_candidates), key=lambda base: base.ip.version)
        return [(base, by_version[base.ip.version]) for base in bases if base.ip.version in by_version]

    def _mapped_at(self, observed: ReflexiveAddress | None) -> TransportAddress | None:
        if self.mapped is None or observed is None or self.mapped.ip != observed.ip:
            return None
        return self.mapped
