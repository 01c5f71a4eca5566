"""Git jobs: what a branch, tag or commit means now, and a working copy of exactly that commit.

``resolve`` runs when a job is created or launched, in the person's session: it pins the reference
to a commit, so that what was enqueued is what runs. ``materialise`` runs in the agent. Everything
here is synchronous and may take as long as a network does: call it on a thread, with ``cancelled``.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.domain.job import GitSource
from launch_tui.errors import LaunchError, SourceFailed, UsageError
from launch_tui.sources.git_cache import Cache, cache_for, ensure_commit
from launch_tui.sources.git_checkout import Wanted, populate
from launch_tui.sources.git_command import QUIET, Watch, run
from launch_tui.sources.git_failure import GitFailed
from launch_tui.sources.git_ref import SHOWN_NAMES, commit_of
from launch_tui.sources.git_url import (
    check_ref,
    check_subdirectory,
    check_url,
    job_name_for,
    local_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "WorkingCopy",
    "check_ref",
    "check_subdirectory",
    "check_url",
    "diff",
    "job_name_for",
    "materialise",
    "read_file",
    "resolve",
    "uncommitted",
]

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCopy:
    """A checked-out commit. ``directory`` is the source's subdirectory in it (or its top)."""

    directory: Path
    warnings: tuple[str, ...] = ()


def resolve(
    url: str,
    ref: str | None,
    repositories: Path,
    *,
    subdirectory: str = "",
    cancelled: Callable[[], bool] | None = None,
    report: Callable[[str], None] | None = None,
) -> GitSource:
    """Pin a reference to the commit that it means now.

    A branch goes before a tag of the same name, and both before a commit.

    Args:
        url: The repository, as the person wrote it.
        ref: A branch, a tag, a commit or a unique prefix of one; None for the default branch.
        repositories: Where the caches are (``<home>/repos``).
        subdirectory: The job's folder in the repository.
        cancelled: Asked often; True ends git.
        report: Gets lines of progress.

    Raises:
        UsageError: A value that is refused, or that the repository does not know.
        LaunchError: There is no git, or the caches cannot be written.
        Stale: ``cancelled`` said so.
    """
    watch = _watch(cancelled, report)
    url, subdirectory = check_url(url), check_subdirectory(subdirectory)
    wanted = None if ref in (None, "", "HEAD") else check_ref(ref or "")
    cache = cache_for(url, repositories)
    try:
        commit = commit_of(cache, wanted, watch)
        if subdirectory:
            ensure_commit(cache, commit, watch)
            _require_folder(cache, commit, subdirectory)
    except GitFailed as error:
        raise _refusal(url, error) from error
    except OSError as error:
        raise LaunchError(_os_reason(error)) from error
    return GitSource(url=url, ref=wanted, commit=commit, subdirectory=subdirectory)


def uncommitted(url: str) -> str:
    """Return a warning when a local repository has changes that a git job leaves behind.

    Empty for a clean, bare or remote repository.

    Raises:
        UsageError: The path is not a repository that git can read.
    """
    path = local_path(check_url(url))
    if path is None or not path.is_dir():
        return ""
    try:
        inside = run(["rev-parse", "--is-inside-work-tree"], directory=path, protocols=())
        if inside.strip() != "true":
            return ""
        entries = run(
            [
                *_without_own_programs(path), "status", "--porcelain=v1", "-z", "--no-renames",
                # A submodule is asked in a process of its own, with its own configuration.
                "--ignore-submodules=dirty",
            ],
            directory=path,
            protocols=(),
        )  # fmt: skip
    except GitFailed as error:
        raise _refusal(str(path), error) from error
    names = [entry[3:] for entry in entries.split("\0") if entry]
    if not names:
        return ""
    more = ", …" if len(names) > SHOWN_NAMES else ""
    return (
        f"{path} has {len(names)} uncommitted change{'s' * (len(names) > 1)} that a git job does "
        f"not take along ({', '.join(names[:SHOWN_NAMES])}{more}); to run the folder as it is: "
        f"launch-tui job create code {path}"
    )


def _without_own_programs(path: Path) -> list[str]:
    """Return settings that take from a repository's own configuration the filters it names.

    Looking at a folder that came from somebody else must not start a program that it brings along;
    filters of the person's own configuration stay.
    """
    try:
        listed = run(
            [
                "config",
                "--local",
                "--includes",
                "--null",
                "--name-only",
                "--get-regexp",
                r"^filter\.",
            ],
            directory=path,
            protocols=(),
        )
    except GitFailed:
        return []
    names = {name.rpartition(".")[0] for name in listed.split("\0") if name}
    settings = [
        f"{name}.{key}"
        for name in sorted(names)
        for key in ("clean=", "smudge=", "process=", "required=false")
    ]
    return [word for setting in settings for word in ("-c", setting)]


