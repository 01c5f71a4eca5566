"""What ``fsck`` does about artifacts: every manifest and every blob is read and compared.

A manifest has a second copy. A blob that is damaged is looked for, by its digest, in the folder
that it was taken from and in the working copies of runs; where it is nowhere, the job versions that
need it are named, and a run of them fails in sourcing, with that file, rather than run other code.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from launch_tui.care.findings import Finding
from launch_tui.care.fsck_store import ASIDE, keep_aside
from launch_tui.care.run_record import digest_of
from launch_tui.errors import SourceFailed
from launch_tui.store import inspection
from launch_tui.store.artifacts import ArtifactStore, second_manifest
from launch_tui.store.blobs import blob_path
from launch_tui.store.database import Database
from launch_tui.store.durable import write_atomically
from launch_tui.store.manifest import EntryKind, decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launch_tui.store.manifest import Entry, Manifest
    from launch_tui.store.paths import Home

PHASE = "artifacts"


def findings(home: Home, *, agent: bool) -> Iterator[Finding]:
    """Yield what is wrong with artifacts; reads all of them.

    Args:
        home: The data directory, whose store can be read.
        agent: Whether an agent is at work; nothing here depends on it.
    """
    del agent
    store = ArtifactStore(home.artifacts)
    with Database(home, read_only=True) as db:
        wanted = inspection.artifacts_in_use(db)
    known_lost = _known_lost(home)
    needed: dict[str, tuple[str, Entry, str]] = {}
    for digest in sorted(wanted.keys() - known_lost):
        manifest, problem = _manifest(store, digest)
        if problem:
            yield _manifest_finding(home, store, digest, problem, manifest, wanted[digest])
        elif _digest_or_none(second_manifest(store.manifest_path(digest))) != digest:
            yield _copy_finding(home, store, digest)
        for path, entry in manifest.entries.items() if manifest else ():
            if entry.kind is EntryKind.FILE:
                needed.setdefault(entry.digest, (path, entry, digest))
    for blob in sorted(needed.keys() - known_lost):
        path, entry, artifact = needed[blob]
        found = _digest_or_none(blob_path(store.root, blob))
        if found != blob:
            yield _blob_finding(home, path, entry, artifact, wanted[artifact], found is None)
    yield from _unneeded(home, store, set(wanted), set(needed))


def _manifest(store: ArtifactStore, digest: str) -> tuple[Manifest | None, str]:
    """Return a manifest, from its second copy where need be, and what is wrong with the first."""
    try:
        return store.manifest(digest), ""
    except SourceFailed as error:
        problem = error.cause
    data = _content_of_copy(store, digest)
    try:
        return (decode(data, digest) if data is not None else None), problem
    except SourceFailed:
        return None, problem


def _content_of_copy(store: ArtifactStore, digest: str) -> bytes | None:
    try:
        data = second_manifest(store.manifest_path(digest)).read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None


def _manifest_finding(
    home: Home,
    store: ArtifactStore,
    digest: str,
    problem: str,
    manifest: Manifest | None,
    who: list[str],
) -> Finding:
    path = store.manifest_path(digest)
    place = str(path.relative_to(home.root))
    if manifest is None:
        names = ", ".join(who) or f"artifact {digest[:12]}"
        return Finding(
            phase=PHASE,
            place=place,
            cause=problem,
            next_step="say so; create the job again from its folder",
            lost=f"the files of {names}",
            mend=lambda: _remember_lost(home, digest),
        )
    data = _content_of_copy(store, digest)
    assert data is not None
    return Finding(
        phase=PHASE,
        place=place,
        cause=problem,
        next_step="put it back from its second copy",
        mend=lambda: _write(path, data),
    )


def _copy_finding(home: Home, store: ArtifactStore, digest: str) -> Finding:
    copy = second_manifest(store.manifest_path(digest))
    return Finding(
        phase=PHASE,
        place=str(copy.relative_to(home.root)),
        cause=f"the second copy of the manifest of artifact {digest[:12]} is missing or damaged",
        next_step="make it anew from the first",
        mend=lambda: _write(copy, store.manifest_path(digest).read_bytes()),
    )


def _blob_finding(
    home: Home, path: str, entry: Entry, artifact: str, who: list[str], missing: bool
) -> Finding:
    blob = blob_path(home.artifacts, entry.digest)
    source = _elsewhere(home, artifact, path, entry)
    names = ", ".join(who) or f"artifact {artifact[:12]}"
    state = "missing from" if missing else "damaged in"
    return Finding(
        phase=PHASE,
        place=str(blob.relative_to(home.root)),
        cause=f"file {path!r} of {names} is {state} the artifact store",
        next_step=f"copy it from {source}" if source else "say so; create the job again",
        lost="" if source else f"file {path!r} of {names}",
        mend=lambda: _mend_blob(home, blob, source, entry.digest),
    )


def _elsewhere(home: Home, artifact: str, path: str, entry: Entry) -> Path | None:
    """Return a file that has a blob's content, None when there is none."""
    from pathlib import Path

    with Database(home, read_only=True) as db:
        places = [Path(folder) / path for folder in inspection.folders_of(db, artifact)]
        places += [
            home.attempt(run_id, number) / "source" / path
            for run_id, attempt in inspection.runs_of_artifact(db, artifact)
            for number in range(attempt, 0, -1)
        ]
    for place in places:
        # Compared before it is trusted: the person has gone on working in the folder.
        same_size = place.is_file() and place.stat().st_size == entry.size
        if same_size and _digest_or_none(place) == entry.digest:
            return place
    return None


