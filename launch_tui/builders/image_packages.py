"""What is installed into a generated image, and which files decide it.

The files that ask for packages go into the image before the code does, so that a change of the code
alone installs nothing anew. They are exactly those that were read to find out what is asked for.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.builders.requirements import Asked, Kind, asked_for, read_requirements, reader
from launch_tui.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FROZEN = "requirements.frozen.txt"
"""What W&B keeps beside a job: all packages of the run that the job was made from."""

_SETTINGS = "uv.toml"
_UV_TABLE = re.compile(r"^\s*\[+tool\.uv\b", re.MULTILINE)
# In a Dockerfile and in a .dockerignore these mean themselves, at the beginning too.
_PLAIN = re.compile(r"[\w.+=,~@/-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """What a folder asks an image for.

    ``made_from`` is the file that asks, empty when nothing is asked for. ``files`` are the files
    and folders that installing needs, relative to the source; with ``whole`` it needs all of it.
    ``python_path`` are the places of the project's own package, relative to the source. ``ignored``
    were there too and are not used; ``wandb`` says whether wandb is asked for by name.
    """

    made_from: str = ""
    files: tuple[str, ...] = ()
    whole: bool = False
    python_path: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    wandb: bool = False


def read_packages(source: Path) -> Packages:
    """Return what the folder asks for: requirements.txt, else pyproject.toml, else W&B's own file.

    Raises:
        BuildFailed: When a file or folder that is to be installed lies outside the source.
    """
    read_file, names = _recorded(source)
    asked = asked_for(read_file)
    wanted = read_requirements(source)
    if wanted.kind is Kind.NOTHING:
        return _frozen(source, wanted.ignored)
    files = {*names, *_settings(source, asked)}
    files |= {os.path.relpath(path, source) for path in wanted.local}
    _refuse_outside(source, files, asked.kind)
    plain = all(_PLAIN.fullmatch(name) for name in files)
    return Packages(
        made_from=asked.kind,
        files=tuple(sorted(files)),
        whole="." in files or not plain or _is_built(asked),
        python_path=tuple(os.path.relpath(path, source) for path in wanted.python_path),
        ignored=wanted.ignored,
        wandb=asked.mentions_wandb,
    )


def _recorded(source: Path) -> tuple[_Recording, set[str]]:
    names: set[str] = set()
    return _Recording(source, names), names


class _Recording:
    """Reads the files of a folder and notes which were there."""

    def __init__(self, source: Path, names: set[str]) -> None:
        self._read = reader(source)
        self._names = names

    def __call__(self, name: str) -> str | None:
        text = self._read(name)
        if text is not None:
            self._names.add(name)
        return text


def _frozen(source: Path, ignored: Iterable[str]) -> Packages:
    text = reader(source)(FROZEN)
    if text is None:
        return Packages(ignored=tuple(ignored))
    _refuse_outside(source, {FROZEN}, FROZEN)
    wandb = Asked(Kind.REQUIREMENTS, text).mentions_wandb
    return Packages(made_from=FROZEN, files=(FROZEN,), ignored=tuple(ignored), wandb=wandb)


def _settings(source: Path, asked: Asked) -> set[str]:
    """Return the files with uv's own settings, which hold for what it installs here."""
    found = {_SETTINGS} if (source / _SETTINGS).is_file() else set()
    if asked.kind is Kind.REQUIREMENTS and _UV_TABLE.search(reader(source)(Kind.PROJECT) or ""):
        found.add(Kind.PROJECT)
    return found


def _is_built(asked: Asked) -> bool:
    """Whether the project's build backend is asked for its dependencies; it may read anything."""
    if asked.kind is not Kind.PROJECT:
        return False
    project = (asked.project or {}).get("project")
    return not isinstance(project, dict) or "dependencies" in project.get("dynamic", ())


def _refuse_outside(source: Path, names: Iterable[str], kind: str) -> None:
    root = source.resolve()
    for name in sorted(names):
        if not (root / name).resolve().is_relative_to(root):
            raise BuildFailed(
                f"{kind}: {name} lies outside the job's files, so no image can have it",
                next_step="Move it into the job's folder, or build from a Dockerfile of your own",
            )
