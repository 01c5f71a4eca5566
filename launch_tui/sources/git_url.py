"""Which repositories, refs and folders a git job may name, decided before any git process starts.

Git runs programs for some addresses (``ext::``), speaks unauthenticated protocols for others
(``git://``, ``http://``) and takes a leading ``-`` for an option, so what is accepted is a short
list and everything else is refused with the field's name. No credentials ever pass: a URL that
carries some is refused without being repeated.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit

from launch_tui.domain.home_path import at_home
from launch_tui.domain.job import safe_name
from launch_tui.errors import UsageError

ALLOWED_REMOTE = "https://host/path, ssh://user@host/path, user@host:path"
ALLOWED = f"{ALLOWED_REMOTE}, a local path, file:///path"
ALLOWED_REF = "a branch, a tag, or a commit (at least 7 hex digits)"
SHORTEST_COMMIT = 7

_HELPER = re.compile(r"([A-Za-z0-9+.-]*)::")
_SCHEME = re.compile(r"([A-Za-z0-9+.-]+)://")
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>\[[^\]/]+\]|[^@/:\[\]]+):(?P<path>.*)")
_HOST = re.compile(r"(?!-)(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])")
_SCHEME_WORDS = frozenset({"https", "http", "ssh", "file", "git", "ftp", "ftps"})
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


def check_url(url: str, *, field: str = "URL", local: bool = True) -> str:
    """Return the address of a repository in the form in which it is stored.

    Args:
        url: What the person (or a ``.gitmodules`` file) wrote.
        field: Its name in messages.
        local: Whether paths of this machine and ``file://`` are accepted. They are for what a
            person enters, since submitter and agent are the same user; never for submodules.

    Returns:
        ``url``; a local path is made absolute, so that an agent elsewhere finds it.

    Raises:
        UsageError: When it is refused. The message never repeats a URL that carries credentials.
    """
    allowed = ALLOWED if local else ALLOWED_REMOTE
    _refuse_shape(url, field, allowed)
    if (helper := _HELPER.match(url)) is not None:
        raise UsageError(field, f"the transport {helper[1]}:: is refused", allowed=allowed)
    if (scheme := _SCHEME.match(url)) is not None:
        return _check_scheme(scheme[1].lower(), url[scheme.end() :], field, local)
    if ":" in url.partition("/")[0]:
        return _check_scp(url, field, allowed)
    if not local:
        raise UsageError(field, "a path of this machine is refused here", allowed=allowed)
    return str(Path(os.path.abspath(at_home(url))))  # noqa: PTH100 (no symlink is followed)


def check_ref(ref: str, *, field: str = "ref") -> str:
    """Return ``ref`` if it can name a branch, tag or commit (git-check-ref-format's rules).

    Raises:
        UsageError: When it begins with ``-`` or git would not accept it as a name.
    """
    parts = ref.split("/")
    if ref.startswith("-"):
        raise UsageError(field, "may not begin with -", allowed=ALLOWED_REF)
    bad = not ref or ref == "@" or ref.endswith(".") or _REF_FORBIDDEN.search(ref) is not None
    if bad or any(not p or p.startswith(".") or p.endswith(".lock") for p in parts):
        raise UsageError(field, f"{ref!r} is not a valid name", allowed=ALLOWED_REF)
    return ref


def check_subdirectory(path: str, *, field: str = "subdirectory") -> str:
    """Return a folder inside the repository, normalised (``a/./b/`` is ``a/b``; ``.`` is empty).

    Raises:
        UsageError: When it leaves the repository or names git's own folder.
    """
    pure = PurePosixPath(path)
    inside = not pure.is_absolute() and not {"..", ".git"} & set(pure.parts)
    if not inside or str(pure).startswith("-") or not path.isprintable():
        raise UsageError(field, f"{path!r}", allowed="a folder inside the repository")
    return "" if pure == PurePosixPath() else str(pure)


def local_path(url: str) -> Path | None:
    """Return where a checked URL points on this machine, or None for a remote one."""
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path))
    return Path(url) if url.startswith("/") else None


def join_url(base: str, relative: str, *, field: str = "URL") -> str:
    """Resolve a submodule's ``./x`` or ``../x`` against its parent's URL, as git submodule does.

    Raises:
        UsageError: When it climbs above the parent's host.
    """
    base, separator = base.rstrip("/"), "/"
    while relative.startswith(("./", "../")):
        step, _, relative = relative.partition("/")
        if step == "..":
            base, separator = _parent(base, field)
    return f"{base}{separator}{relative}".rstrip("/")


def job_name_for(url: str, entry: str) -> str:
    """Return the name a git job gets when the person gives none (``job-<remote>_<program>``).

    Follows W&B's naming of git jobs; ``entry`` is the path of the program in the repository.
    """
    return safe_name(f"job-{url}_{entry}")


def _refuse_shape(url: str, field: str, allowed: str) -> None:
    if not url or url.isspace():
        raise UsageError(field, "is empty", allowed=allowed)
    if url.startswith("-"):
        raise UsageError(field, "may not begin with -", allowed=allowed)
    if not (url.isprintable() and unquote(url).isprintable()):
        raise UsageError(field, "holds a control character", allowed=allowed)


def _check_scheme(scheme: str, rest: str, field: str, local: bool) -> str:
    allowed = ALLOWED if local else ALLOWED_REMOTE
    if scheme not in ("https", "ssh", "file") or (scheme == "file" and not local):
        raise UsageError(field, f"{scheme}:// is refused", allowed=allowed)
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        port = parts.port
    except ValueError:
        raise UsageError(field, "is not a valid address", allowed=allowed) from None
    if parts.query or parts.fragment or rest.endswith(("?", "#")):
        raise UsageError(field, "may not have a ? or # part", allowed=allowed)
    if scheme == "file":
        return _check_file(parts, field)
    _check_login(parts, port, field)
    if not parts.path.strip("/") or unquote(parts.path).startswith("/-"):
        raise UsageError(field, "names no repository on that host", allowed=allowed)
    return f"{scheme}://{rest}"


def _check_login(parts: SplitResult, port: int | None, field: str) -> None:
    """Refuse every user in https (tokens are given as user names too), a password in ssh."""
    user, _, host = unquote(parts.netloc).rpartition("@")
    if user and (parts.scheme == "https" or ":" in user):
        where = f"{host}{parts.path}" if parts.scheme == "https" else f"USER@{host}{parts.path}"
        raise UsageError(
            field,
            "credentials in a URL are never stored; git's credential helper or an ssh key of "
            "yours supplies them",
            allowed=f"{parts.scheme}://{where}",
        )
    name = host.removesuffix(f":{port}") if port is not None else host.removesuffix(":")
    if not name:
        raise UsageError(field, "names no host", allowed=ALLOWED_REMOTE)
    if user.startswith("-") or _HOST.fullmatch(name) is None:
        raise UsageError(field, "the host is not a valid name", allowed=ALLOWED_REMOTE)


def _check_file(parts: SplitResult, field: str) -> str:
    if parts.netloc not in ("", "localhost") or not parts.path.strip("/"):
        raise UsageError(field, "names no local repository", allowed="file:///path")
    return f"file://{parts.path}"


def _check_scp(url: str, field: str, allowed: str) -> str:
    """Check ``user@host:path`` and ``host:path`` (a host of the person's ssh configuration)."""
    match = _SCP.fullmatch(url)
    if match is None or match["host"] in _SCHEME_WORDS:
        raise UsageError(field, "is not a valid address", allowed=allowed)
    if "@" in match["path"].partition("/")[0]:
        raise UsageError(field, "credentials in a URL are never stored", allowed=allowed)
    user, host, path = match["user"] or "", match["host"], match["path"]
    if user.startswith("-") or _HOST.fullmatch(host) is None:
        raise UsageError(field, "the host is not a valid name", allowed=allowed)
    if not path.strip("/") or path.startswith("-"):
        raise UsageError(field, "names no repository on that host", allowed=allowed)
    return url


def _parent(base: str, field: str) -> tuple[str, str]:
    for separator in ("/", ":"):
        head, found, _ = base.rpartition(separator)
        if found:
            return head, separator
    raise UsageError(field, "a relative URL climbs above its host", allowed=ALLOWED_REMOTE)
