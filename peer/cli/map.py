"""``peer map``: what the gateway can do, and its mappings shown, added and deleted."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time

import click
import msgspec

from natcore.address import TransportAddress
from natcore.errors import DecodeError
from natcore.portmap import MAX_LIFETIME, NONCE_LENGTH, MappingProtocol
from peer.cli.options import Options, as_json_option, protocol_option
from peer.cli.running import run
from peer.errors import MappingFailed
from peer.exit_codes import ExitCode
from peer.portmapping import (
    Gateway,
    MapperConfig,
    Mapping,
    PortMapper,
    ProtocolSurvey,
    Wanted,
    find_gateway,
    survey,
)
from peer.portmapping.method import WANTED_LIFETIME
from peer.portmapping.race import close_all, methods_for, obtain
from peer.portmapping.records import Record, Records, records_file
from peer.portmapping.table import TableRow, delete_rows, read_table
from peer.text import printable

port_argument = click.argument("port", type=click.IntRange(1, 65535))


class ProtocolReport(msgspec.Struct, frozen=True, kw_only=True):
    """One protocol, for ``--json``; see :class:`~peer.portmapping.ProtocolSurvey`."""

    available: bool
    external_address: str | None
    reason: str | None

    @classmethod
    def of(cls, found: ProtocolSurvey) -> ProtocolReport:
        """With everything that a gateway said made printable."""
        address = found.external_address
        return cls(
            available=found.is_available,
            external_address=None if address is None else str(address),
            reason=None if found.reason is None else printable(found.reason),
        )

    def to_text(self) -> str:
        """A clause."""
        if not self.available:
            return f"no: {self.reason}"
        return "yes" if self.external_address is None else f"yes, as {self.external_address}"


class MappingReport(msgspec.Struct, frozen=True, kw_only=True):
    """One mapping of ours, for ``--json``.

    Attributes:
        lifetime: seconds from now; null for ever.
    """

    protocol: str
    gateway: str
    internal: str
    external: str
    lifetime: int | None

    @classmethod
    def of(cls, mapping: Mapping) -> MappingReport:
        """Of what has just been granted."""
        return cls(
            protocol=mapping.protocol.value,
            gateway=str(mapping.gateway),
            internal=str(mapping.internal),
            external=str(mapping.external),
            lifetime=mapping.lifetime,
        )

    @classmethod
    def of_record(cls, record: Record, *, now: float) -> MappingReport:
        """Of what was granted earlier; the file may be damaged, so its text is made printable."""
        return cls(
            protocol=record.protocol.value,
            gateway=printable(record.gateway),
            internal=printable(record.internal),
            external=printable(record.external),
            lifetime=None if record.expires_at is None else max(0, round(record.expires_at - now)),
        )

    def to_text(self) -> str:
        """One line."""
        how_long = "for ever" if self.lifetime is None else f"for {self.lifetime} s"
        return f"{self.external} -> {self.internal} by {self.protocol}, {how_long}"


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What ``peer map show`` found.

    Attributes:
        gateway: who was asked, or null.
        table: the gateway's list over UPnP, at most 64 rows; null where it does not tell.
        made_here: what ``peer map add`` made and is not over.
    """

    gateway: str | None
    pcp: ProtocolReport
    nat_pmp: ProtocolReport
    upnp: ProtocolReport
    table: list[TableRow] | None
    made_here: list[MappingReport]

    def to_text(self) -> str:
        """Lines for people."""
        lines = [
            "no gateway" if self.gateway is None else f"gateway {self.gateway}",
            f"  PCP      {self.pcp.to_text()}",
            f"  NAT-PMP  {self.nat_pmp.to_text()}",
            f"  UPnP     {self.upnp.to_text()}",
        ]
        if self.table is not None:
            lines += ["mappings, as the gateway tells", *(f"  {row.to_text()}" for row in self.table)]
        if self.made_here:
            lines += ["made here", *(f"  {one.to_text()}" for one in self.made_here)]
        return "\n".join(lines)


