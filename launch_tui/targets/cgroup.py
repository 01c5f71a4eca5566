"""How much of a machine a local job may use, enforced by the kernel where systemd can ask for it.

``systemd-run --scope`` puts itself into a control group with limits and becomes the job: same pid,
same parent, same signals and exit status, so supervisor and adoption notice nothing. It needs
cgroup v2 and a service manager that this user may ask; where either is missing, ``cpus`` and
``memory`` are slots that are counted and not enforced, and ``enforcement`` says why. What can be
done is found out once per process, by starting one scope that does nothing.
"""

from __future__ import annotations

import functools
import math
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROBE_SECONDS = 5.0
"""How long the service manager may take to make the scope that does nothing."""
EXPANDS_SINCE = 254
"""From this version on systemd-run looks for variables in the command of a scope."""
CONTROLLERS = frozenset({"cpu", "memory"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcement:
    """Whether limits hold here. ``command`` starts a scope (empty: it cannot be had, see ``why``).

    ``text`` is the one line for the plan, doctor and the agent's screen.
    """

    command: tuple[str, ...] = ()
    why: str = ""

    @property
    def text(self) -> str:
        """Say in one line what the limits are worth here."""
        if self.command:
            return "enforced by cgroup v2 (systemd-run)"
        return f"bookkeeping only: {self.why}"


def enforcement() -> str:
    """Return the one line that says what ``cpus`` and ``memory`` are worth on this machine.

    The first call may take up to ``PROBE_SECONDS``, the others none.
    """
    return available().text


@functools.cache
def available() -> Enforcement:
    """Return how limits are enforced on this machine, found out at the first call."""
    return probe(os.getuid())


def limited(
    command: tuple[str, ...],
    *,
    memory: int,
    cpus: float,
    name: str,
    by: Enforcement | None = None,
) -> tuple[str, ...]:
    """Return the command that runs ``command`` within its limits; itself where none can be set.

    Args:
        command: The command, which keeps its pid and its exit status.
        memory: Bytes of memory, swap not counted on top; 0 for no limit.
        cpus: CPUs, as in 2.5; 0 for no limit.
        name: The attempt's handle, which names the scope (``systemctl status launch-tui-NAME``).
        by: How to enforce; by default what this machine has.
    """
    if not memory and not cpus:
        return command
    start = (available() if by is None else by).command
    if not start:
        return command
    limits = [f"--unit=launch-tui-{name}"]
    if memory:
        # Without the second, what is too much would be swapped out and slow down everybody.
        limits += ["-p", f"MemoryMax={memory}", "-p", "MemorySwapMax=0"]
    if cpus:
        limits += ["-p", f"CPUQuota={max(1, math.ceil(cpus * 100))}%"]
    return (*start, *limits, "--", *command)


def probe(
    user: int,
    *,
    root: Path = Path("/sys/fs/cgroup"),
    runtime: Path = Path("/run/user"),
    linger: Path = Path("/var/lib/systemd/linger"),
) -> Enforcement:
    """Find out whether this user can have limited scopes, cheapest question first.

    Args:
        user: The user's number; root asks the system's manager, others their own.
        root: Where control groups are mounted.
        runtime: Where users' runtime directories are.
        linger: Where systemd notes whose manager outlives their last login.
    """
    if not (root / "cgroup.controllers").is_file():
        return Enforcement(why="no cgroup v2 on this machine")
    program = shutil.which("systemd-run")
    if program is None:
        return Enforcement(why="systemd-run is not installed")
    if user == 0:
        if not Path("/run/systemd/system").is_dir():
            return Enforcement(why="this machine was not booted with systemd")
        return _tried((program,))
    own = root / f"user.slice/user-{user}.slice/user@{user}.service"
    why = _why_not_own(user, own, linger)
    if why:
        return Enforcement(why=why)
    # A job's environment need not have it, and without it the manager is not found.
    where = f"XDG_RUNTIME_DIR={runtime / str(user)}"
    return _tried((shutil.which("env") or "env", where, program, "--user"))


def _why_not_own(user: int, own: Path, linger: Path) -> str:
    """Say why a user's own manager cannot limit jobs, nothing when it can."""
    try:
        delegated = set((own / "cgroup.controllers").read_text().split())
    except OSError:
        return f"user {user} has no systemd user manager"
    if missing := CONTROLLERS - delegated:
        return f"the user manager is not given the {' and '.join(sorted(missing))} controller"
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    if not (linger / name).exists():
        # The manager ends with the user's last login, and ends all its scopes: a limited job would
        # die of a closed terminal.
        return f"jobs would end when you log out (`loginctl enable-linger {name}` changes that)"
    return ""


def _tried(start: tuple[str, ...]) -> Enforcement:
    start = (*start, "--scope", "--quiet", "--collect", *_literal(start))
    answer = _run((*start, "-p", "MemoryMax=64M", "-p", "CPUQuota=100%", "--", "true"))
    if answer.returncode == 0:
        return Enforcement(command=start)
    lines = answer.stderr.strip().splitlines()
    reason = lines[-1] if lines else f"status {answer.returncode}"
    return Enforcement(why=f"systemd-run: {reason}")


def _literal(start: tuple[str, ...]) -> tuple[str, ...]:
    """Return what keeps systemd-run from reading the ``$`` of a command, where it would."""
    words = _run((*start, "--version")).stdout.split()
    known = len(words) > 1 and words[1].isdigit() and int(words[1]) >= EXPANDS_SINCE
    return ("--expand-environment=no",) if known else ()


def _run(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(
            command, 1, "", f"no answer within {PROBE_SECONDS:.0f} s"
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", str(error.strerror))
