"""Code jobs: a folder as it is now, kept as an artifact, and given back to a run.

A snapshot reads only what changed since the last one of the same folder. What belongs to it is
``scan``'s business, what is worth telling the person ``remarks``'.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.domain.job import CodeSource
from launch_tui.errors import SourceFailed, UsageError
from launch_tui.sources import stat_cache
from launch_tui.sources.scan import scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.sources.scan import Scan
    from launch_tui.sources.stat_cache import StatCache
    from launch_tui.store.artifacts import ArtifactStore, ArtifactWriter

LIMIT_BYTES = 500 * 1024 * 1024
"""Bytes beyond which a snapshot asks first."""
LIMIT_FILES = 20_000
"""Files beyond which a snapshot asks first."""
_SLACK = 1.1
"""How far a folder that was accepted once may grow before it is asked about again."""
_GIVE_UP = 10
"""Times ``limit_files`` at which counting ends: somebody named their home directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What came of a snapshot.

    ``changed`` is False when the folder is as it was at its last snapshot. ``warnings`` are one
    line each; ``mentioned`` are ignored folders whose paths the code mentions, for ``--link``.
    """

    source: CodeSource
    changed: bool
    warnings: tuple[str, ...] = ()
    mentioned: tuple[str, ...] = ()


def snapshot(
    folder: str | Path,
    artifacts: ArtifactStore,
    *,
    cache_dir: Path,
    limit_bytes: int = LIMIT_BYTES,
    limit_files: int = LIMIT_FILES,
    accept_large: bool = False,
    name: str = "PATH",
) -> Snapshot:
    """Keep a folder as it is now, without the data directory if that is in it.

    Args:
        folder: The folder; relative to the working directory.
        artifacts: Where to keep it.
        cache_dir: Where stat caches lie.
        limit_bytes: Bytes beyond which it is refused, unless it was accepted before.
        limit_files: Files beyond which it is refused, unless it was accepted before.
        accept_large: Whether to take it however large it is.
        name: The argument to name in refusals.

    Raises:
        UsageError: When there is no such folder, it has no files, one of them cannot be read, or
            it is too large.
        StoreError: When the artifact store cannot be written, or is full.
    """
    root = _folder(folder, name)
    taken_at = time.time_ns()
    cache = stat_cache.load(cache_dir, str(root))
    give_up_at = 1 << 60 if accept_large else limit_files * _GIVE_UP
    own = _data_directory(root, artifacts, name)
    found = scan(root, cache, give_up_at=give_up_at, name=name, leave_out=own)
    if not found.files and not found.links:
        raise UsageError(name, f"{root} has no files", allowed="a folder with the job's files")
    with artifacts.writer() as writer:
        kept = bool(cache.digest) and writer.renew(cache.digest)
        if kept and found.files == cache.files and found.links == cache.links:
            if found.folders != cache.folders or found.index != cache.index:
                stat_cache.save(cache_dir, _seen(found, cache), taken_at)
            return _result(root, cache, changed=False)
        if not accept_large:
            _require_small(root, found, cache, (limit_bytes, limit_files), name)
        last = cache.digest if kept else ""
        fresh = _store(
            root, found, cache if kept else stat_cache.StatCache(str(root)), writer, name
        )
        fresh.accepted = _accepted(fresh, cache, accept_large)
    stat_cache.save(cache_dir, fresh, taken_at)
    return _result(root, fresh, changed=fresh.digest != last)


def materialise(
    source: CodeSource,
    artifacts: ArtifactStore,
    destination: Path,
    links: Sequence[str] = (),
    link_root: Path | None = None,
) -> None:
    """Give a run its own working copy of a code job.

    Args:
        source: The job version's source.
        artifacts: Where it is kept.
        destination: A directory that does not exist yet or is empty.
        links: Paths of the original folder (see ``link_path``) that the copy gets as symbolic
            links, so that large data need not be in the snapshot.
        link_root: The original folder; ``source.path`` when None.

    Raises:
        SourceFailed: When content is missing or damaged, or what a link names is not there, would
            replace a file of the snapshot, or leaves the folder.
        DiskFull: When there is no space; the destination is as it was.
    """
    root = link_root or Path(source.path)
    targets = {}
    for link in links:
        if any(part in ("", ".", "..") for part in link.split("/")):
            raise SourceFailed(f"--link {link}: leaves the job's folder")
        if not (root / link).exists():
            raise SourceFailed(
                f"--link {link}: {root / link} is not there",
                next_step="Put it back, or launch with other links.",
            )
        targets[link] = str(root / link)
    artifacts.checkout(source.digest, destination, links=targets)


def link_path(link: str, folder: Path, name: str = "--link") -> str:
    """Return the path that ``--link`` means, relative to the job's folder.

    Args:
        link: As the person wrote it: relative to the folder, or absolute and inside it.
        folder: The job's folder.
        name: The argument to name in refusals.

    Raises:
        UsageError: When it is not in the folder, is the folder itself, or does not exist.
    """
    import os.path

    relative = os.path.relpath(folder / link, folder)
    if relative == "." or relative.split("/")[0] == "..":
        raise UsageError(name, f"{link} is not inside {folder}", allowed="a path in the folder")
    if not (folder / relative).exists():
        raise UsageError(name, f"there is no {folder / relative}")
    return relative


def _folder(folder: str | Path, name: str) -> Path:
    given = Path(folder)
    try:
        root = given.resolve() if ".." in given.parts else given.absolute()
        if root.is_dir():
            return root
        there = root.exists()
    except OSError as error:
        raise UsageError(name, f"cannot read {given}: {error.strerror}") from error
    if there:
        raise UsageError(name, f"{given} is a file", allowed="the folder it is in")
    raise UsageError(name, f"there is no folder {given}")


def _data_directory(root: Path, artifacts: ArtifactStore, name: str) -> str:
    """Return the path of the data directory in the folder, empty when it is not in there."""
    home = artifacts.root.parent.resolve()
    real = root.resolve()
    if home == real:
        raise UsageError(name, f"{root} is the data directory of launch_tui")
    return home.relative_to(real).as_posix() if home.is_relative_to(real) else ""


def _store(
    root: Path, found: Scan, known: StatCache, writer: ArtifactWriter, name: str
) -> StatCache:
    """Put what is not known yet into the store and return what the next snapshot may know."""
    from launch_tui.sources.remarks import link_remarks, mentioned_ignored
    from launch_tui.store.manifest import Entry, EntryKind

    fresh = _seen(found, stat_cache.StatCache(str(root)))
    for path, state in found.files.items():
        if known.files.get(path) == state and path in known.digests:
            fresh.digests[path] = known.digests[path]
        else:
            _put(root, path, fresh, writer, name)
    if not fresh.files and not fresh.links:
        raise UsageError(name, f"{root} has no files", allowed="a folder with the job's files")
    fresh.mentioned = mentioned_ignored(root, fresh, known)
    links, remarks = link_remarks(root, fresh)
    fresh.size = sum(state[1] for state in fresh.files.values())
    fresh.warnings += [*found.warnings, *remarks]
    if _same_content(fresh, known):
        fresh.digest = known.digest
        return fresh
    entries = {
        path: Entry(EntryKind.FILE, fresh.digests[path], state[1], bool(state[0]))
        for path, state in fresh.files.items()
    }
    entries |= {path: Entry(EntryKind.SYMLINK, target=target) for path, target in links.items()}
    fresh.digest = writer.commit(entries)
    return fresh


def _same_content(fresh: StatCache, known: StatCache) -> bool:
    """Whether only times and inodes differ, so that the artifact is the same."""
    return (
        fresh.digests == known.digests
        and fresh.links == known.links
        and all(state[0] == known.files[path][0] for path, state in fresh.files.items())
    )


def _put(root: Path, path: str, fresh: StatCache, writer: ArtifactWriter, name: str) -> None:
    from launch_tui.store.blobs import Unreadable

    try:
        stored = writer.put_file(f"{root}/{path}")
    except Unreadable as error:
        if error.gone:
            del fresh.files[path]
            return
        raise UsageError(
            name,
            f"cannot read {error}",
            allowed="make it readable, or name it in .launchignore",
        ) from error
    if not stored.stable:
        fresh.warnings.append(f"{path} kept changing while it was read")
    state = stat_cache.state_of(stored.status)
    state[1] = stored.size
    fresh.files[path], fresh.digests[path] = state, stored.digest


def _seen(found: Scan, cache: StatCache) -> StatCache:
    return replace(
        cache,
        files=dict(found.files),
        links=found.links,
        folders=found.folders,
        outer=found.outer,
        apart=found.apart,
        index=found.index,
        tracked=found.tracked,
    )


def _require_small(
    root: Path, found: Scan, cache: StatCache, limits: tuple[int, int], name: str
) -> None:
    accepted = [int(amount * _SLACK) for amount in cache.accepted]
    size, count = max(limits[0], accepted[0]), max(limits[1], accepted[1])
    if found.complete and found.size <= size and len(found.files) <= count:
        return
    from launch_tui.sources.remarks import too_large

    raise UsageError(name, too_large(root, found, limits))


def _accepted(fresh: StatCache, cache: StatCache, accept_large: bool) -> list[int]:
    now = [fresh.size, len(fresh.files)]
    if accept_large:
        return now
    # Growing by little steps within the slack goes on being accepted.
    return [max(pair) if pair[0] else 0 for pair in zip(cache.accepted, now, strict=True)]


def _result(root: Path, cache: StatCache, *, changed: bool) -> Snapshot:
    source = CodeSource(
        digest=cache.digest,
        path=str(root),
        files=len(cache.files) + len(cache.links),
        size=cache.size,
    )
    return Snapshot(
        source=source,
        changed=changed,
        warnings=tuple(cache.warnings),
        mentioned=tuple(cache.mentioned),
    )
