"""What a person should know about a snapshot that was taken, or was too large to be.

Links that will not work in a working copy, ignored folders that the code asks for, and what is
big. Computed only when something changed.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from heapq import nlargest
from typing import TYPE_CHECKING

from launch_tui.sources.scan import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launch_tui.sources.scan import Scan
    from launch_tui.sources.stat_cache import StatCache

_CODE = (".py", ".yaml", ".yml", ".sh", ".toml", ".json", ".cfg")
_CODE_BYTES = 512 * 1024
"""Larger files are data, whatever they are called."""
_MAX_FOLDERS = 50
_BIGGEST = 3
_MOST = 0.8


def link_remarks(root: Path, seen: StatCache) -> tuple[dict[str, str], list[str]]:
    """Return the links as the artifact keeps them, and what is wrong with some.

    An absolute link into the folder becomes relative: in a working copy it must not lead back to
    the original. A link that leads out of the folder is kept as it is and never followed.
    """
    kept, remarks = {}, []
    real = os.path.realpath(root)
    for path, target in seen.links.items():
        above = os.path.dirname(path)  # noqa: PTH120  these are names, not files
        inside = _inside(target, above, (str(root), real))
        kept[path] = target
        if inside is None:
            remarks.append(f"{path} is a link to {target}, outside the folder: kept as a link")
            continue
        if target.startswith("/"):
            kept[path] = os.path.relpath(inside, above or ".")
        if not _is_seen(inside, seen) and (root / inside).exists():
            remarks.append(f"{path} is a link to {target}, which is not in the snapshot")
    return kept, remarks


def mentioned_ignored(root: Path, seen: StatCache, known: StatCache) -> list[str]:
    """Return the ignored folders whose paths the code mentions, to be told about ``--link``.

    What each file mentions is written down in ``seen``, and taken from ``known`` where neither
    the file nor what is ignored has changed.
    """
    folders = sorted(_ignored_folders(root, seen), key=lambda path: (path.count("/"), path))
    seen.asked_for = folders[:_MAX_FOLDERS]
    if not folders:
        return []
    patterns = [(folder, _mention(folder)) for folder in seen.asked_for]
    known_files = known.files if known.asked_for == seen.asked_for else {}
    for path, state in seen.files.items():
        if known_files.get(path) == state:
            mentions = known.mentions.get(path, [])
        elif path.endswith(_CODE) and state[1] <= _CODE_BYTES:
            text = _text(root / path)
            mentions = [name for name, form in patterns if name in text and form.search(text)]
        else:
            mentions = []
        if mentions:
            seen.mentions[path] = mentions
    mentioned = {folder for mentions in seen.mentions.values() for folder in mentions}
    return [folder for folder in seen.asked_for if folder in mentioned]


def too_large(root: Path, found: Scan, limits: tuple[int, int]) -> str:
    """Return the refusal of a folder that is too large, with what is big in it and the ways out.

    Args:
        root: The folder.
        found: What is in it.
        limits: Bytes and files that are taken without asking.
    """
    by_size = found.size > limits[0]
    amounts = Counter[str]()
    for path, state in found.files.items():
        for part in _heads(path):
            amounts[part] += state[1] if by_size else 1
    biggest = [
        f"{part} ({human_size(amount) if by_size else f'{amount:,} files'})"
        for part, amount in _telling(amounts)
    ]
    more = "" if found.complete else "more than "
    return (
        f"{root} has {more}{human_size(found.size)} in {more}{len(found.files):,} files, more than "
        f"{human_size(limits[0])} or {limits[1]:,} files; the biggest are {', '.join(biggest)}. "
        "Name what the job does not need in .launchignore, or take it all with --yes"
    )


def human_size(size: int) -> str:
    """Return bytes as a person reads them: ``1.4 GiB``."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def _inside(target: str, above: str, roots: tuple[str, str]) -> str | None:
    """Return a link's target relative to the folder, None when it leads out of it."""
    if target.startswith("/"):
        root = next((r for r in roots if os.path.normpath(target).startswith(r + "/")), None)
        return None if root is None else os.path.relpath(target, root)
    inside = os.path.normpath(f"{above}/{target}" if above else target)
    return None if inside.startswith("/") or inside.split("/")[0] == ".." else inside


def _is_seen(path: str, seen: StatCache) -> bool:
    return path == "." or path in seen.files or path in seen.links or path in seen.folders


def _ignored_folders(root: Path, seen: StatCache) -> Iterator[str]:
    for folder, rules in seen.folders.items():
        prefix = f"{folder}/" if folder else ""
        for name in rules.ignored:
            plain = name.rstrip("/")
            path = prefix + plain
            # A link to data elsewhere is ignored as often as the data itself.
            if plain not in NEVER and (name != plain or (root / path).is_dir()):
                yield path


def _mention(folder: str) -> re.Pattern[str]:
    """Match ``folder`` where it is written as a path, not as any word or a mapping's key."""
    name = re.escape(folder)
    return re.compile(
        rf"(?<![\w/.\-])(?:\./)?{name}/|(?<![\w/.\-])\./{name}(?![\w\-])|(?<!\[)([\"']){name}\1"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _heads(path: str) -> Iterator[str]:
    """Yield the file and the folders above it."""
    yield path
    while path := path.rpartition("/")[0]:
        yield f"{path}/"


def _telling(amounts: Counter[str]) -> list[tuple[str, int]]:
    """Choose the biggest parts; the part of a folder that makes up most of it says more than it."""
    below = defaultdict[str, list[str]](list)
    for part in amounts:
        below[part.rstrip("/").rpartition("/")[0]].append(part)
    chosen = []
    for part in nlargest(_BIGGEST, below[""], key=amounts.__getitem__):
        while inner := below.get(part.rstrip("/")):
            largest = max(inner, key=amounts.__getitem__)
            if amounts[largest] < _MOST * amounts[part]:
                break
            part = largest
        chosen.append((part, amounts[part]))
    return chosen
