"""Just enough of protobuf's wire format to walk over the fields of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Malformed(ValueError):
    """Bytes that are no record of wandb's."""


def plain(data: bytes, position: int, end: int) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field: an int for a varint, bytes for all else."""
    while position < end:
        number, wire, value, after = field(data, position, end)
        yield number, value if wire == 0 else data[value:after]
        position = after


def field(data: bytes, position: int, end: int) -> tuple[int, int, int, int]:
    """Return number, wire type, value and end of the field at ``position``.

    ``value`` is the number itself for a varint and the position of the first byte otherwise.
    """
    tag, position = varint(data, position)
    wire = tag & 7
    value = position
    if wire == 0:
        value, position = varint(data, position)
    elif wire == 2:
        size, value = varint(data, position)
        position = value + size
    elif wire == 1:
        position += 8
    elif wire == 5:
        position += 4
    else:
        raise Malformed(f"wire type {wire} is not in use")
    if position > end:
        raise Malformed("a field is longer than its record")
    return tag >> 3, wire, value, position


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at ``position`` and the position after it."""
    byte = data[position]
    if byte < 128:
        return byte, position + 1
    result, shift = byte & 127, 7
    while True:
        position += 1
        byte = data[position]
        result |= (byte & 127) << shift
        if byte < 128:
            return result, position + 1
        shift += 7
        if shift > 63:
            raise Malformed("a number has more than 64 bits")


def signed(value: object) -> int:
    """Return a varint of protobuf's ``int32`` or ``int64`` with its sign."""
    if not isinstance(value, int):
        return 0
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def text(value: object) -> str:
    """Return the text of a field, with a mark for what is not UTF-8; empty for a number."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
