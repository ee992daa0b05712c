"""What behaviour discovery has found for one address family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from natcore.address import IPAddress, TransportAddress
from natcore.discovery.allocation import Allocation
from natcore.discovery.finding import Finding, Known, Unknown
from natcore.discovery.lifetime import MappingLifetime
from natcore.discovery.path import WanSide, nat_distance, wan_side
from natcore.discovery.server import StunServer
from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation

ValueT = TypeVar("ValueT")

NOT_ASKED = Unknown("measuring it takes minutes, and it was not asked for")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryReport:
    """Each property is a value or unknown with a reason.

    Attributes:
        local_address: from which was asked.
        reflexive_addresses: by which the internet sees us, in order of appearance.
        rtt: seconds of the shortest round trip to a server, or None.
        udp_blocked: whether no UDP comes back.
        tcp_passes: whether TCP connections to a server come about.
        translated: whether the internet sees us by an address that is not ours.
        mapping: when mappings are reused.
        filtering: who is let in.
        allocation: how ports are chosen.
        several_addresses: whether the NAT shows more than one public address.
        hairpinning: whether hosts behind the NAT reach each other by their public endpoints.
        wan_side: what stands behind the nearest NAT.
        mapping_lifetime: of an idle mapping.
        servers: that answered.
        was_put_off: whether one of them was too busy for a question; later there may be more to learn.
        hops: routers on the way, by distance from 1.
        loss: the share of plain questions that had no answer, 0 to 1.
        packets_sent: by the discovery.
        elapsed: seconds from the first packet to the report.
    """

    local_address: IPAddress
    reflexive_addresses: tuple[IPAddress, ...] = ()
    rtt: float | None = None
    udp_blocked: Finding[bool]
    tcp_passes: Finding[bool]
    translated: Finding[bool]
    mapping: Finding[MappingBehavior]
    filtering: Finding[FilteringBehavior]
    allocation: Finding[Allocation]
    several_addresses: Finding[bool]
    hairpinning: Finding[bool]
    wan_side: Finding[WanSide]
    mapping_lifetime: Finding[MappingLifetime] = NOT_ASKED
    servers: tuple[StunServer, ...] = ()
    was_put_off: bool = False
    hops: Mapping[int, IPAddress] = field(default_factory=dict)
    loss: float = 0.0
    packets_sent: int = 0
    elapsed: float = 0.0

    @property
    def is_blocked(self) -> bool:
        """Whether UDP is known to be blocked."""
        return value_of(self.udp_blocked) is True

    @property
    def nat_distance(self) -> int | None:
        """How many routers away our outermost NAT is, or None where that, or a NAT, is not known."""
        return nat_distance(self.hops) if value_of(self.translated) else None

    def with_gateway(self, external: IPAddress) -> DiscoveryReport:
        """The same, knowing what the nearest router calls its outside address."""
        if not self.reflexive_addresses:
            return self
        return replace(
            self,
            wan_side=wan_side(
                is_translated=value_of(self.translated) is not False,
                reflexive=self.reflexive_addresses[0],
                hops=self.hops,
                gateway_says=external,
            ),
        )

    def behavior(self) -> NatBehavior | None:
        """The NAT in the words of natcore.nat, or None where mapping or filtering is unknown.

        What is unknown beside these two has its default there; the law of natcore.nat does not read it.
        """
        if self.is_blocked:
            return NatBehavior(udp_blocked=True)
        if not (isinstance(self.mapping, Known) and isinstance(self.filtering, Known)):
            return None
        allocation = value_of(self.allocation)
        lifetime = value_of(self.mapping_lifetime)
        default = NatBehavior()
        return NatBehavior(
            mapping=self.mapping.value,
            filtering=self.filtering.value,
            allocation=PortAllocation.PRESERVING if allocation is None else allocation.kind,
            port_step=default.port_step if allocation is None or not allocation.step else allocation.step,
            hairpinning=bool(value_of(self.hairpinning)),
            mapping_lifetime=default.mapping_lifetime if lifetime is None else lifetime.at_least,
        )


def value_of(finding: Finding[ValueT]) -> ValueT | None:
    """The value where it is known."""
    return finding.value if isinstance(finding, Known) else None


def everything_unknown(
    local: TransportAddress,
    reason: str,
    *,
    udp_blocked: Finding[bool],
    tcp_passes: Finding[bool],
) -> DiscoveryReport:
    """The report where no server answers by UDP."""
    unknown = Unknown(reason)
    return DiscoveryReport(
        local_address=local.ip,
        udp_blocked=udp_blocked,
        tcp_passes=tcp_passes,
        translated=unknown,
        mapping=unknown,
        filtering=unknown,
        allocation=unknown,
        several_addresses=unknown,
        hairpinning=unknown,
        wan_side=unknown,
        mapping_lifetime=unknown,
    )