def read_file(
    source: GitSource,
    path: str,
    repositories: Path,
    *,
    cancelled: Callable[[], bool] | None = None,
    report: Callable[[str], None] | None = None,
) -> str | None:
    """Return the text of a file in a resolved source's folder, or None when there is none.

    Fetches the commit into the cache if it is not there: ``requirements.txt``, ``.python-version``
    and entry points can be looked at when a job is created.

    Raises:
        UsageError: The repository could not be fetched.
        Stale: ``cancelled`` said so.
    """
    cache = cache_for(source.url, repositories)
    try:
        ensure_commit(cache, source.commit, _watch(cancelled, report))
    except GitFailed as error:
        raise _refusal(source.url, error) from error
    inside = f"{source.subdirectory}/{path}".lstrip("/")
    try:
        return cache.git("cat-file", "blob", f"{source.commit}:{inside}")
    except GitFailed:
        return None


def diff(old: GitSource, new: GitSource, repositories: Path) -> str:
    """Return the unified diff between two resolved sources of one repository.

    Nothing is fetched: commits that ran are in the cache.

    Raises:
        SourceFailed: When they are of different repositories, or a commit is not there any more.
    """
    if (old.url, old.subdirectory) != (new.url, new.subdirectory):
        raise SourceFailed("they come from different repositories")
    cache = cache_for(old.url, repositories)
    for commit in (old.commit, new.commit):
        if not cache.holds(commit):
            raise SourceFailed(f"commit {commit[:12]} is not in the cache")
    inside = ["--", old.subdirectory] if old.subdirectory else []
    flags = ["-p", "-r", "--no-color", "--no-ext-diff", "--no-textconv"]
    try:
        return cache.git("diff-tree", *flags, old.commit, new.commit, *inside)
    except GitFailed as error:
        raise SourceFailed(error.reason) from error


def materialise(
    source: GitSource,
    repositories: Path,
    destination: Path,
    *,
    cancelled: Callable[[], bool] | None = None,
    report: Callable[[str], None] | None = None,
) -> WorkingCopy:
    """Make a private working copy of a resolved source.

    It is made beside ``destination`` and renamed when it is whole; one that is there already, from
    before a crash, is returned as it is.

    Args:
        source: What ``resolve`` returned.
        repositories: Where the caches are (``<home>/repos``).
        destination: The folder that is to hold it; it may not exist, or be empty.
        cancelled: Asked often; True ends git.
        report: Gets lines of progress.

    Raises:
        SourceFailed: With git's own reason.
        Stale: ``cancelled`` said so.
    """
    watch = _watch(cancelled, report)
    if not _is_whole(destination, source.commit):
        if destination.exists() and any(destination.iterdir()):
            raise SourceFailed(f"{destination} is not empty")
        try:
            warnings = _make(_checked(source, repositories), destination, watch)
        except OSError as error:
            raise SourceFailed(_os_reason(error)) from error
    else:
        warnings = []
    directory = destination / source.subdirectory
    if not directory.is_dir() or not directory.resolve().is_relative_to(destination.resolve()):
        raise SourceFailed(
            f"{source.subdirectory} is not a folder of {source.url} at {source.commit[:12]}"
        )
    return WorkingCopy(directory=directory, warnings=tuple(warnings))


def _watch(cancelled: Callable[[], bool] | None, report: Callable[[str], None] | None) -> Watch:
    return Watch(cancelled=cancelled or QUIET.cancelled, report=report or QUIET.report)


def _os_reason(error: OSError) -> str:
    return f"{error.strerror}: {error.filename}" if error.filename else str(error)


def _require_folder(cache: Cache, commit: str, path: str) -> None:
    try:
        kind = cache.git("cat-file", "-t", f"{commit}:{path}").strip()
    except GitFailed:
        kind = ""
    if kind != "tree":
        problem = f"{path} is not a folder of {cache.url} at {commit[:12]}"
        raise UsageError("subdirectory", problem)


def _refusal(url: str, error: GitFailed) -> LaunchError:
    said = error.reason if url in error.reason else f"{url}: {error.reason}"
    refusal = UsageError("URL", said)
    refusal.next_step = _enclosing(url) or error.next_step
    return refusal


def _enclosing(url: str) -> str:
    """A next step for a folder that is not a repository but lies in one."""
    path = local_path(url)
    if path is None or (path / ".git").exists():
        return ""
    for parent in path.parents:
        if (parent / ".git").exists():
            return (
                f"The repository is {parent}, with {path.relative_to(parent)} as its subdirectory"
            )
    return ""


def _checked(source: GitSource, repositories: Path) -> Wanted:
    """Check what the store says as if a person had entered it: other programs can write there."""
    try:
        url = check_url(source.url)
        check_subdirectory(source.subdirectory)
    except UsageError as error:
        raise SourceFailed(error.cause) from error
    if _COMMIT.fullmatch(source.commit) is None:
        raise SourceFailed(f"{url} was enqueued without a commit")
    return Wanted(cache=cache_for(url, repositories), commit=source.commit)


def _make(wanted: Wanted, destination: Path, watch: Watch) -> list[str]:
    partial = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        warnings = populate(wanted, partial, watch)
        faults.point("git.checkout.after")
        partial.rename(destination)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return warnings


def _is_whole(destination: Path, commit: str) -> bool:
    """Whether a working copy of the commit stands there; it gets its name only when it is whole."""
    try:
        return (destination / ".git" / "HEAD").read_text() == f"{commit}\n"
    except OSError:
        return False
