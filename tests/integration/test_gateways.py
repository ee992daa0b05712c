"""Port mapping against gateways on loopback: honest ones, liars, silent ones, and some that want to harm."""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address

import pytest

from natcore.address import TransportAddress
from natcore.portmap import MappingProtocol
from peer.errors import MappingFailed
from peer.portmapping import MapperConfig, PortMapper, Wanted, requester, survey
from peer.portmapping.race import close_all, methods_for, obtain
from peer.portmapping.upnp import UpnpMethod
from tests.integration.fake_gateway import (
    EXTERNAL,
    IP,
    FakeGateway,
    Page,
    description,
    http,
    scpd,
    serving,
    soap,
)

WANTED = Wanted(internal=TransportAddress(IPv4Address(IP), 4000), external_port=4000, lifetime=600)

BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><x>&j;</x>"
)


@asynccontextmanager
async def upnp_of(fake: FakeGateway) -> AsyncIterator[UpnpMethod]:
    async with serving(fake) as gateway:
        method = UpnpMethod(gateway)
        try:
            yield method
        finally:
            await method.close()


# --- honest ones --------------------------------------------------------------------------------------------


async def test_an_upnp_gateway_maps_a_port_and_ends_it() -> None:
    fake = FakeGateway()
    async with upnp_of(fake) as method:
        assert await method.find() == EXTERNAL
        mapping = await method.map(WANTED)
        assert (mapping.external, mapping.lifetime) == (TransportAddress(EXTERNAL, 4000), 600)
        assert await method.is_there(mapping)
        await method.unmap(mapping)
        assert not await method.is_there(mapping)
        assert fake.mapped == {}


async def test_a_mapping_that_is_somebody_else_s_by_now_is_not_deleted() -> None:
    fake = FakeGateway()
    async with upnp_of(fake) as method:
        await method.find()
        mapping = await method.map(WANTED)
        fake.mapped[4000] = 9999
        await method.unmap(mapping)
        assert fake.mapped == {4000: 9999}


@pytest.mark.parametrize(
    ("errors", "port", "lifetime"),
    [([725], 4000, None), ([718], None, 600), ([718, 725, 718], None, None)],
    ids=["permanent leases only", "port in use", "both"],
)
async def test_what_a_gateway_cannot_do_is_asked_for_otherwise(
    errors: list[int], port: int | None, lifetime: int | None
) -> None:
    fake = FakeGateway(errors={"AddPortMapping": errors})
    async with upnp_of(fake) as method:
        await method.find()
        mapping = await method.map(WANTED)
        assert mapping.lifetime == lifetime
        assert mapping.external.port == port or (port is None and mapping.external.port >= 49_152)
        assert list(fake.mapped.values()) == [4000]


@pytest.mark.parametrize(
    ("errors", "text"),
    [([606], "not authorized"), ([718] * 9, "at 4 ports"), ([725, 725], "for ever only"), ([12345], "12345")],
)
async def test_a_refusal_says_why(errors: list[int], text: str) -> None:
    async with upnp_of(FakeGateway(errors={"AddPortMapping": errors})) as method:
        await method.find()
        with pytest.raises(MappingFailed, match=text):
            await method.map(WANTED)


async def test_the_first_that_answers_maps_and_nobody_else_does() -> None:
    fake = FakeGateway(speaks_natpmp=True)
    async with serving(fake) as gateway:
        methods = methods_for(gateway)
        try:
            method, mapping = await obtain(methods, WANTED)
            assert mapping.protocol is method.protocol is MappingProtocol.NAT_PMP
        finally:
            await close_all(methods)
    assert (fake.asked.count("map"), fake.asked.count("AddPortMapping")) == (1, 0)


async def test_where_the_first_refuses_the_next_one_maps() -> None:
    fake = FakeGateway(speaks_natpmp=True, refuses_natpmp=True)
    async with serving(fake) as gateway:
        methods = methods_for(gateway)
        try:
            _, mapping = await obtain(methods, WANTED)
        finally:
            await close_all(methods)
    assert mapping.protocol is MappingProtocol.UPNP
    assert fake.mapped == {4000: 4000}


