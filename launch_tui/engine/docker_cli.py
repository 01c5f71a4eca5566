"""Docker's command lines on this machine, and which of them can build with BuildKit.

The SDK cannot use BuildKit, so builds go through a ``docker`` command. More than one may be there:
a newer one without its plug-in buildx can build nothing any more, while the distribution's older
one beside it has BuildKit built in. So each is asked, in the order of PATH, and the first that can
is taken.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ANSWER_S = 10.0
"""How long a command may take to say its version; a cold network disk takes seconds."""
USUAL_FOLDERS = ("/usr/bin", "/usr/local/bin")
"""Looked into when PATH does not name them: a service's may be shorter than a login's."""

_WITHOUT_BUILDX = 23
"""From this version on the command builds with BuildKit by buildx only."""
_VERSION = re.compile(r"Docker version (\d+)\.(\d[\w.+~-]*)")
_BUILDX = re.compile(r"buildx v?(\d[\w.+~-]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildKit:
    """A docker command that builds with BuildKit.

    ``command`` is followed by the arguments of ``docker build``; ``variables`` go into its
    environment. ``str()`` says which it is.
    """

    path: Path
    version: str
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    buildx: str = ""

    def __str__(self) -> str:
        by = f", buildx {self.buildx}" if self.buildx else ""
        return f"{self.path} {self.version}{by}"


_known: dict[tuple[Path, int], BuildKit] = {}


def docker_commands(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield each ``docker`` that can be executed, in the order of PATH, each file once."""
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    seen = set()
    for folder in (*folders, *USUAL_FOLDERS):
        path = Path(folder or ".", "docker")
        if not os.access(path, os.X_OK) or path.is_dir():
            continue
        real = path.resolve()
        if real not in seen:
            seen.add(real)
            yield path


async def find_buildkit(environ: Mapping[str, str]) -> BuildKit | None:
    """Return the first docker command that can build with BuildKit; None when none can.

    One that can is remembered until its file changes; the others are asked again, since what they
    lack may be installed while the agent runs.

    Args:
        environ: The variables that the commands are started with.
    """
    for path in docker_commands(environ):
        state = (path, path.stat().st_mtime_ns)
        found = _known.get(state) or await _ask(path, environ)
        if found is not None:
            _known[state] = found
            return found
    return None


async def _ask(path: Path, environ: Mapping[str, str]) -> BuildKit | None:
    said = await _said(path, ("--version",), environ)
    version = _VERSION.match(said)
    if version is None:
        # Podman's stand-in for docker has no BuildKit.
        return None
    name = f"{version[1]}.{version[2]}".rstrip(".,")
    if buildx := _BUILDX.search(await _said(path, ("buildx", "version"), environ)):
        # The builder `default` is the engine itself. One that the user made and chose need not
        # have the engine's images, and may have to be fetched before it can build anything.
        command = (str(path), "buildx", "build", "--builder", "default", "--load")
        return BuildKit(path=path, version=name, command=command, buildx=buildx[1])
    if int(version[1]) >= _WITHOUT_BUILDX:
        return None
    variables = {"DOCKER_BUILDKIT": "1"}
    return BuildKit(path=path, version=name, command=(str(path), "build"), variables=variables)


async def _said(path: Path, words: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """Return what a command prints; empty when it fails or does not answer."""
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            *words,
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    try:
        out, _ = await asyncio.wait_for(process.communicate(), ANSWER_S)
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    return "" if process.returncode else out.decode(errors="replace")
