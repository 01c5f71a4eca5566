"""Decodes wandb's records from protobuf.

The field numbers are those of wandb's ``wandb_internal.proto`` (0.16 to 0.31; numbers never change
in protobuf). Only what launch_tui shows is decoded; any other record costs a few bytes of reading.
History is the hot path: a script that logs in a tight loop writes tens of thousands a second.

wandb 0.16 writes nested values as JSON, later versions as key paths, also those inside a media
value; both give the same result here: numbers under joined names, and a media value (a dict with
``_type``) as one dict under its own name.
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any

from launch_tui.domain.limits import METRIC_KEYS
from launch_tui.tracking.artifact_record import artifact
from launch_tui.tracking.protobuf import Malformed, field, plain, signed, text
from launch_tui.tracking.records import (
    Config,
    Exit,
    History,
    Metric,
    Path,
    Record,
    RunInfo,
    Stats,
    Summary,
    Version,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_VALUE = 1024 * 1024
"""Bytes of the longest JSON value that is kept; a longer one becomes ``{"_type": "too-large"}``."""

_MAX_CACHED_NAMES = 2 * METRIC_KEYS
_MAX_ITEMS = 2 * METRIC_KEYS
_LARGE_ROW = 512 * 1024
_MAX_NUMBER = 400
_SHORTEST_ITEM = 2
_MAX_LEVELS = 200
_BRACKETS = re.compile(rb'[][{}]|"(?:[^"\\]|\\.)*"')
_BOOLEANS = {b"true": True, b"false": False}
_DOUBLE = struct.Struct("<d")
_HISTORY, _SUMMARY, _CONFIG, _STATS, _TELEMETRY, _METRIC = 2, 3, 5, 7, 11, 12
_ARTIFACT, _RUN, _EXIT, _HEADER = 8, 17, 18, 21


class Decoder:
    """Decodes the records of one file; keeps the names it has met."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}
        self._type_names: set[str] = set()
        self._others: dict[int, Callable[[bytes], Record | None]] = {
            _SUMMARY: lambda data: _changed(Summary, data),
            _CONFIG: lambda data: _changed(Config, data),
            _STATS: _stats,
            _TELEMETRY: lambda data: _version(data, 5),
            _METRIC: _metric,
            _ARTIFACT: artifact,
            _RUN: _run,
            _EXIT: _exit,
            _HEADER: _header,
        }

    def decode(self, data: bytes) -> Record | None:
        """Return the record in ``data``, None when it is of a kind that nobody here reads.

        Raises:
            Malformed: When the bytes are not what wandb writes.
        """
        try:
            return self._decode(data)
        except (IndexError, struct.error) as error:
            raise Malformed("a record ends in the middle of a field") from error

    def _decode(self, data: bytes) -> Record | None:
        position, end = 0, len(data)
        while position < end:
            number, wire, value, after = field(data, position, end)
            if wire == 2 and number == _HISTORY:
                return self._history(data, value, after)
            if wire == 2 and number in self._others:
                return self._others[number](data[value:after])
            position = after
        return None

    def _history(self, data: bytes, position: int, end: int) -> History:
        values: dict[str, Any] = {}
        step: int | None = None
        only_numbers = True
        quick = self._quick
        limit = end if end - position < _LARGE_ROW else _end_of_items(data, position, end)
        while position < end:
            after = quick(data, position, end, values) if position < limit else 0
            if not after:
                number, wire, value, after = field(data, position, end)
                if number == 1 and wire == 2 and position < limit:
                    path, decoded = _item(data, value, after)
                    values[".".join(path)] = decoded
                    only_numbers = False
                elif number == 2 and wire == 2:
                    step = _step(data, value, after)
            position = after
        if not only_numbers or self._type_names:
            values = _joined(values)
        if step is None and isinstance(own := values.get("_step"), (int, float)):
            step = _whole(own)
        return History(step=step, values=values)

    def _quick(self, data: bytes, position: int, end: int, values: dict[str, Any]) -> int:
        """Decode one short item with a number or a boolean; return its end, 0 for any other.

        Asking float() first is three times as fast as a JSON parser, and it takes NaN, Infinity
        and -Infinity as wandb writes them.
        """
        size = data[position + 1]
        begin = mark = position + 2
        stop = begin + size
        if data[position] != 0x0A or size > 127 or stop > end:
            return 0
        while (tag := data[mark]) == 0x12 or tag == 0x0A:
            mark += 2 + data[mark + 1]
        if tag != 0x82 or data[mark + 1] != 1 or mark + 3 + data[mark + 2] != stop:
            return 0
        raw = data[mark + 3 : stop]
        try:
            number = int(raw) if raw.isdigit() else float(raw)
        except ValueError:
            if raw not in _BOOLEANS:
                return 0
            number = _BOOLEANS[raw]
        key = data[begin:mark]
        values[self._names.get(key) or self._name(key)] = number
        return stop

    def _name(self, key: bytes) -> str:
        if len(self._names) >= _MAX_CACHED_NAMES:
            self._names.clear()
        path = tuple(text(v) for n, v in plain(key, 0, len(key)) if n in (1, 2))
        name = ".".join(path)
        if name.endswith("._type") and len(self._type_names) < METRIC_KEYS:
            self._type_names.add(name)
        self._names[key] = name
        return name


