"""Which packages a folder asks for, read from the files that say so.

requirements.txt comes first, as in W&B Launch, then pyproject.toml (with its uv.lock when there is
one), else nothing is asked for. Only the text is read here, so that the same text always has the
same environment; what it means is uv's business.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

ReadFile = Callable[[str], str | None]
"""Gives the text of a file by its path in a tree, None when there is none."""

_INCLUDE = re.compile(r"^(?:-r|-c|--requirement|--constraint)[\s=]*(?P<file>.+)$")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_LOCAL = re.compile(
    r"^(?:(?:-e|--editable)[\s=]*|[\w.\-]+(?:\[[^\]]*\])?\s*@\s*)?(?:file:(?://)?)?"
    r"(?P<path>[^\s;\[]+)"
)
_LOCKED_LOCAL = re.compile(
    r"^source = \{ (?:editable|directory|path) = \"(?P<path>[^\"]+)\"", re.MULTILINE
)
_WANDB = re.compile(r"(?:^|[\"'/])wandb(?=$|[\s\"'\[<>=!~;@#.(])", re.IGNORECASE | re.MULTILINE)


class Kind(StrEnum):
    """The file that says what is to be installed."""

    REQUIREMENTS = "requirements.txt"
    """pip's format, with the files it includes."""
    LOCK = "uv.lock"
    """A pyproject.toml with uv's lock beside it: exactly the locked versions."""
    PROJECT = "pyproject.toml"
    """The project's dependencies, resolved at build time."""
    NOTHING = ""
    """No such file: an environment without packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a folder asks for.

    ``text`` is all that decides what is installed, without comments; ``local`` are the files and
    folders inside the source that get installed themselves; ``python_path`` is where the project's
    own package lies when it has one; ``ignored`` names the files that were there too and lost.
    """

    kind: Kind
    text: str = ""
    local: tuple[Path, ...] = ()
    python_path: tuple[Path, ...] = ()
    ignored: tuple[str, ...] = ()


def read_requirements(source: Path) -> Requirements:
    """Return what the folder asks for.

    A file that cannot be parsed is passed on as it is: uv's message about it is the better one.
    """
    asked = asked_for(reader(source))
    if asked.kind is Kind.REQUIREMENTS:
        local = [_local_path(line, source) for line in asked.text.splitlines()]
        ignored = (Kind.PROJECT,) if (source / Kind.PROJECT).is_file() else ()
        return Requirements(
            kind=asked.kind,
            text=asked.text,
            local=tuple(path for path in local if path is not None),
            ignored=ignored,
        )
    if asked.kind is Kind.NOTHING:
        ignored = (Kind.PROJECT,) if asked.project is not None else ()
        return Requirements(kind=asked.kind, ignored=ignored)
    return _of_project(asked, source)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which file asks, the text that decides, and the parsed pyproject.toml if it was read."""

    kind: Kind
    text: str = ""
    project: dict[str, Any] | None = None

    @property
    def mentions_wandb(self) -> bool:
        """Whether wandb is asked for by name."""
        return _WANDB.search(self.text) is not None


def asked_for(read_file: ReadFile) -> Asked:
    """Return what a tree of files asks for, knowing only how to read one of them.

    Args:
        read_file: Gives the text of a file by its path in the tree, None when there is none.
    """
    if read_file(Kind.REQUIREMENTS) is not None:
        lines = _lines(read_file, Kind.REQUIREMENTS, frozenset())
        return Asked(Kind.REQUIREMENTS, "\n".join(lines))
    text = read_file(Kind.PROJECT)
    if text is None:
        return Asked(Kind.NOTHING)
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return Asked(Kind.PROJECT, text, {})
    if "project" not in data and "poetry" not in data.get("tool", {}):
        return Asked(Kind.NOTHING, project=data)
    lock = read_file(Kind.LOCK)
    parts = _dependency_text(data, read_file)
    if lock is None:
        return Asked(Kind.PROJECT, parts, data)
    return Asked(Kind.LOCK, f"{parts}\n{lock}", data)


def reader(source: Path) -> ReadFile:
    """Return what reads the files of a folder."""

    def read(name: str) -> str | None:
        try:
            return (source / name).read_bytes().decode("utf-8-sig", errors="replace")
        except OSError:
            return None

    return read


def _lines(read_file: ReadFile, name: str, above: frozenset[str]) -> list[str]:
    result: list[str] = []
    for raw in (read_file(name) or "").splitlines():
        line = _COMMENT.sub("", raw).strip()
        if not line:
            continue
        result.append(line)
        included = _INCLUDE.match(line)
        if included is not None:
            path = posixpath.join(posixpath.dirname(name), included["file"].strip("\"'"))
            path = posixpath.normpath(path)
            if path not in above and "://" not in included["file"]:
                result.extend(_lines(read_file, path, above | {path}))
    return result


def _dependency_text(data: dict[str, Any], read_file: ReadFile) -> str:
    import json

    project, tools = data.get("project", {}), data.get("tool", {})
    parts = {
        "dependencies": project.get("dependencies"),
        "extras": project.get("optional-dependencies"),
        "python": project.get("requires-python"),
        "groups": data.get("dependency-groups"),
        "uv": tools.get("uv"),
        "poetry": tools.get("poetry"),
    }
    text = json.dumps(parts, sort_keys=True, default=str)
    if "dependencies" not in project.get("dynamic", ()):
        return text
    # The build backend makes the list, from whichever of these it likes.
    dynamic = tools.get("setuptools", {}).get("dynamic", {}).get("dependencies", {})
    named = dynamic.get("file", [])
    files = ["setup.py", "setup.cfg", *([named] if isinstance(named, str) else named)]
    rest = [read_file(file) or "" for file in files]
    return "\n".join([text, json.dumps(data, sort_keys=True, default=str), *rest])


def _of_project(asked: Asked, source: Path) -> Requirements:
    data = asked.project or {}
    if asked.kind is Kind.LOCK:
        paths = {match["path"] for match in _LOCKED_LOCAL.finditer(asked.text)} - {"."}
        local = tuple(source / path for path in sorted(paths))
    else:
        local = _source_paths(data.get("tool", {}), source)
    return Requirements(
        kind=asked.kind, text=asked.text, local=local, python_path=_own_package(data, source)
    )


def _local_path(line: str, source: Path) -> Path | None:
    if line.startswith("-") and not line.startswith(("-e", "--editable")):
        return None
    match = _LOCAL.match(line)
    if match is None:
        return None
    path = Path(source, match["path"])
    # A bare word is a package's name even where a folder has the same one, as for pip.
    explicit = "/" in match["path"] or match["path"] == "." or match.start("path") > 0
    return path if explicit and path.exists() else None


def _source_paths(tools: dict[str, Any], source: Path) -> tuple[Path, ...]:
    entries: list[dict[str, Any]] = []
    for value in tools.get("uv", {}).get("sources", {}).values():
        entries.extend(value if isinstance(value, list) else [value])
    if any(entry.get("workspace") for entry in entries):
        return (source,)
    return tuple(source / entry["path"] for entry in entries if "path" in entry)


def _own_package(data: dict[str, Any], source: Path) -> tuple[Path, ...]:
    # uv's rule for what is a package: it has a build system, unless tool.uv.package says otherwise.
    package = data.get("tool", {}).get("uv", {}).get("package", "build-system" in data)
    if not package:
        return ()
    nested = source / "src"
    return (nested if nested.is_dir() else source,)
