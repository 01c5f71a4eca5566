"""Walks a folder and says which of its files belong to a snapshot, by name and state alone.

Asked in this order: ``.launchignore`` has the last word; what is never code (``NEVER``, virtual
environments) is left out; files that git tracks are in, whatever its rules say; then git's rules.
A directory that is ignored is not entered. What the last walk decided is taken over where the
rules are still the same.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from launch_tui.errors import UsageError
from launch_tui.sources.levels import Level, Levels, deeper, is_ignored, verdict
from launch_tui.sources.stat_cache import FolderRules, StatCache, State, state_of
from launch_tui.sources.work_tree import (
    OuterRules,
    Tracked,
    find_work_tree,
    index_state,
    outer_rules,
    tracked_files,
    tracked_though_ignored,
)

NEVER = frozenset(
    {
        ".git", ".hg", ".svn", "wandb", "__pycache__", ".ipynb_checkpoints", ".mypy_cache",
        ".pytest_cache", ".ruff_cache", ".tox", ".nox", "node_modules",
    }
)  # fmt: skip
"""Directories, and links to such, that hold what tools left behind. ``wandb`` is one unless it is
a Python package."""
_NEVER_FILES = frozenset({".git", ".DS_Store"})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL})
"""What went away meanwhile, or became something else."""
_SHOWN = 120
"""Characters of a path that a refusal shows."""
_ENVIRONMENT_MARKS = frozenset({"pyvenv.cfg", "conda-meta"})


@dataclass(slots=True)
class Scan:
    """What belongs to a snapshot of a folder. Paths are relative to it, with ``/``.

    ``complete`` is False when looking was given up because there are too many files. ``outer``,
    ``apart``, ``index`` and ``tracked`` are what the stat cache compares.
    """

    files: dict[str, State] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: dict[str, FolderRules] = field(default_factory=dict)
    environments: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    outer: list[list[str]] = field(default_factory=list)
    apart: bool = False
    index: State | None = None
    tracked: list[str] = field(default_factory=list)
    complete: bool = True

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(state[1] for state in self.files.values())


def scan(
    folder: Path,
    cache: StatCache,
    *,
    give_up_at: int,
    name: str = "PATH",
    leave_out: str = "",
) -> Scan:
    """Look through ``folder`` (absolute).

    Args:
        folder: The folder.
        cache: What the last snapshot of it saw.
        give_up_at: Files after which to stop looking.
        name: The argument to name when the folder cannot be read.
        leave_out: A path in the folder that is not even looked at: the data directory.

    Raises:
        UsageError: When a directory or an ignore file cannot be read.
    """
    return _Scanner(folder, cache, give_up_at, name, leave_out).run()


class _Place(NamedTuple):
    """A directory to look into, with the rules that hold in it, the first to be asked first.

    ``same`` says that all of them are what they were at the last snapshot. ``partly`` says that
    git ignores the directory, and only files in it that git tracks all the same are wanted.
    """

    path: str
    git: Levels
    launch: Levels
    same: bool
    partly: bool = False


class _Scanner:
    def __init__(
        self, folder: Path, cache: StatCache, give_up_at: int, name: str, leave_out: str
    ) -> None:
        self._folder = folder
        self._cache = cache
        self._give_up_at = give_up_at
        self._name = name
        self._leave_out = leave_out
        self._found = Scan()
        self._fresh: Tracked | None = None

    def run(self) -> Scan:
        found = self._found
        outer, same = self._outside()
        git = tuple(Level(rules.text, rules.lead) for rules in outer)
        waiting = [_Place("", git, (), same)]
        while waiting and found.complete:
            waiting.extend(self._visit(waiting.pop()))
            found.complete = len(found.files) <= self._give_up_at
        if self._fresh is not None:
            found.tracked = sorted(self._fresh.files)
            if self._fresh.problem:
                found.warnings.append(self._fresh.problem)
        return found

    def _outside(self) -> tuple[list[OuterRules], bool]:
        """Return the rules from outside, and whether all is there as it was last time."""
        found, cache = self._found, self._cache
        tree = find_work_tree(self._folder)
        if tree is None:
            return [], not cache.outer and cache.index is None
        rules = outer_rules(self._folder, tree)
        found.outer = [[rule.text.decode("latin-1"), os.fsdecode(rule.lead)] for rule in rules]
        found.index, found.tracked = index_state(tree), cache.tracked
        same = found.outer == cache.outer
        found.apart = cache.apart if same else is_ignored(rules)
        if found.index != cache.index and cache.folders:
            same = sorted(self._tracked().files) == cache.tracked and same
        # A folder that the rules ignore as a whole was still named by the person: they do not
        # apply in it.
        return [] if found.apart else rules, same

    def _visit(self, place: _Place) -> list[_Place]:
        entries = self._entries(place.path)
        if place.path and self._is_environment(place, entries):
            self._found.environments.append(place.path)
            self._found.folders[place.path] = FolderRules(partly=place.partly)
            return []
        rules = self._own_rules(place, entries)
        self._found.folders[place.path] = rules
        last = self._cache.folders.get(place.path) if place.same else None
        same = (
            last is not None
            and last.gitignore == rules.gitignore
            and last.launchignore == rules.launchignore
            and last.partly == rules.partly
        )
        cut = len(os.fsencode(place.path)) + 1 if place.path else 0
        inner = _Place(
            place.path,
            deeper(place.git, rules.gitignore, cut),
            deeper(place.launch, rules.launchignore, cut),
            same,
            place.partly,
        )
        ignored = frozenset(last.ignored) if same and last is not None else frozenset()
        return self._sort_out(inner, entries, rules, ignored)

    def _sort_out(
        self,
        place: _Place,
        entries: list[os.DirEntry[str]],
        rules: FolderRules,
        ignored: frozenset[str],
    ) -> list[_Place]:
        """Put each entry where it belongs; return the directories to look into."""
        prefix = f"{place.path}/" if place.path else ""
        below = []
        for entry in entries:
            path, is_link = prefix + entry.name, entry.is_symlink()
            if path == self._leave_out:
                continue
            is_directory = not is_link and entry.is_dir(follow_symlinks=False)
            mark = f"{entry.name}/" if is_directory else entry.name
            keep, partly = self._recall(path, mark, place, is_link, ignored) or self._keeps(
                path, place, is_directory, is_link
            )
            if not keep:
                rules.ignored.append(mark)
            elif is_directory:
                below.append(_Place(path, place.git, place.launch, place.same, partly))
            else:
                self._take(entry, path, is_link)
        return below

    def _recall(
        self, path: str, mark: str, place: _Place, is_link: bool, ignored: frozenset[str]
    ) -> tuple[bool, bool] | None:
        """Return what ``_keeps`` said the last time, None when it must be asked again."""
        # Whether ``wandb`` is a package can change without any rule or name around it changing.
        if not place.same or mark == "wandb/":
            return None
        if mark in ignored:
            return False, False
        if mark.endswith("/"):
            last = self._cache.folders.get(path)
            return None if last is None else (True, last.partly)
        known = path in (self._cache.links if is_link else self._cache.files)
        return (True, False) if known else None

    def _take(self, entry: os.DirEntry[str], path: str, is_link: bool) -> None:
        try:
            if is_link:
                self._found.links[path] = os.readlink(entry.path)  # noqa: PTH115
                return
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            if error.errno in _GONE:
                return
            raise self._unreadable(path, error) from error
        if stat.S_ISREG(status.st_mode):
            self._found.files[path] = state_of(status)
        else:
            self._found.warnings.append(f"{path} is no regular file and was left out")

    def _keeps(
        self, path: str, place: _Place, is_directory: bool, is_link: bool
    ) -> tuple[bool, bool]:
        """Whether an entry belongs to the snapshot, and whether only for tracked files in it."""
        name = path.rpartition("/")[2]
        if name == ".git":
            return False, False
        encoded = os.fsencode(path)
        unwanted = verdict(place.launch, encoded, is_directory)
        if unwanted is not None:
            return not unwanted, False
        if self._is_never(path, name, is_directory or is_link):
            return False, False
        if not (place.partly or verdict(place.git, encoded, is_directory)):
            return True, False
        tracked = self._tracked()
        is_tracked = path in (tracked.folders if is_directory else tracked.files)
        return is_tracked, is_tracked

    def _is_never(self, path: str, name: str, is_folder: bool) -> bool:
        if not is_folder:
            return name in _NEVER_FILES
        if name == "wandb":
            return not (self._folder / path / "__init__.py").exists()
        return name in NEVER

    def _is_environment(self, place: _Place, entries: list[os.DirEntry[str]]) -> bool:
        if not any(entry.name in _ENVIRONMENT_MARKS for entry in entries):
            return False
        return verdict(place.launch, os.fsencode(place.path), True) is not False

    def _tracked(self) -> Tracked:
        if self._fresh is None:
            has_index = self._found.index is not None
            self._fresh = tracked_though_ignored(self._folder) if has_index else tracked_files(())
        return self._fresh

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._folder / path if path else self._folder) as found:
                return list(found)
        except PermissionError:
            raise UsageError(
                self._name,
                f"cannot read the folder {path or self._folder}",
                allowed="make it readable, or name it in .launchignore",
            ) from None
        except OSError as error:
            if error.errno in _GONE:
                return []
            raise self._unreadable(path or str(self._folder), error) from error

    def _unreadable(self, path: str, error: OSError) -> UsageError:
        """Return the refusal of what is there and cannot be looked at, such as too long a path."""
        shown = path if len(path) <= _SHOWN else f"{path[:_SHOWN]}…"
        return UsageError(
            self._name, f"cannot read {shown}: {error.strerror}", allowed="name it in .launchignore"
        )

    def _own_rules(self, place: _Place, entries: list[os.DirEntry[str]]) -> FolderRules:
        rules = FolderRules(partly=place.partly)
        for entry in entries:
            if entry.name == ".gitignore":
                rules.gitignore = self._rule_text(entry)
            elif entry.name == ".launchignore":
                rules.launchignore = self._rule_text(entry)
        return rules

    def _rule_text(self, entry: os.DirEntry[str]) -> str:
        # git does not follow a link here, either.
        if not entry.is_file(follow_symlinks=False):
            return ""
        try:
            return Path(entry.path).read_bytes().decode("latin-1")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise UsageError(self._name, f"cannot read {entry.path}: {error.strerror}") from error
