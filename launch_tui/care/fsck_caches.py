"""What ``fsck`` does about what can be made again: git caches, environments, records of images.

A damaged one is removed, and comes again when a run needs it. Working on them is kept apart by the
locks that their owners take, so none is removed below a run that starts.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from base64 import urlsafe_b64encode
from functools import partial
from typing import TYPE_CHECKING

from launch_tui.builders.environments import EnvironmentStore, own_files, recorded_files
from launch_tui.builders.image_records import ImageRecords
from launch_tui.care.findings import Finding
from launch_tui.care.fsck_runs import remove
from launch_tui.sources.git_cache import Cache
from launch_tui.sources.git_failure import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launch_tui.store.paths import Home

_ROOT_RECORDS = ("devices.json", "agent-settings.json", "disk.json")
_TEMPORARY = re.compile(r"\..*\.\d+\.\d+\.tmp\Z")


def findings(home: Home, *, agent: bool) -> Iterator[Finding]:
    """Yield what is wrong with caches and with what is left over.

    Args:
        home: The data directory.
        agent: Whether an agent is at work, who may be making what is not whole yet.
    """
    yield from _git(home)
    yield from _environments(home, agent=agent)
    yield from _images(home)
    yield from _rest(home, agent=agent)


def _git(home: Home) -> Iterator[Finding]:
    if not home.repositories.is_dir():
        return
    for path in sorted(home.repositories.glob("*.git")):
        problem = _git_problem(path)
        if problem:
            yield Finding(
                phase="git",
                place=f"{home.repositories.name}/{path.name}",
                cause=f"the cache of a repository is damaged: {problem}",
                next_step="remove it; what is needed is fetched again",
                mend=partial(remove, path),
            )


def _git_problem(path: Path) -> str:
    cache = Cache(url="", directory=path)
    try:
        # --full reads every object, also those in packs.
        cache.git("fsck", "--full", "--no-dangling", "--no-progress")
        cache.git("config", "--get", "core.bare")
        cache.git("for-each-ref")
    except GitFailed as error:
        return (error.text.strip().splitlines() or ["git cannot read it"])[0]
    return ""


def _environments(home: Home, *, agent: bool) -> Iterator[Finding]:
    store = EnvironmentStore(home.environments)
    for environment in store.all():
        problem = ""
        if not environment.complete:
            problem = "" if agent else "an environment was left half made"
        else:
            problem = _environment_problem(environment.path)
        if problem:
            yield Finding(
                phase="environments",
                place=f"{home.environments.name}/{environment.key}",
                cause=problem,
                next_step="remove it; it is made again when a run needs it",
                mend=partial(_remove_environment, store, environment.key),
            )


def _environment_problem(path: Path) -> str:
    """Return what is wrong with an environment: each package says what its files are."""
    if not (path / "bin" / "python").exists() or not (path / "pyvenv.cfg").exists():
        return "the interpreter of an environment is gone"
    recorded = recorded_files(path)
    if recorded is not None and recorded.items() - own_files(path).items():
        return "a file of an environment is missing or damaged"
    for package in path.glob("lib/python*/site-packages/*.dist-info"):
        if problem := _package_problem(package):
            return problem
    return ""


def _package_problem(package: Path) -> str:
    """Return what is wrong with the files of a package; it lists them, itself among them."""
    try:
        with (package / "RECORD").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if len(row) >= 2]
    except (OSError, ValueError, csv.Error):
        rows = []
    if not any(name == f"{package.name}/RECORD" for name, *_ in rows):
        return f"{package.name} of an environment is damaged"
    for name, digest, *_ in rows:
        if digest and not _is(package.parent / name, digest):
            return f"{name} of {package.name} is missing or damaged"
    return ""


def _is(path: Path, digest: str) -> bool:
    """Whether a file has the digest of a RECORD (``sha256=`` and unpadded base64, PEP 376)."""
    kind, _, value = digest.partition("=")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, kind).digest()
    except (OSError, ValueError):
        return False
    return urlsafe_b64encode(found).rstrip(b"=").decode() == value.rstrip("=")


def _remove_environment(store: EnvironmentStore, key: str) -> None:
    lock = store.locks.try_take(key)
    if lock is not None:
        with lock:
            store.clear(key)


def _images(home: Home) -> Iterator[Finding]:
    records = ImageRecords(home.images)
    for key in records.keys():  # noqa: SIM118 - it is no mapping
        if records.read(key) is None:
            yield Finding(
                phase="images",
                place=f"{home.images.name}/{key}.json",
                cause="the record of an image is damaged",
                next_step="remove it; it is written again when the image is used",
                mend=partial(records.forget, key),
            )


def _rest(home: Home, *, agent: bool) -> Iterator[Finding]:
    for name in _ROOT_RECORDS:
        path = home.root / name
        try:
            json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            if not agent:
                yield _leftover(home, path, "a note of the agent is damaged")
    if not agent:
        for path, cause in _left_over(home):
            yield _leftover(home, path, cause)


def _left_over(home: Home) -> Iterator[tuple[Path, str]]:
    """Yield what somebody who was killed has left half made."""
    for place in (home.root, home.images, *sorted(home.runs.glob("*"))):
        for path in sorted(place.glob(".*.tmp")) if place.is_dir() else ():
            if _TEMPORARY.match(path.name):
                yield path, "a file was left half written"
    rubbish = home.artifacts / "tmp"
    if rubbish.is_dir() and any(rubbish.iterdir()):
        yield rubbish, "what a killed snapshot left"
    for path in sorted(home.runs.glob("*/*/.source.partial")):
        yield path, "a working copy was left half made"


def _leftover(home: Home, path: Path, cause: str) -> Finding:
    return Finding(
        phase="rest",
        place=str(path.relative_to(home.root)),
        cause=cause,
        next_step="remove it",
        mend=lambda: remove(path),
    )
