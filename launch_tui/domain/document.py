"""YAML and JSON documents that a person gives, as a file or as text, read without surprises.

YAML is read by the rules of version 1.2, as W&B's own editor does: ``no`` and a date are text,
``1e-3`` is a number. What comes out is plain JSON: text keys, finite numbers, no cycles. A document
that is too large, or grows too large through its aliases, is refused before it is expanded. JSON
needs no third party, so that a launch with ``-R '{"gpus": 2}'`` stays fast.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any

from launch_tui.domain.home_path import at_home
from launch_tui.domain.managed_files import written_key
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import yaml

MAX_BYTES = 1_000_000
"""Of a document."""

MAX_VALUES = 50_000
"""Keys and values of a document, each alias counted as often as it stands for something."""

MAX_DEPTH = 50
"""Objects and lists within each other."""

BAD_TAG = (LookupError, TypeError, AttributeError)
"""What PyYAML raises besides its own errors: for ``!!float`` without a number, ``!!bool x``."""

_TOO_MANY = f"more than {MAX_VALUES:,} values"
_MAX_DIGITS = 300
_ALLOWED = 'a YAML or JSON file, or text such as {"gpus": 1}'
_KEY_FIRST = re.compile(r"[\w.\-]+:(\s|\Z)|---(\s|\Z)")
_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z"
    r"|[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z"
)
_BOOL = re.compile(r"(true|True|TRUE|false|False|FALSE)\Z")
_NULL = re.compile(r"(~|null|Null|NULL|)\Z")
_TAG = "tag:yaml.org,2002:"
_HOLE_HINT = 'a hole in quotes: "{{name}}"'


def read_document(text_or_path: str | Path, field: str) -> dict[str, Any]:
    """Return the object in a file, on stdin (``-``), or in a text itself.

    Text that begins with ``{``, has several lines or begins with a key and a colon is the document;
    everything else is the path of one. An empty document is an empty object.

    Args:
        text_or_path: What the person gave.
        field: How an error names it.

    Raises:
        UsageError: With the line, or the dotted key, that is wrong.
    """
    text = _text_of(text_or_path, field)
    _check_size(text, field)
    value = _parse(text, field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "a single value"
        raise UsageError(field, f"is {kind}, no object", allowed="keys with values")
    check_plain(value, field)
    return value


def check_plain(value: object, field: str, path: tuple[str, ...] = ()) -> None:
    """Refuse what JSON cannot hold: numbers that are none, half characters, other types.

    Args:
        value: An object, list or value.
        field: How an error names the whole.
        path: The keys above ``value``.
    """
    if len(path) > MAX_DEPTH:
        raise UsageError(field, f"is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise UsageError(_named(field, (*path, str(key))), "is a key that is no text")
            _check_leaf(key, field, path)
            check_plain(inner, field, (*path, key))
    elif isinstance(value, (list, tuple)):
        for at, inner in enumerate(value):
            check_plain(inner, field, (*path, str(at)))
    else:
        _check_leaf(value, field, path)


def dotted(path: Iterable[str]) -> str:
    r"""Return a path of keys as one text; a dot within a key is ``\.`` (as W&B escapes it)."""
    return written_key(path)


def _check_leaf(value: object, field: str, path: tuple[str, ...]) -> None:
    problem = ""
    if isinstance(value, float) and not math.isfinite(value):
        problem = f"{value} is not a finite number"
    elif isinstance(value, int) and value.bit_length() > 1023:
        problem = "is a number of too many digits"
    elif isinstance(value, str) and not value.isascii() and not _is_whole(value):
        problem = "holds half a character (a lone surrogate)"
    elif value is not None and not isinstance(value, (str, int, float)):
        problem = f"is of type {type(value).__name__}, which JSON does not have"
    if problem:
        raise UsageError(_named(field, path), problem)


def _named(field: str, path: tuple[str, ...]) -> str:
    return f"{field} {dotted(path)}" if path else field


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text_of(given: str | Path, field: str) -> str:
    if isinstance(given, str) and _is_document(given):
        return given
    try:
        if given == "-":
            return _decoded(sys.stdin.buffer.read(MAX_BYTES + 1), field)
        with at_home(given).open("rb") as file:
            return _decoded(file.read(MAX_BYTES + 1), field)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(field, f"cannot read {given}: {reason}", allowed=_ALLOWED) from None


def _is_document(given: str) -> bool:
    text = given.lstrip()
    return not text or text[0] in "{[" or "\n" in text or _KEY_FIRST.match(text) is not None


def _decoded(data: bytes, field: str) -> str:
    try:
        # A limit may cut a character, and then the size is what is wrong with it.
        return data.decode("utf-8-sig", "replace" if len(data) > MAX_BYTES else "strict")
    except UnicodeDecodeError:
        raise UsageError(field, "is not UTF-8 text", allowed=_ALLOWED) from None


def _check_size(text: str, field: str) -> None:
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise UsageError(field, f"has more than {MAX_BYTES // 1_000_000} MB")


def _parse(text: str, field: str) -> Any:  # noqa: ANN401
    if text.lstrip().startswith(("{", "[")):
        try:
            return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, field))
        except RecursionError:
            raise UsageError(field, f"is nested more than {MAX_DEPTH} deep") from None
        except json.JSONDecodeError as error:
            # JSON with a comment or with bare words is YAML; what is neither, JSON says better.
            return _parse_yaml(text, field, instead=str(error) if '"' in text else "")
        except ValueError:
            raise UsageError(field, "holds a number of too many digits") from None
    return _parse_yaml(text, field)


def _once(pairs: list[tuple[str, Any]], field: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise UsageError(f"{field} {dotted([twice])}", "is given twice")
    return found


def _parse_yaml(text: str, field: str, *, instead: str = "") -> Any:  # noqa: ANN401
    import yaml

    try:
        loader = _loader()(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _Nodes(field).check(node)
        return loader.construct_document(node)
    except RecursionError:
        raise UsageError(field, f"is nested more than {MAX_DEPTH} deep") from None
    except BAD_TAG:
        raise UsageError(
            field, "cannot be read: a value is not of the type that its tag names"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        parts = (getattr(error, "context", None), getattr(error, "problem", None))
        problem = ", ".join(filter(None, parts)) or str(error).splitlines()[0]
        raise UsageError(field, f"cannot be read: {instead or problem + at}") from None


class _Nodes:
    """Checks a YAML document before it is made into values."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._sizes: dict[int, int] = {}
        self._above: set[int] = set()

    def check(self, node: yaml.Node, path: tuple[str, ...] = ()) -> int:
        """Return how many values a node stands for, its aliases expanded."""
        if id(node) in self._above:
            raise UsageError(_named(self._field, path), "is an alias of what it is in")
        if id(node) not in self._sizes:
            self._above.add(id(node))
            self._sizes[id(node)] = 1 + sum(
                self.check(inner, (*path, name)) for name, inner in self._parts(node, path)
            )
            self._above.remove(id(node))
        if self._sizes[id(node)] > MAX_VALUES:
            raise UsageError(_named(self._field, path), f"stands for {_TOO_MANY}")
        return self._sizes[id(node)]

    def _parts(self, node: yaml.Node, path: tuple[str, ...]) -> list[tuple[str, yaml.Node]]:
        import yaml

        if isinstance(node, yaml.MappingNode):
            return self._pairs(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [(str(at), inner) for at, inner in enumerate(node.value)]
        return []

    def _pairs(self, node: yaml.MappingNode, path: tuple[str, ...]) -> list[tuple[str, yaml.Node]]:
        found: dict[str, yaml.Node] = {}
        for key, inner in node.value:
            if not isinstance(key.value, str):
                raise UsageError(
                    _named(self._field, path), "has an object as a key", allowed=_HOLE_HINT
                )
            here = (*path, key.value)
            if key.tag == f"{_TAG}merge":
                here = (*path, f"{key.value} {len(found)}")
            elif key.tag != f"{_TAG}str":
                raise UsageError(
                    _named(self._field, here), "is a key that is no text", allowed="a key in quotes"
                )
            if here[-1] in found:
                line = key.start_mark.line + 1
                raise UsageError(_named(self._field, here), f"is given twice (line {line})")
            found[here[-1]] = inner
        return list(found.items())


def _loader() -> type[yaml.SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML 1.2's core schema, with the merge key that people know from Docker Compose."""

        composed = 0

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            # Counted as they come: a megabyte of values takes many seconds to compose.
            self.composed += 1
            if self.composed > MAX_VALUES:
                raise yaml.MarkedYAMLError(problem=_TOO_MANY)
            return super().compose_node(parent, index)

    Loader.yaml_implicit_resolvers = {}
    for name, pattern, first in (
        ("bool", _BOOL, "tTfF"),
        ("null", _NULL, ["~", "n", "N", ""]),
        ("int", _INT, "-+0123456789"),
        ("float", _FLOAT, "-+.0123456789"),
        ("merge", re.compile(r"<<\Z"), "<"),
    ):
        Loader.add_implicit_resolver(f"{_TAG}{name}", pattern, list(first))
    Loader.add_constructor(f"{_TAG}int", _int)
    Loader.add_constructor(f"{_TAG}float", _float)
    return Loader


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number of too many digits")
    digits = text.lstrip("+-").lower()
    # 0644 is octal, as kubectl and Docker Compose read it: nobody means 644 by it.
    is_octal = len(digits) > 1 and digits[0] == "0" and set(digits) <= set("01234567")
    return int(text, 8) if is_octal else int(text, 0 if digits[:2] in ("0x", "0o") else 10)


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))
