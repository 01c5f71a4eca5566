"""What git says about a folder from outside it: rules above it, and files it tracks all the same.

Rules come, in the order in which they are asked, from the ``.gitignore`` files between the folder
and the root of its work tree, ``info/exclude`` and the person's own excludes file. Files are read
directly, because a git process for each launch would cost more than the launch.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXCLUDES = r"(?im)^[ \t]*excludesfile[ \t]*=[ \t]*(.+?)[ \t]*$"
_GIT_TIMEOUT = 60.0
"""Seconds that git may take to list tracked files."""


class WorkTree(NamedTuple):
    """A git work tree: its root, its own git directory, and the one that all of its kin share."""

    root: Path
    git_directory: Path
    common_directory: Path


class OuterRules(NamedTuple):
    """The text of an ignore file above a folder, and the folder's path from where it applies."""

    text: bytes
    lead: bytes


class Tracked(NamedTuple):
    """Files below a folder that git tracks although its rules ignore them."""

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    problem: str = ""


def find_work_tree(folder: Path) -> WorkTree | None:
    """Return the work tree that ``folder`` (absolute) is in, None when it is in none."""
    for root in (folder, *folder.parents):
        dot_git = root / ".git"
        found = _git_directory(dot_git)
        if found is not None:
            return WorkTree(root, found, _common_directory(found))
    return None


def outer_rules(folder: Path, tree: WorkTree) -> list[OuterRules]:
    """Return the rules that apply to ``folder`` from outside, the first to be asked first."""
    places = [folder.parents[up] for up in range(len(folder.relative_to(tree.root).parts))]
    files = [(place / ".gitignore", place) for place in places]
    files.append((tree.common_directory / "info" / "exclude", tree.root))
    files.extend((path, tree.root) for path in _own_excludes(tree))
    rules = []
    for path, place in files:
        if text := _read(path):
            below = folder.relative_to(place).as_posix()
            rules.append(OuterRules(text, b"" if below == "." else os.fsencode(below) + b"/"))
    return rules


def index_state(tree: WorkTree) -> list[int] | None:
    """Return something that changes whenever git's index does, None without an index."""
    try:
        status = (tree.git_directory / "index").stat()
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size, status.st_ino]


def tracked_though_ignored(folder: Path) -> Tracked:
    """Ask git for the files below ``folder`` that are tracked although rules ignore them."""
    import subprocess

    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", "-c", "-i"]
    try:
        done = subprocess.run(
            [*command, "--exclude-standard"],
            cwd=folder,
            # The folder's own configuration may name programs that fetch what is missing.
            env=environment
            | {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Tracked(problem=f"git could not list the files it tracks: {error}")
    if done.returncode != 0:
        reason = os.fsdecode(done.stderr).strip().partition("\n")[0]
        return Tracked(problem=f"git could not list the files it tracks: {reason}")
    return tracked_files(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)


def tracked_files(paths: Iterable[str]) -> Tracked:
    """Return these paths with all folders above them."""
    files, folders = frozenset(paths), set[str]()
    for path in files:
        parent = path.rpartition("/")[0]
        while parent and parent not in folders:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
    return Tracked(files, frozenset(folders))


def _git_directory(dot_git: Path) -> Path | None:
    """Follow ``.git``, which is a file in submodules and linked work trees."""
    try:
        if dot_git.is_file():
            target = dot_git.read_text(errors="surrogateescape").strip()
            if not target.startswith("gitdir: "):
                return None
            dot_git = dot_git.parent / target.removeprefix("gitdir: ")
        return dot_git if (dot_git / "HEAD").exists() else None
    except OSError:
        return None


def _common_directory(git_directory: Path) -> Path:
    text = _read(git_directory / "commondir")
    return git_directory / os.fsdecode(text.strip()) if text else git_directory


def _own_excludes(tree: WorkTree) -> list[Path]:
    """Return the excludes file that git's configuration names, by default ``git/ignore``.

    Of the configuration only ``core.excludesFile`` is read, and files that it includes are not.
    """
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "git"
    home = Path("~/.gitconfig").expanduser()
    chosen = config / "ignore"
    for path in (Path("/etc/gitconfig"), config / "config", home, tree.common_directory / "config"):
        text = os.fsdecode(_read(path))
        for value in re.findall(_EXCLUDES, text) if text else ():
            chosen = Path(value.strip('"')).expanduser()
    return [chosen] if chosen.is_absolute() else []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
