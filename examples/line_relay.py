"""The least that signalling can be: passes every line on to everybody, and to whoever comes later.

::

    python line_relay.py ADDRESS PORT
"""

from __future__ import annotations

import asyncio
import sys

MAX_LINES = 100
"""Lines that are remembered for those who come later; two peers need two."""


async def relay(address: str, port: int) -> None:
    """Relays until it is ended, and says READY when it listens."""
    lines: list[bytes] = []
    everybody: set[asyncio.StreamWriter] = set()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        everybody.add(writer)
        writer.writelines(lines)
        try:
            while line := await reader.readline():
                lines.append(line)
                del lines[:-MAX_LINES]
                for each in everybody:
                    each.write(line)
        finally:
            everybody.discard(writer)
            writer.close()

    server = await asyncio.start_server(attend, address, port)
    print("READY", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], int(sys.argv[2])))
