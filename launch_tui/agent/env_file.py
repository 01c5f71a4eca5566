"""Files of variables, one ``NAME=value`` a line, as Docker and dotenv have them.

Blank lines and ``#`` comments are passed over, ``export`` before a name too. A value in single
quotes is taken as it is, one in double quotes may have ``\\n``, ``\\t``, ``\\"``, ``\\$`` and
``\\\\``; both may go on over several lines. Without quotes a value ends at `` #`` or the end of the
line. Nothing is expanded: ``$`` is a character like others. Errors name the file and the line, and
never show a value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from launch_tui.domain.home_path import at_home
from launch_tui.errors import StartFailed

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 20
"""A larger file is no list of variables."""

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_PASSED_OVER = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_SINGLE = re.compile(r"'(?P<value>[^']*)'")
_DOUBLE = re.compile(r'"(?P<value>(?:[^"\\]|\\.)*)"', re.DOTALL)
_COMMENT = re.compile(r"[ \t]#")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "$": "$", "\\": "\\", "\n": ""}


def read_env_file(path: str, base: Path) -> dict[str, str]:
    """Return the variables of a file; a name that comes twice has its last value.

    Args:
        path: The file; ``~`` is the home directory, a relative path is within ``base``.
        base: The job's working directory.

    Raises:
        StartFailed: The file cannot be read, or a line in it.
    """
    file = base / at_home(path)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise _unusable(f"env_file {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _unusable(f"env_file {file}, line {line}: not UTF-8") from error
    if len(data) > MAX_BYTES:
        raise _unusable(f"env_file {file}: larger than {MAX_BYTES >> 20} MiB")
    try:
        return parse_env_text(text)
    except ValueError as error:
        raise _unusable(f"env_file {file}, {error}") from None


def parse_env_text(text: str) -> dict[str, str]:
    """Return the variables that such a text gives.

    Raises:
        ValueError: With ``line N:`` and what is wrong with it.
    """
    text = text.replace("\r\n", "\n")
    variables: dict[str, str] = {}
    at = 0
    while at < len(text):
        passed = _PASSED_OVER.match(text, at)
        if passed:
            at = passed.end()
            continue
        start = _NAME.match(text, at)
        if start is None:
            raise ValueError(f"line {_line(text, at)}: not NAME=value")
        value, end = _value(text, start.end())
        if "\0" in value:
            raise ValueError(f"line {_line(text, at)}: has a NUL character")
        variables[start["name"]] = value
        rest = _PASSED_OVER.match(text, end)
        if rest is None:
            raise ValueError(f"line {_line(text, end)}: more text after the closing quote")
        at = rest.end()
    return variables


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the value that begins there, and where it ends."""
    quote = text[at : at + 1]
    if quote not in ("'", '"') or not quote:
        # From the character before, so that `A= # none` is empty and `A=#1` is not.
        end = text.find("\n", at)
        line = text[at - 1 : end if end >= 0 else len(text)]
        comment = _COMMENT.search(line)
        value = line[1 : comment.start()] if comment else line[1:]
        return value.rstrip(" \t"), at - 1 + len(line)
    quoted = (_SINGLE if quote == "'" else _DOUBLE).match(text, at)
    if quoted is None:
        raise ValueError(f"line {_line(text, at)}: the quote is never closed")
    value = quoted["value"]
    return (value if quote == "'" else _ESCAPE.sub(_unescaped, value)), quoted.end()


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[0])


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _unusable(cause: str) -> StartFailed:
    return StartFailed(
        cause,
        next_step="Correct the file, or `env_file` in the queue or the launch, then rerun",
    )