async def test_a_survey_tells_of_each_protocol_and_maps_nothing() -> None:
    fake = FakeGateway(speaks_natpmp=True)
    async with serving(fake) as gateway:
        found = await survey(gateway=gateway)
    assert (found.upnp.is_available, found.upnp.external_address) == (True, EXTERNAL)
    assert (found.nat_pmp.is_available, found.nat_pmp.external_address) == (True, EXTERNAL)
    assert (found.pcp.is_available, found.pcp.gateway) == (False, IPv4Address(IP))
    assert fake.mapped == {}


async def test_without_its_package_upnp_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peer.portmapping.igd", None)
    async with upnp_of(FakeGateway()) as method:
        with pytest.raises(MappingFailed, match=re.escape("pip install nat-traversal-toolkit[upnp]")):
            await method.find()


# --- the life of a mapping ----------------------------------------------------------------------------------


@asynccontextmanager
async def mapper_of(
    fake: FakeGateway, *protocols: MappingProtocol
) -> AsyncIterator[tuple[PortMapper, asyncio.Event]]:
    """A mapper that has mapped, and what it sets when it tells; when the block ends it leaves."""
    changed = asyncio.Event()
    config = MapperConfig(protocols=protocols, lifetime=600, watch_interval=0.01, retry_interval=0.01)
    async with serving(fake) as gateway:
        mapper = PortMapper(WANTED, tell=changed.set, config=config, gateway=gateway)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(mapper.run())
            await changed.wait()
            yield mapper, changed
            running.cancel()


@pytest.mark.parametrize("protocol", [MappingProtocol.NAT_PMP, MappingProtocol.UPNP])
async def test_a_mapping_ends_with_its_mapper(protocol: MappingProtocol) -> None:
    fake = FakeGateway(speaks_natpmp=True)
    async with mapper_of(fake, protocol) as (mapper, _):
        assert mapper.mapping is not None
        assert fake.mapped == {4000: 4000}
    assert fake.mapped == {}
    assert mapper.mapping is None


@pytest.mark.parametrize("protocol", [MappingProtocol.NAT_PMP, MappingProtocol.UPNP])
async def test_a_gateway_that_has_forgotten_is_asked_again(protocol: MappingProtocol) -> None:
    fake = FakeGateway(speaks_natpmp=True)
    async with mapper_of(fake, protocol):
        fake.mapped.clear()
        fake.epoch = 0
        fake.has_mapped.clear()
        await fake.has_mapped.wait()
        assert fake.mapped == {4000: 4000}


@pytest.mark.parametrize("protocol", [MappingProtocol.NAT_PMP, MappingProtocol.UPNP])
async def test_a_gateway_with_a_new_external_address_is_asked_again(protocol: MappingProtocol) -> None:
    fake = FakeGateway(speaks_natpmp=True)
    async with mapper_of(fake, protocol) as (mapper, changed):
        changed.clear()
        fake.external_ip = "203.0.113.8"
        await changed.wait()
        assert mapper.mapping is not None
        assert str(mapper.mapping.external) == "203.0.113.8:4000"
    assert fake.mapped == {}


async def test_a_mapper_ends_where_nobody_maps() -> None:
    async with serving(FakeGateway(speaks_natpmp=True, refuses_natpmp=True, speaks_upnp=False)) as gateway:
        config = MapperConfig(protocols=[MappingProtocol.NAT_PMP])
        mapper = PortMapper(WANTED, tell=lambda: None, config=config, gateway=gateway)
        await mapper.run()
    assert mapper.mapping is None
    assert mapper.reason is not None
    assert "not authorized" in mapper.reason


# --- hostile ones -------------------------------------------------------------------------------------------


async def test_a_silent_gateway_is_given_up_in_a_second() -> None:
    async with serving(FakeGateway(speaks_upnp=False)) as gateway:
        started_at = asyncio.get_running_loop().time()
        found = await survey(gateway=gateway)
        assert asyncio.get_running_loop().time() - started_at < 2
    assert [one.is_available for one in (found.pcp, found.nat_pmp, found.upnp)] == [False] * 3


