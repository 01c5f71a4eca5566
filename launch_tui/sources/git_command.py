"""Runs one git command: in a controlled environment, without prompts, killable, with one reason.

GitPython starts the process; this module decides what it inherits. The person's own set-up
(``~/.gitconfig``, credential helpers, ssh keys and agents) stays in force, while what could point
git at another repository, run a hook, open a forbidden transport or wait for a password does not.
A command runs in a process group of its own, which is ended when the caller cancels, when the time
is up, and when the caller itself is interrupted.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError, Stale
from launch_tui.sources.git_failure import GitFailed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence

QUERY_SECONDS = 60.0
"""How long a command that answers a question may take, a slow network included."""
TRANSFER_SECONDS = 3600.0
"""How long a fetch, a checkout or the wait for another's fetch may take."""
GRACE_SECONDS = 2.0
"""Between SIGTERM, on which git removes its lock files, and SIGKILL."""
TICK_SECONDS = 0.1
"""How often a silent command is looked at for a cancellation."""

ENTERED = ("https", "ssh", "file")
"""Transports for a URL that a person entered."""
SUBMODULE = ("https", "ssh")
"""Transports for a URL that stands in a repository."""

ROOT = Path("/")

_CONNECTING = frozenset({"fetch", "ls-remote", "lfs"})

# What `git rev-parse --local-env-vars` lists, less the configuration variables: they are one way
# in which people set git up. Removed with env(1), since GitPython can only add to an environment.
_STRIPPED = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
)
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "advice.detachedHead=false",
    "init.defaultBranch=main",
    # Every fetch leaves one whole pack, and nothing is tidied behind the caches' locks.
    "fetch.unpackLimit=1",
    "gc.auto=0",
    "maintenance.auto=false",
)
_PROGRESS = re.compile(r"(?:remote: )?(?P<what>[A-Z][\w ]+?): +(?P<percent>\d+)% \(")


def _never() -> bool:
    return False


def _nobody(_line: str) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The caller's side of a command: ``cancelled`` is asked often, ``report`` gets its progress.

    Lines for ``report`` read like ``receiving objects 43 %``.
    """

    cancelled: Callable[[], bool] = _never
    report: Callable[[str], None] = _nobody


QUIET = Watch()


@dataclass(slots=True)
class _Output:
    """What came out of a command so far; progress is reported while it comes."""

    report: Callable[[str], None]
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    tail: bytes = b""
    last: str = ""

    def stderr(self, chunk: bytes) -> None:
        *lines, self.tail = re.split(rb"[\r\n]", self.tail + chunk)
        for line in lines:
            self._line(line)

    def finish(self) -> None:
        self._line(self.tail)
        self.tail = b""

    def _line(self, line: bytes) -> None:
        match = _PROGRESS.match(line.decode(errors="replace"))
        if match is None:
            self.err += line + b"\n"
            return
        shown = f"{match['what'].lower()} {match['percent']} %"
        if shown != self.last:
            self.last = shown
            self.report(shown)


def run(
    arguments: Sequence[str],
    *,
    directory: Path = ROOT,
    watch: Watch = QUIET,
    timeout: float = QUERY_SECONDS,
    protocols: Sequence[str] = ENTERED,
) -> str:
    """Run git and return what it wrote to stdout.

    Args:
        arguments: What follows ``git``; settings of this module come first.
        directory: Where it runs; repositories above it are not looked for.
        watch: Cancellation and progress.
        timeout: Seconds until it is ended.
        protocols: The transports it may open, whatever the person's configuration says.

    Raises:
        GitFailed: It failed or took too long.
        LaunchError: There is no git on this machine.
        Stale: ``watch.cancelled`` said so; git has been ended.
    """
    if shutil.which("git") is None:
        raise LaunchError("git is not installed", next_step="Install git, or use a code job")
    environment = _environment(directory, protocols)
    if _CONNECTING & set(arguments) and (ssh := _ssh_command()) is not None:
        environment["GIT_SSH_COMMAND"] = ssh
    handle = _start(arguments, directory, environment)
    process: subprocess.Popen[bytes] = handle.proc  # type: ignore[attr-defined]
    output = _Output(watch.report)
    try:
        _follow(process, output, watch, timeout)
    finally:
        _end(process)
    if process.returncode:
        text = output.err.decode(errors="replace")
        raise GitFailed(text or f"git ended with status {process.returncode}")
    return output.out.decode(errors="surrogateescape")


def _start(arguments: Sequence[str], directory: Path, environment: Mapping[str, str]) -> object:
    from git.cmd import Git

    command = ["env"]
    for name in _STRIPPED:
        command += ["-u", name]
    command.append("git")
    for setting in _SETTINGS:
        command += ["-c", setting]
    return Git(directory).execute(
        [*command, *arguments],
        as_process=True,
        env=dict(environment),
        start_new_session=True,
    )


def _environment(directory: Path, protocols: Sequence[str]) -> dict[str, str]:
    """What is added to the caller's environment, over whatever it says."""
    return {
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GCM_INTERACTIVE": "never",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CEILING_DIRECTORIES": str(directory.parent),
    }


def _ssh_command() -> str | None:
    """The person's ssh command with prompts turned off; None leaves a foreign program as it is.

    The order is git's own: GIT_SSH_COMMAND, core.sshCommand, GIT_SSH.
    """
    command = os.environ.get("GIT_SSH_COMMAND") or _configured_ssh_command()
    if not command:
        command = shlex.quote(os.environ.get("GIT_SSH") or "ssh")
    try:
        program = Path(shlex.split(command)[0]).name
    except (ValueError, IndexError):
        return None
    return f"{command} -o BatchMode=yes" if program == "ssh" else None


def _configured_ssh_command() -> str:
    import subprocess

    command = ["git", "config", "--get", "core.sshCommand"]
    environment = {k: v for k, v in os.environ.items() if k not in _STRIPPED}
    with contextlib.suppress(subprocess.TimeoutExpired):
        found = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=GRACE_SECONDS,
            check=False,
        )
        return found.stdout.decode(errors="replace").strip()
    return ""


def _follow(
    process: subprocess.Popen[bytes], output: _Output, watch: Watch, timeout: float
) -> None:
    """Read both streams until they end, or until git has ended.

    An ssh connection master that git's ssh left behind keeps stderr open, so its end alone would
    be waited for in vain.
    """
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]
        while selector.get_map():
            ready = selector.select(TICK_SECONDS)
            for key, _ in ready:
                _read(key, selector, process, output)
            if not ready and process.poll() is not None:
                break
            _check(watch, deadline, timeout)
    output.finish()
    while process.poll() is None:
        _check(watch, deadline, timeout)
        time.sleep(TICK_SECONDS / 100)


def _check(watch: Watch, deadline: float, timeout: float) -> None:
    if watch.cancelled():
        raise Stale("cancelled while git was at work")
    if time.monotonic() > deadline:
        raise GitFailed(f"fatal: git took longer than {timeout:g} s and was ended")


def _read(
    key: selectors.SelectorKey,
    selector: selectors.BaseSelector,
    process: subprocess.Popen[bytes],
    output: _Output,
) -> None:
    chunk = os.read(key.fd, 1 << 16)
    if not chunk:
        selector.unregister(key.fileobj)
    elif key.fileobj is process.stdout:
        output.out += chunk
    else:
        output.stderr(chunk)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the command's process group, and collect it."""
    import subprocess

    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
