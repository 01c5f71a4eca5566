"""One bare repository per URL, into which only what is new is fetched.

A cache holds the remote's objects, its tags, and a **pin** for every commit that was asked for:
``refs/launch-tui/commits/<commit>``. git moves a ref only after everything it reaches has arrived
and been checked, so a pin means that the commit is complete and needs no network, whatever was
killed before. Two kernel locks stand beside each cache, which a dead process cannot hold:
``.lock`` is taken by whoever fetches, so that two runs of one commit do one fetch; ``.use`` is
shared by those who copy from the cache and taken alone to repack or rebuild it. Their times are
those of the last use.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.domain.job import safe_name
from launch_tui.sources.git_command import (
    ENTERED,
    QUIET,
    TRANSFER_SECONDS,
    Watch,
    run,
)
from launch_tui.sources.git_failure import GitFailed
from launch_tui.sources.git_lock import clear_leftovers, locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MAX_PACKS = 50
"""Packs (one per fetch) that a cache collects before they become one (git's gc.autoPackLimit)."""

_PINS = "refs/launch-tui/commits"
_HEADS = "refs/launch-tui/heads"
_NAME_LENGTH = 60
_NOT_OFFERED = re.compile(
    r"unadvertised object|not our ref|find remote ref|no such remote ref|upload-pack: not our"
)
_DAMAGED = re.compile(
    r"not a git repository|bad object|corrupt|object file .* is empty|unable to read|inflate"
    r"|missing (blob|tree|commit|object)|invalid sha1 pointer|bad config|does not point to a valid"
    r"|did not send all necessary|unable to parse|failed to read|garbage at end|bad signature"
    r"|packfile|failed to traverse|unresolved delta|could not parse|invalid object",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The bare repository of one URL; ``protocols`` are those that may be opened to fill it."""

    url: str
    directory: Path
    protocols: Sequence[str] = ENTERED

    def git(self, *arguments: str, watch: Watch = QUIET, timeout: float = TRANSFER_SECONDS) -> str:
        """Run git on this cache (see ``git_command.run``)."""
        return run(
            [f"--git-dir={self.directory}", *arguments],
            watch=watch,
            timeout=timeout,
            protocols=self.protocols,
        )

    def holds(self, commit: str) -> bool:
        """Return whether the commit and all it reaches are here."""
        if not self.directory.is_dir():
            return False
        try:
            self.git("show-ref", "--verify", "--quiet", f"{_PINS}/{commit}")
        except GitFailed:
            return False
        return True


def cache_for(url: str, repositories: Path, protocols: Sequence[str] = ENTERED) -> Cache:
    """Return the cache of a checked URL; nothing is created."""
    name = safe_name(url.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2])
    digest = hashlib.sha256(url.rstrip("/").encode(errors="surrogateescape")).hexdigest()[:12]
    directory = repositories / f"{name[:_NAME_LENGTH].lstrip('.')}-{digest}.git"
    return Cache(url=url, directory=directory, protocols=protocols)


def ensure_commit(cache: Cache, commit: str, watch: Watch) -> None:
    """Bring a commit (40 hex digits) and its history into the cache, unless they are there.

    Raises:
        GitFailed: It could not be fetched.
        Stale: The caller cancelled.
    """
    if cache.holds(commit):
        return
    with _fetching(cache, watch):
        if not cache.holds(commit):
            _repaired(cache, watch, lambda: _fetch_commit(cache, commit, watch))


def find_commit(cache: Cache, prefix: str, watch: Watch) -> str:
    """Return the commit that a prefix of its hex digits names in the remote, and pin it.

    All branches and tags are fetched first: a prefix is unique only among all that there is.

    Raises:
        GitFailed: There is none, there are several, or the fetch failed.
    """
    with _fetching(cache, watch):
        _repaired(cache, watch, lambda: _fetch_all(cache, watch))
        return peel(cache, prefix)


def peel(cache: Cache, name: str) -> str:
    """Return the commit that an object of the cache is, or that a tag object leads to, pinned.

    Raises:
        GitFailed: It is something else.
    """
    commit = cache.git("rev-parse", "--verify", f"{name}^{{commit}}").strip()
    if commit != name:
        _pin(cache, commit)
    return commit


def rebuild(cache: Cache, watch: Watch) -> None:
    """Throw away a damaged cache; what is needed is fetched again."""
    with _fetching(cache, watch):
        _discard(cache, watch)


@contextlib.contextmanager
def reading(cache: Cache, watch: Watch) -> Iterator[None]:
    """Keep the cache's packs in place while they are copied, and mark its use."""
    with locked(_beside(cache, "use"), watch, exclusive=False):
        os.utime(_beside(cache, "use"))
        yield


def is_damage(error: GitFailed) -> bool:
    """Return whether git's words are those it has for a damaged repository."""
    return _DAMAGED.search(error.text) is not None


@contextlib.contextmanager
def _fetching(cache: Cache, watch: Watch) -> Iterator[None]:
    with locked(_beside(cache, "lock"), watch, exclusive=True):
        os.utime(_beside(cache, "lock"))
        clear_leftovers(cache.directory)
        yield
        _compact(cache, watch)


def _repaired(cache: Cache, watch: Watch, fetch: Callable[[], None]) -> None:
    """Fetch; once more into a new cache when this one turns out to be damaged."""
    try:
        _create(cache)
        faults.point("git.fetch.before")
        fetch()
    except GitFailed as error:
        if not is_damage(error):
            raise
        _discard(cache, watch)
        _create(cache)
        fetch()
    faults.point("git.fetch.after")


def _create(cache: Cache) -> None:
    """Make an empty cache, which has its name only when it is whole."""
    if (cache.directory / "HEAD").is_file():
        return
    new = cache.directory.with_suffix(".new")
    for rest in (new, cache.directory):
        shutil.rmtree(rest, ignore_errors=True)
    run(["init", "--quiet", "--bare", "--template=", "--", str(new)])
    new.rename(cache.directory)


def _fetch_commit(cache: Cache, commit: str, watch: Watch) -> None:
    """Fetch one commit by its name; through all branches and tags where a server refuses that."""
    try:
        _fetch(cache, [f"+{commit}:{_PINS}/{commit}"], watch)
    except GitFailed as error:
        if _NOT_OFFERED.search(error.text) is None:
            raise
        _fetch_all(cache, watch)
        _pin(cache, commit)


def _fetch_all(cache: Cache, watch: Watch) -> None:
    _fetch(cache, [f"+refs/heads/*:{_HEADS}/*", "+refs/tags/*:refs/tags/*"], watch)


def _fetch(cache: Cache, refspecs: Sequence[str], watch: Watch) -> None:
    flags = ("--progress", "--force", "--no-write-fetch-head", "--no-prune", "--update-shallow")
    never = ("--no-recurse-submodules", "--no-auto-maintenance")
    cache.git("fetch", *flags, *never, "--", cache.url, *refspecs, watch=watch)


def _pin(cache: Cache, commit: str) -> None:
    try:
        cache.git("cat-file", "-e", f"{commit}^{{commit}}")
    except GitFailed:
        raise GitFailed(f"fatal: commit {commit} is in no branch or tag") from None
    cache.git("update-ref", f"{_PINS}/{commit}", commit)


def _compact(cache: Cache, watch: Watch) -> None:
    packs = cache.directory / "objects" / "pack"
    if sum(1 for _ in packs.glob("*.pack")) <= MAX_PACKS:
        return
    # Tidying is for speed: where it cannot be done, the next fetch tries again.
    with locked(_beside(cache, "use"), watch, exclusive=True), contextlib.suppress(GitFailed):
        cache.git("repack", "-a", "-d", "--quiet", watch=watch)


def _discard(cache: Cache, watch: Watch) -> None:
    with locked(_beside(cache, "use"), watch, exclusive=True):
        shutil.rmtree(cache.directory, ignore_errors=True)


def _beside(cache: Cache, kind: str) -> Path:
    return cache.directory.with_suffix(f".{kind}")
