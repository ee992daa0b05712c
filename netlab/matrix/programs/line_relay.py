"""The least that signalling can be: ``python3 line_relay.py PORT`` passes on lines over TCP.

A stand-alone script. Each line from one connection goes to all of them at once, the sender's own included, so
that two sides can also begin at the same moment; who comes late gets what was said before, so that nobody has
to wait for anybody. It prints ``READY`` when it listens.
"""

from __future__ import annotations

import asyncio
import sys

MAX_LINES = 1000
"""That are kept for whoever comes late."""


async def relay(port: int) -> None:
    """Relays until it is cancelled."""
    everybody: set[asyncio.StreamWriter] = set()
    said: list[bytes] = []

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        everybody.add(writer)
        writer.writelines(said)
        try:
            while line := await reader.readline():
                if len(said) < MAX_LINES:
                    said.append(line)
                for each in everybody:
                    each.write(line)
        except (ConnectionError, ValueError):
            pass  # it has gone, or a line has no end: either way there is nothing to pass on
        finally:
            everybody.discard(writer)
            writer.close()

    server = await asyncio.start_server(attend, "0.0.0.0", port)
    print("READY", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1])))
