"""Which ``docker`` command can build with BuildKit, if any.

BuildKit is spoken to by Docker's command line only, and not by each: new ones need the plugin
buildx, which distributions package apart, old ones have it built in. So every ``docker`` on PATH is
asked what it can, and one that cannot does not hide another that can. Podman's stand-in for
``docker`` builds with Buildah and counts as none.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ANSWER_S = 10.0
"""How long a command may take to say what it is."""
USUAL = ("/usr/local/bin", "/usr/bin")
"""Looked at after PATH: that of a service is often bare."""
NEEDS_BUILDX = 23
"""From this version on, BuildKit is buildx's."""

_VERSION = re.compile(r"^Docker version (\d+)\.(\d[\w.+~-]*)", re.MULTILINE)
_BUILDX = re.compile(r"\bv?(\d+\.\d+[\w.+-]*)")
# What decides where plugins are looked for, and what could change the answer.
_DECIDING = ("HOME", "DOCKER_CONFIG", "DOCKER_CLI_PLUGIN_EXTRA_DIRS")


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerCli:
    """A ``docker`` command: its version, and buildx's where it has that; both empty for Podman's."""

    path: Path
    version: str = ""
    buildx: str = ""

    @property
    def has_buildkit(self) -> bool:
        """Say whether it can build with BuildKit."""
        return bool(self.buildx) or bool(self.version) and _major(self.version) < NEEDS_BUILDX


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildKit:
    """How to build with BuildKit: the beginning of the command, and variables that it needs."""

    cli: DockerCli
    command: tuple[str, ...]
    variables: Mapping[str, str]

    @property
    def text(self) -> str:
        """How it is told to a person."""
        buildx = f" with buildx {self.cli.buildx}" if self.cli.buildx else ""
        return f"docker {self.cli.version}{buildx} ({self.cli.path})"


def find_buildkit(environ: Mapping[str, str]) -> BuildKit | None:
    """Return the first ``docker`` that can build with BuildKit; None when there is none.

    Its command is to be run with the variables of the engine's endpoint too
    (``Endpoint.variables``), so that it builds where the image is run.
    """
    for cli in docker_clis(environ):
        if cli.buildx:
            # The builder `default` is the engine itself; one that the user made need not have
            # the engine's images, nor leave its result there.
            command = (str(cli.path), "buildx", "build", "--builder", "default", "--load")
            return BuildKit(cli=cli, command=command, variables={"BUILDX_BUILDER": ""})
        if cli.has_buildkit:
            command = (str(cli.path), "build")
            return BuildKit(cli=cli, command=command, variables={"DOCKER_BUILDKIT": "1"})
    return None


def docker_clis(environ: Mapping[str, str]) -> Iterator[DockerCli]:
    """Yield every ``docker`` command, in the order of PATH; those of Podman and broken ones too."""
    seen = set()
    for folder in (*environ.get("PATH", os.defpath).split(os.pathsep), *USUAL):
        path = Path(folder or ".", "docker")
        if not path.is_file() or not os.access(path, os.X_OK):
            continue
        status = path.stat()
        if (same := (status.st_dev, status.st_ino)) not in seen:
            seen.add(same)
            deciding = tuple((name, environ[name]) for name in _DECIDING if name in environ)
            yield _examined(path, status.st_mtime_ns, deciding)


@lru_cache(maxsize=64)
def _examined(path: Path, _changed_ns: int, deciding: tuple[tuple[str, str], ...]) -> DockerCli:
    """Ask one command what it is; once, until it is another."""
    environ = {**dict(deciding), "PATH": os.defpath}
    version = _VERSION.search(_ask(path, environ, "--version"))
    if version is None:
        return DockerCli(path=path)
    buildx = _BUILDX.search(_ask(path, environ, "buildx", "version"))
    return DockerCli(
        path=path,
        version=f"{version[1]}.{version[2].rstrip(',')}",
        buildx=buildx[1] if buildx else "",
    )


def _ask(path: Path, environ: Mapping[str, str], *words: str) -> str:
    try:
        done = subprocess.run(
            [path, *words],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _major(version: str) -> int:
    return int(version.partition(".")[0])
