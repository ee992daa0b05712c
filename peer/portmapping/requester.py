"""HTTP towards a gateway that may be hostile: to its own address only, no redirects, little, and briefly.

It is what the UPnP library sends all its requests with, so what a description says (addresses of services, of
actions) cannot lead anywhere else.
"""

from __future__ import annotations

import aiohttp
from async_upnp_client.client import UpnpRequester
from async_upnp_client.const import HttpRequest, HttpResponse

from natcore.address import IPAddress
from peer.errors import MappingFailed
from peer.portmapping.gateway import Gateway
from peer.portmapping.ssdp import is_on

MAX_BODY_SIZE = 64 * 1024
"""Bytes of one answer; a description has a few thousand, the longest list of actions 20,000."""

REQUEST_TIMEOUT = 2.0
"""Seconds for one answer, from connecting to its last byte: however slowly it drips, it ends."""


class GatewayRequester(UpnpRequester):
    """See the module."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway_ip: IPAddress = gateway.ip
        self._requests_left = 0
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(local_addr=(str(gateway.local_ip), 0), force_close=True),
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT),
            trust_env=False,  # no proxy, and no password from a .netrc
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def allow(self, requests: int) -> None:
        """Sets how many requests may follow; a description could name thousands of services to look up."""
        self._requests_left = requests

    async def async_http_request(self, http_request: HttpRequest) -> HttpResponse:
        """Sends one request; the library calls this.

        Raises:
            MappingFailed: it leads elsewhere, or what came is too much, or nothing came.
        """
        if not is_on(http_request.url, self._gateway_ip):
            raise MappingFailed(reason="the gateway's UPnP description leads elsewhere")
        if self._requests_left == 0:
            raise MappingFailed(reason="the gateway's UPnP description is too long")
        self._requests_left -= 1
        try:
            async with self._session.request(
                http_request.method,
                http_request.url,
                headers=http_request.headers,
                data=None if http_request.body is None else http_request.body.encode(),
                allow_redirects=False,
            ) as response:
                body = await _read(response)
        except TimeoutError:
            raise MappingFailed(reason=f"no whole UPnP answer in {REQUEST_TIMEOUT:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise MappingFailed(
                reason=f"UPnP at {self._gateway_ip} cannot be used: {type(exc).__name__}"
            ) from exc
        return HttpResponse(response.status, {}, body.decode("utf-8", errors="replace"))

    async def close(self) -> None:
        """Closes connections."""
        await self._session.close()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    if 300 <= response.status < 400:
        raise MappingFailed(reason="the gateway redirects a UPnP request")
    body = bytearray()
    async for part in response.content.iter_chunked(4_096):
        body += part
        if len(body) > MAX_BODY_SIZE:
            raise MappingFailed(reason=f"a UPnP answer has more than {MAX_BODY_SIZE} bytes")
    return bytes(body)
