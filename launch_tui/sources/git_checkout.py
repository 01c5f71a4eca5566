"""Turns a cached commit into files: a working copy of its own, its submodules, its large files.

The copy is a `git clone --local` of the cache, which gives every run a whole ``.git`` of its own
(wandb records commit and remote from it, version numbers are derived from its tags) whose objects
are hard links to the cache's: for a repository of 20,000 files and 100 MB that takes 20 ms, against
1.3 s for a shallow fetch and 400 ms for a copy of the objects. A clone with alternates is as fast,
but breaks when the cache is pruned and where only the run's directory is mounted (Docker). Git
never writes into an object that exists, so nothing mutable is shared.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.errors import SourceFailed, UsageError
from launch_tui.sources.git_cache import (
    Cache,
    cache_for,
    ensure_commit,
    is_damage,
    reading,
    rebuild,
)
from launch_tui.sources.git_command import SUBMODULE, TRANSFER_SECONDS, Watch, run
from launch_tui.sources.git_failure import GitFailed
from launch_tui.sources.git_url import check_url, join_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_DEPTH = 10
"""Submodules within submodules; deeper than this, a repository contains itself."""

_GITLINK = "160000"
_LFS_OFF = (
    *("-c", "filter.lfs.process=", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.clean="),
    *("-c", "filter.lfs.required=false"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A commit of a repository. ``place`` is the submodule's path from the top, else empty."""

    cache: Cache
    commit: str
    place: str = ""
    depth: int = 0

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"submodule {self.place}: " if self.place else ""


def populate(wanted: Wanted, destination: Path, watch: Watch) -> list[str]:
    """Check a commit out into a new folder, with its submodules.

    Returns:
        Warnings about what is not as the person may expect.

    Raises:
        SourceFailed: The repository or one of its submodules could not be had.
        Stale: The caller cancelled.
    """
    try:
        _check_out(wanted, destination, watch)
        warnings = _large_files(wanted, destination, watch)
        submodules = list(_submodules(wanted, destination, warnings))
    except GitFailed as error:
        raise SourceFailed(wanted.label + error.reason, next_step=error.next_step) from error
    for path, submodule in submodules:
        watch.report(f"submodule {submodule.place}")
        warnings += populate(submodule, destination / path, watch)
    return warnings


def _check_out(wanted: Wanted, destination: Path, watch: Watch) -> None:
    """Copy and check out; once more from a new cache when this one turns out to be damaged."""
    ensure_commit(wanted.cache, wanted.commit, watch)
    try:
        _copy(wanted, destination, watch)
    except GitFailed as error:
        if not is_damage(error):
            raise
        rebuild(wanted.cache, watch)
        ensure_commit(wanted.cache, wanted.commit, watch)
        shutil.rmtree(destination, ignore_errors=True)
        _copy(wanted, destination, watch)


def _copy(wanted: Wanted, destination: Path, watch: Watch) -> None:
    cache = wanted.cache
    clone = ["clone", "--local", "--no-checkout", "--template=", "--origin=origin"]
    with reading(cache, watch):
        run(
            [*clone, "--", str(cache.directory), str(destination)],
            watch=watch,
            timeout=TRANSFER_SECONDS,
        )
    faults.point("git.clone.after")
    run(["config", "remote.origin.url", cache.url], directory=destination)
    run(
        [*_LFS_OFF, "checkout", "--progress", "--force", "--detach", wanted.commit],
        directory=destination,
        watch=watch,
        timeout=TRANSFER_SECONDS,
    )


def _large_files(wanted: Wanted, destination: Path, watch: Watch) -> list[str]:
    """Replace git-lfs pointers by their files, which are kept once in the cache."""
    pointers = run(["ls-files", "-z", ":(attr:filter=lfs)"], directory=destination)
    count = pointers.count("\0")
    if not count:
        return []
    if shutil.which("git-lfs") is None:
        return [f"{wanted.label}{count} files are git-lfs pointers, since git-lfs is not installed"]
    # Not by `-c`: git-lfs hands that on to the process that reads a local remote's own store.
    run(["config", "lfs.storage", str(wanted.cache.directory / "lfs")], directory=destination)
    run(["lfs", "install", "--local", "--skip-repo"], directory=destination)
    run(
        ["lfs", "pull", "origin"],
        directory=destination,
        watch=watch,
        timeout=TRANSFER_SECONDS,
        protocols=wanted.cache.protocols,
    )
    run(["config", "--unset", "lfs.storage"], directory=destination)
    return []


def _submodules(
    wanted: Wanted, destination: Path, warnings: list[str]
) -> Iterator[tuple[str, Wanted]]:
    """Yield the commit's submodules by their path, checked; add those without a URL to warnings."""
    links = _gitlinks(destination)
    urls = _submodule_urls(destination) if links else {}
    for path, commit in links.items():
        place = f"{wanted.place}/{path}".lstrip("/")
        if path not in urls:
            warnings.append(f"submodule {place} has no URL in .gitmodules and stays empty")
            continue
        cache = _submodule_cache(wanted, place, urls[path])
        inner = replace(wanted, cache=cache, commit=commit, place=place, depth=wanted.depth + 1)
        if inner.depth > MAX_DEPTH:
            raise SourceFailed(f"submodule {place}: nested more than {MAX_DEPTH} deep")
        yield path, inner


def _submodule_cache(wanted: Wanted, place: str, url: str) -> Cache:
    field = f"submodule {place}"
    try:
        if url.startswith(("./", "../")):
            url = join_url(wanted.cache.url, url, field=field)
        url = check_url(url, field=field, local=False)
    except UsageError as error:
        step = "Give it a https or ssh URL in .gitmodules, or use a code job of a complete checkout"
        raise SourceFailed(error.cause, next_step=step) from error
    return cache_for(url, wanted.cache.directory.parent, SUBMODULE)


def _gitlinks(destination: Path) -> dict[str, str]:
    """Path -> commit of every submodule in the index, the only place that git itself vouches for.

    Git refuses to check out a path with a ``.git`` component, or one below a symbolic link, so
    these folders lie in the working copy.
    """
    entries = run(["ls-files", "--stage", "-z"], directory=destination).split("\0")
    links = (entry for entry in entries if entry.startswith(_GITLINK))
    return {entry.partition("\t")[2]: entry.split(" ")[1] for entry in links}


def _submodule_urls(destination: Path) -> dict[str, str]:
    """Path -> URL, as the commit's ``.gitmodules`` has it."""
    if not (destination / ".gitmodules").is_file():
        return {}
    get = [
        "config",
        "--blob=HEAD:.gitmodules",
        "-z",
        "--get-regexp",
        r"^submodule\..*\.(path|url)$",
    ]
    values: dict[str, dict[str, str]] = {}
    for entry in run(get, directory=destination).split("\0"):
        key, _, value = entry.partition("\n")
        name, _, kind = key.rpartition(".")
        values.setdefault(name, {})[kind] = value
    return {v["path"].rstrip("/"): v["url"] for v in values.values() if {"path", "url"} <= set(v)}
