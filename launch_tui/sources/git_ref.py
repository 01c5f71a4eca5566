"""What a branch, tag or commit of a remote repository means at this moment."""

from __future__ import annotations

import difflib
import re

from launch_tui.errors import UsageError
from launch_tui.sources.git_cache import Cache, ensure_commit, find_commit, peel
from launch_tui.sources.git_command import Watch, run
from launch_tui.sources.git_failure import GitFailed
from launch_tui.sources.git_url import ALLOWED_REF, SHORTEST_COMMIT

SHOWN_NAMES = 5
"""How many names a message lists."""

_FULL = re.compile(r"[0-9a-f]{40}")
_PART = re.compile(rf"[0-9a-f]{{{SHORTEST_COMMIT},39}}")
_PEELED = "^{}"


def commit_of(cache: Cache, ref: str | None, watch: Watch) -> str:
    """Return the commit that a checked reference means now; None is the default branch.

    A branch goes before a tag of the same name (as in ``git clone --branch``), and both before
    the prefix of a commit. Only commits are fetched; for names the remote is asked.

    Raises:
        UsageError: The repository has no such name; the message lists near ones.
        GitFailed: The repository could not be asked.
    """
    if ref is not None and _FULL.fullmatch(ref):
        ensure_commit(cache, ref, watch)
        return peel(cache, ref)
    watch.report("asking the repository")
    candidates = _candidates(ref)
    patterns = [form for name in candidates for form in (name, name + _PEELED)]
    names = _remote_names(cache, patterns, watch)
    for name in candidates:
        if name in names:
            return names.get(name + _PEELED, names[name])
    if ref is not None and _PART.fullmatch(ref):
        return _commit_by_prefix(cache, ref, watch)
    raise _no_such_ref(cache, ref, watch)


def _commit_by_prefix(cache: Cache, prefix: str, watch: Watch) -> str:
    try:
        return find_commit(cache, prefix, watch)
    except GitFailed as error:
        if "ambiguous" in error.text:
            raise UsageError("ref", f"{prefix} names several commits; give more digits") from error
        if "Needed a single revision" in error.text:
            raise _no_such_ref(cache, prefix, watch) from error
        raise


def _candidates(ref: str | None) -> tuple[str, ...]:
    if ref is None:
        return ("HEAD",)
    if ref.startswith("refs/"):
        return (ref,)
    return (f"refs/heads/{ref}", f"refs/tags/{ref}")


def _remote_names(cache: Cache, patterns: list[str], watch: Watch) -> dict[str, str]:
    """Name -> commit, as the remote has them now; a tag object's commit is at ``name^{}``."""
    lines = run(
        ["ls-remote", "--", cache.url, *patterns], watch=watch, protocols=cache.protocols
    ).splitlines()
    return {name: commit for commit, _, name in (line.partition("\t") for line in lines)}


def _no_such_ref(cache: Cache, ref: str | None, watch: Watch) -> UsageError:
    """Say what is there instead of a name that is not."""
    names = _remote_names(cache, ["refs/heads/*", "refs/tags/*"], watch)
    known = [name.split("/", 2)[2] for name in names if not name.endswith(_PEELED)]
    if not known:
        return UsageError("URL", f"{cache.url} has no commits yet")
    if ref is None:
        problem = f"{cache.url} has no default branch; name one"
        return UsageError("ref", problem, allowed=_listed(known))
    near = difflib.get_close_matches(ref.removeprefix("origin/"), known, n=SHOWN_NAMES)
    problem = f"{cache.url} has no branch, tag or commit {ref}"
    return UsageError("ref", problem, allowed=_listed(near or known) or ALLOWED_REF)


def _listed(names: list[str]) -> str:
    more = ", …" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more