def _mend_blob(home: Home, blob: Path, source: Path | None, digest: str) -> None:
    if source is None:
        keep_aside(home, blob, move=True)
        _remember_lost(home, digest)
        return
    data = source.read_bytes()
    if hashlib.sha256(data).hexdigest() == digest:
        _write(blob, data)


def _unneeded(
    home: Home, store: ArtifactStore, wanted: set[str], needed: set[str]
) -> Iterator[Finding]:
    """Yield damaged things that nothing refers to: they would only be in the way."""
    for path in sorted((store.root / "manifests").glob("??/*.json")):
        digest = path.parent.name + path.stem
        if digest not in wanted and _digest_or_none(path) != digest:
            yield _rubbish(home, path, "a manifest that nothing refers to is damaged")
    for path in sorted((store.root / "blobs").glob("??/*")):
        digest = path.parent.name + path.name
        if digest not in needed and _digest_or_none(path) != digest:
            yield _rubbish(home, path, "a content that nothing refers to is damaged")


def _rubbish(home: Home, path: Path, cause: str) -> Finding:
    return Finding(
        phase=PHASE,
        place=str(path.relative_to(home.root)),
        cause=cause,
        next_step="remove it",
        mend=lambda: path.unlink(missing_ok=True),
    )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data, mode=0o444)


def _digest_or_none(path: Path) -> str | None:
    try:
        return digest_of(path)
    except OSError:
        return None


def _lost_file(home: Home) -> Path:
    return home.root / ASIDE / "lost-artifacts.json"


def _known_lost(home: Home) -> set[str]:
    """Return digests that are known to be lost and still are: one that came back counts again."""
    try:
        known = set(json.loads(_lost_file(home).read_bytes()))
    except (OSError, ValueError, TypeError):
        return set()
    store = ArtifactStore(home.artifacts)
    return {
        digest
        for digest in known
        if not os.path.lexists(blob_path(home.artifacts, digest)) and not store.has(digest)
    }


def _remember_lost(home: Home, digest: str) -> None:
    path = _lost_file(home)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    manifest = ArtifactStore(home.artifacts).manifest_path(digest)
    for each in (manifest, second_manifest(manifest)):
        each.unlink(missing_ok=True)
    write_atomically(path, json.dumps(sorted(_known_lost(home) | {digest})).encode())