def _end_of_items(data: bytes, position: int, end: int) -> int:
    """Return where the items of a large row end that are read."""
    count = 0
    while position < end and count < _MAX_ITEMS:
        number, _, _, position = field(data, position, end)
        count += number == 1
    return position


def _joined(values: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` with nested dicts joined by dots and each media value as one dict."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        _flatten(name, value, flat, 0)
    media = {name[: -len("._type")] for name in flat if name.endswith("._type")}
    if not media:
        return flat
    joined: dict[str, Any] = {}
    for name, value in flat.items():
        owner = _owner(name, media)
        if owner:
            joined.setdefault(owner, {})[name[len(owner) + 1 :]] = value
        else:
            joined[name] = value
    return joined


def _owner(name: str, media: set[str]) -> str:
    """Return the outermost media value that ``name`` belongs to, or an empty text."""
    dot = -1
    for _ in range(_MAX_DEPTH):
        dot = name.find(".", dot + 1)
        if dot < 0:
            break
        if name[:dot] in media:
            return name[:dot]
    return ""


_MAX_DEPTH = 32


def _flatten(name: str, value: object, into: dict[str, Any], depth: int) -> None:
    if not isinstance(value, dict) or "_type" in value or depth >= _MAX_DEPTH:
        into[name] = value
        return
    for key, inner in value.items():
        _flatten(f"{name}.{key}", inner, into, depth + 1)


def _changed(kind: type[Summary] | type[Config], data: bytes) -> Summary | Config:
    update: dict[Path, Any] = {}
    removed: list[Path] = []
    for number, value in plain(data, 0, len(data)):
        if not isinstance(value, bytes):
            continue
        if number == 1 and len(update) < _MAX_ITEMS:
            path, decoded = _item(value, 0, len(value))
            update[path] = decoded
        elif number == 2:
            removed.append(_item(value, 0, len(value))[0])
    return kind(update=update, removed=tuple(removed))


def _item(data: bytes, position: int, end: int) -> tuple[Path, Any]:
    """Return path and value of a HistoryItem, SummaryItem, ConfigItem or StatsItem."""
    path: list[str] = []
    decoded: object = None
    if end - position < _SHORTEST_ITEM:
        raise Malformed("an item has no key")
    while position < end:
        number, wire, value, after = field(data, position, end)
        if number in (1, 2) and wire == 2:
            path.append(text(data[value:after]))
        elif number in (8, 16) and wire == 2:
            decoded = _value(data[value:after])
        else:
            decoded = _typed(data, number, wire, value, after, decoded)
        position = after
    return tuple(path), decoded


def _typed(
    data: bytes, number: int, wire: int, value: int, after: int, otherwise: object
) -> object:
    """Return a value of the ``oneof`` that the schema of 0.31 adds beside ``value_json``."""
    if number == 4 and wire == 0:
        return bool(value)
    if number == 5 and wire == 0:
        return (value >> 1) ^ -(value & 1)
    if number == 6 and wire == 1:
        return float(_DOUBLE.unpack_from(data, value)[0])
    if number == 7 and wire == 2:
        return text(data[value:after])
    return otherwise


def _value(raw: bytes) -> object:
    """Return what a JSON text stands for, the quick way if it is a number."""
    if len(raw) > _MAX_NUMBER:
        return _json(raw)
    try:
        number = float(raw)
    except ValueError:
        return _json(raw)
    return int(raw) if raw[-1:].isdigit() and raw.lstrip(b"-").isdigit() else number


def _json(raw: bytes) -> object:
    if len(raw) > MAX_VALUE:
        return {"_type": "too-large", "size": len(raw)}
    try:
        value: object = json.loads(raw)
        if _is_deep(raw):
            raise RecursionError
        return value
    except (ValueError, RecursionError):
        # Not JSON, or nested too deep for any use: the text itself is the only honest value.
        return raw.decode("utf-8", "replace")


def _is_deep(raw: bytes) -> bool:
    """Whether a JSON text nests deeper than anybody can want to write again."""
    if raw.count(b"[") + raw.count(b"{") <= _MAX_LEVELS:
        return False
    level = 0
    for match in _BRACKETS.finditer(raw):
        level += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(match.group(), 0)
        if level > _MAX_LEVELS:
            return True
    return False


def _run(data: bytes) -> RunInfo:
    texts: dict[int, str] = {}
    tags: list[str] = []
    start = 0.0
    config = Config(update={})
    for number, value in plain(data, 0, len(data)):
        if not isinstance(value, bytes):
            continue
        if number == 4:
            config = Config(update=_changed(Config, value).update)
        elif number == 10:
            tags.append(text(value))
        elif number == 17:
            start = _time(value)
        elif number in (1, 2, 3, 6, 7, 8, 9, 12):
            texts[number] = text(value)
    return RunInfo(
        run_id=texts.get(1, ""),
        entity=texts.get(2, ""),
        project=texts.get(3, ""),
        group=texts.get(6, ""),
        job_type=texts.get(7, ""),
        display_name=texts.get(8, ""),
        notes=texts.get(9, ""),
        sweep_id=texts.get(12, ""),
        tags=tuple(tags),
        start_time=start,
        config=config,
    )


def _stats(data: bytes) -> Stats:
    values: dict[str, Any] = {}
    timestamp = 0.0
    for number, value in plain(data, 0, len(data)):
        if not isinstance(value, bytes):
            continue
        if number == 2:
            timestamp = _time(value)
        elif number == 3:
            path, decoded = _item(value, 0, len(value))
            values[".".join(path)] = decoded
    return Stats(timestamp=timestamp, values=values)


def _metric(data: bytes) -> Metric | None:
    texts = {n: text(v) for n, v in plain(data, 0, len(data)) if isinstance(v, bytes)}
    name = texts.get(1) or texts.get(2, "")
    return Metric(name=name, step_metric=texts.get(4, "")) if name else None


def _exit(data: bytes) -> Exit:
    numbers = dict(plain(data, 0, len(data)))
    return Exit(code=signed(numbers.get(1, 0)), runtime=signed(numbers.get(2, 0)))


def _header(data: bytes) -> Version | None:
    for number, value in plain(data, 0, len(data)):
        if number == 1 and isinstance(value, bytes):
            return _version(value, 1)
    return None


def _version(data: bytes, wanted: int) -> Version | None:
    """Return the version in a field; a build of wandb's appends ``+<commit>``."""
    for number, value in plain(data, 0, len(data)):
        if number == wanted and isinstance(value, bytes) and value:
            return Version(wandb=text(value).partition("+")[0])
    return None


def _step(data: bytes, position: int, end: int) -> int:
    if end - position == 2 and data[position] == 8 and data[position + 1] < 128:
        return data[position + 1]
    return signed(dict(plain(data, position, end)).get(1, 0))


def _time(data: bytes) -> float:
    parts = dict(plain(data, 0, len(data)))
    return signed(parts.get(1, 0)) + signed(parts.get(2, 0)) / 1e9


def _whole(value: float) -> int | None:
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None
