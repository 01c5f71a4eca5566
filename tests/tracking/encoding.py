"""Writes wandb's transaction log the way wandb does, independent of the code under test."""

from __future__ import annotations

import json
import struct
import zlib

BLOCK = 32768
MAGIC = b":W&B\xe1\xbe\x00"


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def sized(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def item(key, raw, *, value_field=16):
    """An item by path (a tuple, as wandb since 0.17) or by name (as wandb 0.16)."""
    names = b"".join(sized(2, part.encode()) for part in key) if isinstance(key, tuple) else None
    return (sized(1, key.encode()) if names is None else names) + sized(value_field, raw)


def history(step, values):
    items = b"".join(sized(1, item(key, _raw(value))) for key, value in values.items())
    return sized(2, items + sized(2, number(1, step) if step else b""))


def summary(values, removed=()):
    return sized(3, _changes(values, removed))


def config(values, removed=()):
    return sized(5, _changes(values, removed))


def stats(seconds, values):
    items = b"".join(sized(3, item(key, _raw(value))) for key, value in values.items())
    return sized(7, sized(2, number(1, seconds)) + items)


def run(run_id="abc12345", *, config=None, name="", tags=(), project="p"):
    body = sized(1, run_id.encode()) + sized(3, project.encode())
    body += sized(4, _changes(config or {}, ()))
    body += sized(8, name.encode()) + b"".join(sized(10, tag.encode()) for tag in tags)
    return sized(17, body)


def exit_record(code):
    return sized(18, number(1, code) if code else b"")


def header(version):
    return sized(21, sized(1, sized(1, version.encode())))


def log(records):
    """A whole file of the records, each with its number in front as wandb sends it."""
    out = bytearray(MAGIC)
    for serial, record in enumerate(records, 1):
        append(out, number(1, serial) + record)
    return bytes(out)


def append(out, data):
    first = True
    while True:
        room = BLOCK - len(out) % BLOCK
        if room < 7:
            out += bytes(room)
            room = BLOCK
        part, data = data[: room - 7], data[room - 7 :]
        kind = (2 if data else 1) if first else (3 if data else 4)
        out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
        first = False
        if not data:
            return


def _changes(values, removed):
    return b"".join(sized(1, item(key, _raw(value))) for key, value in values.items()) + b"".join(
        sized(2, item(key, b"")) for key in removed
    )


def _raw(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()
