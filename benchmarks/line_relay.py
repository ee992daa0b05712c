"""The least that signalling can be: ``python -m benchmarks.line_relay PORT`` passes on lines over TCP.

Each line from one connection goes to all of them at once, the sender's own included, so that two sides can
also begin at the same moment. It prints ``READY`` when it listens.
"""

from __future__ import annotations

import asyncio
import sys


async def relay(port: int) -> None:
    """Relays until it is cancelled."""
    everybody: set[asyncio.StreamWriter] = set()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        everybody.add(writer)
        try:
            while line := await reader.readline():
                for each in everybody:
                    each.write(line)
        finally:
            everybody.discard(writer)
            writer.close()

    server = await asyncio.start_server(attend, "0.0.0.0", port)
    print("READY", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1])))
