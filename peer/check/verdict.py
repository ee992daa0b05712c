"""What a report means, in plain words: one sentence, and what would change it. Pure; a table of cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from natcore.discovery import DiscoveryReport, Known, WanSide, value_of
from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior

SHORT_LIFETIME = 30.0
"""Seconds; keepalives of 15 s (RFC 8445 section 11) keep what lives longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What it means.

    Attributes:
        sentence: for somebody who wants to know whether it will work.
        advice: what to change, the most helpful first; empty where nothing need be.
    """

    sentence: str
    advice: tuple[str, ...] = ()


OPEN_A_PORT = "turn on UPnP, NAT-PMP or PCP in the router, or forward a UDP port to this host"
SWITCH_OFF_SYMMETRIC = (
    "let the router reuse one public port for all destinations "
    "(pfSense: static port; some: 'full cone' or 'endpoint-independent' NAT)"
)
ALLOW_UDP = "let UDP out to any port, or ask whoever runs the firewall to"
ASK_THE_CARRIER = "ask the provider for a public IPv4 address of your own, or for IPv6"
USE_IPV6 = "IPv6 works here: peers that have it, too, are reached without any NAT"
ASK_A_FULL_SERVER = "ask a rendezvous server that has two addresses: --server HOST[:PORT]"

_CASES: tuple[tuple[Callable[[NatBehavior], bool], str], ...] = (
    (
        lambda nat: nat.filtering is FilteringBehavior.ENDPOINT_INDEPENDENT,
        "direct with anybody whose UDP is not blocked",
    ),
    (
        lambda nat: (
            nat.filtering is FilteringBehavior.ADDRESS_DEPENDENT
            and nat.mapping is MappingBehavior.ENDPOINT_INDEPENDENT
        ),
        "direct with anybody whose UDP is not blocked",
    ),
    (
        lambda nat: nat.mapping is MappingBehavior.ENDPOINT_INDEPENDENT,
        "direct with any NAT, with a symmetric one after some probing",
    ),
    (
        lambda _: True,
        "direct at once only with peers that let strangers in, with most others after some probing",
    ),
)
"""What plain checks can do at once, in the order in which the cases are tried (natcore.nat has the law), and
that there is more (natcore.hardnat)."""


def judge(
    report: DiscoveryReport | None, *, has_mapped_port: bool, has_gateway: bool, has_ipv6: bool
) -> Verdict:
    """The verdict over IPv4.

    Args:
        report: what was found, or None where IPv4 is not there.
        has_mapped_port: whether the gateway maps ports and the internet reaches them.
        has_gateway: whether it speaks a port mapping protocol at all.
        has_ipv6: whether UDP over IPv6 reaches a server.
    """
    hint = (USE_IPV6,) if has_ipv6 else ()
    if report is None:
        return Verdict(sentence="there is no IPv4 here" + (", IPv6 works" if has_ipv6 else ""))
    if report.is_blocked:
        return Verdict(sentence="UDP is blocked: nobody can be met directly", advice=(ALLOW_UDP, *hint))
    if not isinstance(report.udp_blocked, Known):
        return Verdict(sentence=f"nothing can be said: {report.udp_blocked.reason}")
    own = report.behavior()
    if own is None:
        return _judge_unknown(report, hint)
    sentence = _sentence(own)
    if has_mapped_port:
        return Verdict(sentence=f"{_CASES[0][1]}, by a port that the gateway opens", advice=_lifetime(report))
    advice = [*_advice(report, own, has_gateway=has_gateway), *hint, *_lifetime(report)]
    return Verdict(sentence=sentence, advice=tuple(advice))


def _sentence(own: NatBehavior) -> str:
    return next(sentence for applies, sentence in _CASES if applies(own))


def _judge_unknown(report: DiscoveryReport, hint: Sequence[str]) -> Verdict:
    if value_of(report.mapping) is MappingBehavior.ENDPOINT_INDEPENDENT:
        sentence = "direct with any NAT but a symmetric one, perhaps with those too (the filter is unknown)"
    else:
        sentence = "not enough is known of this NAT to say whom it can meet"
    return Verdict(sentence=sentence, advice=(ASK_A_FULL_SERVER, *hint))


def _advice(report: DiscoveryReport, own: NatBehavior, *, has_gateway: bool) -> Sequence[str]:
    if _sentence(own) == _CASES[0][1]:
        return ()
    if value_of(report.wan_side) is WanSide.CARRIER:
        return (ASK_THE_CARRIER,)
    opening = () if has_gateway or not value_of(report.translated) else (OPEN_A_PORT,)
    if own.mapping is MappingBehavior.ENDPOINT_INDEPENDENT:
        return opening
    return (*opening, SWITCH_OFF_SYMMETRIC)


def _lifetime(report: DiscoveryReport) -> tuple[str, ...]:
    lifetime = value_of(report.mapping_lifetime)
    if lifetime is None or lifetime.at_most is None or lifetime.at_most >= SHORT_LIFETIME:
        return ()
    return (f"mappings die after {lifetime.at_least:.3g} s: programs must send more often than that",)
