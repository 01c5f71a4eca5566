"""Several ignore files over one folder: the one nearest to a path is asked first.

Each applies to paths relative to its own directory, which may lie above the folder or in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch_tui.sources.ignore import IgnoreFile
    from launch_tui.sources.work_tree import OuterRules


class Level:
    """An ignore file and how to make a path relative to where it applies.

    The rules are read when they are first asked, which in an unchanged folder is never.
    """

    __slots__ = ("_cut", "_lead", "_rules", "_text")

    def __init__(self, text: bytes, lead: bytes = b"", cut: int = 0) -> None:
        self._text = text
        self._lead = lead
        self._cut = cut
        self._rules: IgnoreFile | None = None

    def verdict(self, path: bytes, is_directory: bool) -> bool | None:
        """Say what this file wants with a path of the folder (see ``IgnoreFile.verdict``)."""
        if self._rules is None:
            from launch_tui.sources.ignore import IgnoreFile

            self._rules = IgnoreFile(self._text)
        return self._rules.verdict(self._lead + path[self._cut :], is_directory)


Levels = tuple[Level, ...]
"""Ignore files, the first to be asked first."""


def deeper(levels: Levels, text: str, cut: int) -> Levels:
    """Return the levels of a directory that has an ignore file of its own.

    Args:
        levels: Those of the directory above.
        text: The file's text, decoded as Latin-1; empty when there is none.
        cut: Bytes of a path that lead to the directory, with the slash.
    """
    return (Level(text.encode("latin-1"), cut=cut), *levels) if text else levels


def verdict(levels: Levels, path: bytes, is_directory: bool) -> bool | None:
    """Return what the first file with an opinion says, None when none has one."""
    for level in levels:
        found = level.verdict(path, is_directory)
        if found is not None:
            return found
    return None


def is_ignored(rules: list[OuterRules]) -> bool:
    """Whether the folder that these rules are outside of, or one above it, is itself ignored."""
    whole = max((rule.lead for rule in rules), key=len, default=b"").rstrip(b"/")
    parts = whole.split(b"/") if whole else []
    for count in range(1, len(parts) + 1):
        levels = []
        for rule in rules:
            # A file further down than the directory in question has no say in it.
            depth = len(parts) - rule.lead.count(b"/")
            if depth < count:
                cut = sum(len(part) + 1 for part in parts[:depth])
                levels.append(Level(rule.text, cut=cut))
        if verdict(tuple(levels), b"/".join(parts[:count]), True):
            return True
    return False
