"""Long lists on short lines: splits rows so that no message outgrows ``MAX_LINE_LENGTH``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from natcore.control.messages import Message, encode
from natcore.control.stream import MAX_LINE_LENGTH

RowT = TypeVar("RowT", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()


def room_beside(envelope: Message) -> int:
    """The bytes that are left for rows on the line of a message that was given with no rows."""
    return MAX_LINE_LENGTH - len(encode(envelope))


def split_rows(rows: Iterable[RowT], *, room: int, first_room: int | None = None) -> list[tuple[RowT, ...]]:
    """Splits rows into runs whose JSON, commas included, fits the room; their order is kept.

    Args:
        rows: each must fit a line alone.
        room: bytes for the rows of one message.
        first_room: bytes for those of the first message where that is another kind of message; there is a
            first run then even if it is empty.
    """
    runs: list[tuple[RowT, ...]] = []
    run: list[RowT] = []
    left = room if first_room is None else first_room
    for row in rows:
        length = len(_encoder.encode(row)) + 1
        if length > left and (run or first_room is not None):
            runs.append(tuple(run))
            run, left, first_room = [], room, None
        run.append(row)
        left -= length
    if run or first_room is not None:
        runs.append(tuple(run))
    return runs