@click.group("map", invoke_without_command=True)
@as_json_option
@click.pass_context
def map_group(ctx: click.Context, as_json: bool) -> None:
    """Have the gateway forward a UDP port (UPnP, NAT-PMP, PCP)."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show, as_json=as_json)


@map_group.command()
@as_json_option
@click.pass_obj
def show(options: Options, as_json: bool) -> None:
    """Show what the gateway can do, and the mappings that it tells of."""
    sys.exit(run(options, _show(as_json)))


@map_group.command()
@port_argument
@click.option("--external", type=click.IntRange(1, 65535), help="The port wanted outside; PORT by default.")
@click.option(
    "--lifetime",
    type=click.IntRange(1, MAX_LIFETIME),
    default=WANTED_LIFETIME,
    show_default=True,
    help="Seconds to ask for.",
)
@protocol_option("--protocol")
@click.option("--keep", is_flag=True, help="Stay, renew it, and remove it at the end.")
@click.option("--watch", type=click.FloatRange(0.1, 86400), default=60.0, hidden=True)
@as_json_option
@click.pass_obj
def add(
    options: Options,
    port: int,
    external: int | None,
    lifetime: int,
    protocols: tuple[MappingProtocol, ...],
    keep: bool,
    watch: float,
    as_json: bool,
) -> None:
    """Have UDP port PORT of this host forwarded, until its lifetime ends or it is deleted."""
    config = MapperConfig(protocols=protocols, lifetime=lifetime, watch_interval=watch)
    work = _keep if keep else _add
    sys.exit(run(options, work(port, external or port, config, as_json)))


@map_group.command()
@port_argument
@as_json_option
@click.pass_obj
def delete(options: Options, port: int, as_json: bool) -> None:
    """End the mapping of UDP port PORT of this host."""
    sys.exit(run(options, _delete(port, as_json)))


def _records() -> Records:
    return Records(records_file(os.environ))


async def _show(as_json: bool) -> ExitCode:
    found = await survey()
    table = None
    if found.upnp.is_available:
        with contextlib.suppress(MappingFailed):
            table = await read_table(find_gateway())
    gateway = found.pcp.gateway
    now = time.time()
    overview = Overview(
        gateway=None if gateway is None else str(gateway),
        pcp=ProtocolReport.of(found.pcp),
        nat_pmp=ProtocolReport.of(found.nat_pmp),
        upnp=ProtocolReport.of(found.upnp),
        table=table,
        made_here=[MappingReport.of_record(one, now=now) for one in _records().all()],
    )
    click.echo(msgspec.json.encode(overview).decode() if as_json else overview.to_text())
    is_any_available = any(one.is_available for one in (found.pcp, found.nat_pmp, found.upnp))
    return ExitCode.OK if is_any_available else ExitCode.NO_MAPPING


async def _add(port: int, external: int, config: MapperConfig, as_json: bool) -> ExitCode:
    gateway = find_gateway()
    wanted = Wanted(
        internal=TransportAddress(gateway.local_ip, port), external_port=external, lifetime=config.lifetime
    )
    nonce = _nonce_for(wanted.internal, gateway)
    methods = methods_for(gateway, config.protocols, nonce=nonce)
    try:
        _, mapping = await obtain(methods, wanted)
    finally:
        await close_all(methods)
    try:
        _records().add(Record.of(mapping, nonce=nonce, now=time.time()))
    except OSError as exc:
        click.echo(f"peer: the mapping cannot be noted for `peer map delete`: {exc}", err=True)
    _print(mapping, as_json)
    return ExitCode.OK


async def _keep(port: int, external: int, config: MapperConfig, as_json: bool) -> ExitCode:
    gateway = find_gateway()

    def tell() -> None:
        if mapper.mapping is not None:
            _print(mapper.mapping, as_json)

    internal = TransportAddress(gateway.local_ip, port)
    mapper = PortMapper(
        Wanted(internal=internal, external_port=external),
        tell=tell,
        config=config,
        gateway=gateway,
        nonce=_nonce_for(internal, gateway),
    )
    await mapper.run()
    raise MappingFailed(reason=mapper.reason or "it was lost")


async def _delete(port: int, as_json: bool) -> ExitCode:
    gateway = find_gateway()
    internal = TransportAddress(gateway.local_ip, port)
    known = _known(internal, gateway)
    if known is None:
        await delete_rows(gateway, internal)
    else:
        mapping, nonce = known
        (method,) = methods_for(gateway, (mapping.protocol,), nonce=nonce)
        try:
            await method.find()
            await method.unmap(mapping)
        finally:
            await method.close()
    with contextlib.suppress(OSError):
        _records().remove(internal)
    click.echo(msgspec.json.encode({"deleted": str(internal)}).decode() if as_json else f"deleted {internal}")
    return ExitCode.OK


def _known(internal: TransportAddress, gateway: Gateway) -> tuple[Mapping, bytes] | None:
    """What is noted of an internal address at this very gateway; a gateway elsewhere has the same address."""
    for record in _records().all():
        with contextlib.suppress(DecodeError):
            mapping, nonce = record.to_mapping()
            if mapping.internal == internal and mapping.gateway == gateway.ip:
                return mapping, nonce
    return None


def _nonce_for(internal: TransportAddress, gateway: Gateway) -> bytes:
    """The nonce of the mapping that there is already, so that it is renewed; else a new one."""
    known = _known(internal, gateway)
    return secrets.token_bytes(NONCE_LENGTH) if known is None else known[1]


def _print(mapping: Mapping, as_json: bool) -> None:
    report = MappingReport.of(mapping)
    click.echo(msgspec.json.encode(report).decode() if as_json else report.to_text())
    sys.stdout.flush()
