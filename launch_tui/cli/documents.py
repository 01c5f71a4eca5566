"""JSON and YAML that a person gives: in a file, on stdin (``-``), or as text on the command line.

YAML is read by the rules that people expect of a configuration: ``1e-4`` is a number (YAML 1.1, as
PyYAML reads it, has it as text) and a date is text, since JSON has no dates. Only what begins
neither with ``{`` nor with ``[`` needs the YAML reader, so a JSON document costs no import.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from launch_tui.domain.document import BAD_TAG
from launch_tui.domain.home_path import at_home
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    import yaml

MAX_SIZE = 16 << 20
"""Bytes of a configuration file: more is no configuration."""

MAX_VALUES = 1_000_000
"""Values of a YAML document once its aliases are written out: a few lines can mean billions."""


def read_object(given: str, *, field: str) -> dict[str, Any]:
    """Return the object in a file, on stdin, or in the text itself.

    Raises:
        UsageError: When there is no such file, it cannot be read, or it is no object.
    """
    text, where = _text_of(given, field)
    document = parse_document(text, where=where, field=field)
    if document is None:
        return {}
    if "\\u" in text and not is_text(document):
        raise UsageError(field, f"{where} holds half a character (a lone surrogate)")
    if not isinstance(document, dict):
        raise UsageError(field, f"{where} is no object", allowed="keys with values")
    return document


def parse_document(text: str, *, where: str, field: str) -> Any:  # noqa: ANN401
    """Return the value of a JSON or YAML text.

    Raises:
        UsageError: With the line where it cannot be read.
    """
    stripped = text.lstrip()
    if stripped.startswith(("{", "[")):
        try:
            return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, field))
        except UsageError:
            raise
        except RecursionError:
            raise UsageError(field, f"{where} is nested too deep") from None
        except json.JSONDecodeError as error:
            # JSON with a comment or a trailing comma is YAML; where it is not, JSON says it better.
            return _parse_yaml(text, where=where, field=field, instead=str(error))
        except ValueError:
            raise UsageError(field, f"{where} holds a number of too many digits") from None
    return _parse_yaml(text, where=where, field=field)


def is_text(value: Any) -> bool:  # noqa: ANN401
    """Say whether every text in a value is whole: JSON can write half a character."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def dump_yaml(values: dict[str, Any]) -> str:
    """Return an object as YAML for a person to edit; ``parse_document`` reads it back."""
    import yaml

    return str(yaml.dump(values, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100))


def _once(pairs: list[tuple[str, Any]], field: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise UsageError(field, f"{twice!r} is given twice")
    return found


def _text_of(given: str, field: str) -> tuple[str, str]:
    if given.lstrip().startswith("{") or "\n" in given:
        return given, "the text"
    if given == "-":
        return sys.stdin.read(), "stdin"
    path = at_home(given)
    try:
        if path.stat().st_size > MAX_SIZE:
            raise UsageError(field, f"{given} has more than {MAX_SIZE >> 20} MB")
        return path.read_text(encoding="utf-8-sig"), given
    except UnicodeDecodeError:
        raise UsageError(field, f"{given} is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        allowed = 'a JSON or YAML file, or text such as {"lr": 0.1}'
        raise UsageError(field, f"cannot read {given}: {reason}", allowed=allowed) from None


def _parse_yaml(text: str, *, where: str, field: str, instead: str = "") -> Any:  # noqa: ANN401
    import yaml

    try:
        return _with_text_keys(yaml.load(text, Loader=_loader()), [MAX_VALUES])
    except RecursionError:
        raise UsageError(field, f"{where} cannot be read: it is nested too deep") from None
    except (yaml.YAMLError, ValueError, *BAD_TAG) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" (line {mark.line + 1})" if mark else ""
        known = getattr(error, "problem", None) or (isinstance(error, ValueError) and str(error))
        problem = instead or known or "a value is not of the type that its tag names"
        raise UsageError(
            field, f"{where} cannot be read: {problem}{'' if instead else at}"
        ) from None


def _with_text_keys(value: Any, left: list[int]) -> Any:  # noqa: ANN401
    """Return a value with text for keys; ``left`` counts the values that there may still be."""
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"it has more than {MAX_VALUES:,} values")
    if isinstance(value, dict):
        return {k if isinstance(k, str) else json.dumps(k, default=str): _with_text_keys(v, left)
                for k, v in value.items()}  # fmt: skip
    if value is not None and not isinstance(value, str | int | float | list):
        raise ValueError(f"it holds a {type(value).__name__}, which JSON does not have")
    if isinstance(value, list):
        return [_with_text_keys(inner, left) for inner in value]
    return value


def _loader() -> type[yaml.SafeLoader]:
    import re

    import yaml

    class Loader(yaml.SafeLoader):
        """YAML with JSON's numbers and without dates, whose keys are given once."""

        merged = 0

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            super().flatten_mapping(node)
            # Merges of merges double with each level, before there is a value to be counted.
            self.merged += len(node.value)
            if self.merged > MAX_VALUES:
                raise yaml.MarkedYAMLError(problem=f"it has more than {MAX_VALUES:,} values")

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set[tuple[str, str]]()
            for key, _ in node.value:
                mark = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else ("", "")
                # A merge may be repeated: each brings other keys.
                if mark in seen and not key.tag.endswith((":merge", ":value")):
                    problem = f"{key.value!r} is given twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                if mark[0]:
                    seen.add(mark)
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in pairs if not tag.endswith(":timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    number = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+\Z")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    return Loader


def _dumper() -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):
        """YAML whose texts stay texts when ``Loader`` reads them."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    loader = _loader()

    def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        # Quoted, PyYAML escapes what it would otherwise write raw and read back as a line break.
        style = None if text.isprintable() else '"'
        if "\n" in text and all(line.isprintable() for line in text.split("\n")):
            style = "|"
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent_text)
    Dumper.yaml_implicit_resolvers = loader.yaml_implicit_resolvers
    return Dumper