@asynccontextmanager
async def a_victim(touched: list[str]) -> AsyncIterator[str]:
    """Somebody else's web server, to which nothing must lead us."""

    def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        touched.append("it was")
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.2", 0)
    try:
        yield f"http://127.0.0.2:{server.sockets[0].getsockname()[1]}/x.xml"
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("how", ["location", "redirect", "scpd", "control"])
async def test_nothing_leads_us_to_another_host(how: str) -> None:
    touched: list[str] = []
    async with a_victim(touched) as victim:
        fake = FakeGateway()
        if how == "location":
            fake.location = victim
        elif how == "redirect":
            fake.page = lambda path, body: http("", status="302 Found", headers=f"Location: {victim}\r\n")
        elif how == "scpd":
            fake.page = lambda path, body: http(description(scpd=victim))
        else:
            fake.page = lambda path, body: http(
                scpd() if path == "/scpd.xml" else description(control=victim)
            )
        async with upnp_of(fake) as method:
            with pytest.raises(MappingFailed):
                await method.find()
    assert touched == []


def endless(path: str, body: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\n\r\n" + b"<root>" * 1_000_000


HOSTILE_PAGES: dict[str, Page] = {
    "a huge body": endless,
    "a huge length": lambda path, body: b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n<root/>",
    "a negative length": lambda path, body: b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n<root/>",
    "a huge header": lambda path, body: b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "many headers": lambda path, body: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000 + b"\r\n",
    "no HTTP": lambda path, body: b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing": lambda path, body: b"",
    "an XML bomb": lambda path, body: http(BOMB),
    "an external entity": lambda path, body: http('<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'),
    "no XML": lambda path, body: http("hello"),
    "other XML": lambda path, body: http("<html/>"),
    "no UTF-8": lambda path, body: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",
    "deep XML": lambda path, body: http(
        '<root xmlns="urn:schemas-upnp-org:device-1-0">' + "<device><deviceList>" * 2_500
    ),
    "deep devices": lambda path, body: http(
        '<root xmlns="urn:schemas-upnp-org:device-1-0">'
        + "<device><deviceList>" * 1_500
        + "</deviceList></device>" * 1_500
        + "</root>"
    ),
    "compressed": lambda path, body: (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(10_000_000))
    ),
    "an error": lambda path, body: http("", status="500 Internal Server Error"),
    "a thousand services": lambda path, body: http(
        scpd() if path == "/scpd.xml" else description(services=150)
    ),
    "no service": lambda path, body: http(description(services=0)),
    "an SCPD of something else": lambda path, body: http("<x/>" if path == "/scpd.xml" else description()),
}


@pytest.mark.parametrize("name", HOSTILE_PAGES)
async def test_a_hostile_description_leads_to_one_clear_failure(name: str) -> None:
    async with upnp_of(FakeGateway(page=HOSTILE_PAGES[name])) as method:
        with pytest.raises(MappingFailed) as failed:
            await method.find()
    assert str(failed.value).isprintable()
    assert len(str(failed.value)) < 300


async def test_an_answer_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requester, "REQUEST_TIMEOUT", 0.1)
    forever = asyncio.Event()

    async def drip(path: str, body: str) -> bytes:
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await forever.wait()
        return b""

    async with upnp_of(FakeGateway(page=drip)) as method:
        with pytest.raises(MappingFailed, match="no whole UPnP answer in"):
            await method.find()
        forever.set()


@pytest.mark.parametrize("address", ["", "nonsense", "::1", "1.2.3.4.5", "\x07", "999.1.1.1", "0.0.0.0"])
async def test_an_external_address_that_is_none_maps_nothing(address: str) -> None:
    fake = FakeGateway(external_ip=address)
    async with upnp_of(fake) as method:
        with suppress(MappingFailed):
            assert await method.find() is None
        with pytest.raises(MappingFailed):
            await method.map(WANTED)
    assert fake.mapped == {}


async def test_an_endless_list_is_read_to_a_bound() -> None:
    fake = FakeGateway()

    def page(path: str, body: str) -> bytes:
        if "GetGenericPortMappingEntry" not in body:
            return fake.honest_page(path, body)
        row = {
            "NewExternalPort": 1,
            "NewProtocol": "UDP",
            "NewInternalPort": 2,
            "NewInternalClient": "x" * 999,
        }
        more = {"NewPortMappingDescription": "y" * 999, "NewLeaseDuration": 0}
        return soap("GetGenericPortMappingEntry", **row, **more)

    fake.page = page
    async with upnp_of(fake) as method:
        await method.find()
        rows = await method.entries()
    assert len(rows) == 64
    assert max(len(row.description) for row in rows) == 64
