"""What stands before a local job's command: limits, niceness, and the lines that set it up.

Nothing, where nothing is asked. Else a shell applies umask and ulimits, carries out the ``setup``
lines in its own environment (so that ``module load``, ``source`` and ``conda activate`` have an
effect), and becomes the job: pid, signals and exit status are the job's own. A line that fails ends
the attempt before the job began; the last line of the log then says which one, in words that
``start_failure`` knows again, also for an agent that adopted the job.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from launch_tui.domain.macros import MACROS
from launch_tui.errors import StartFailed
from launch_tui.targets.cgroup import limited
from launch_tui.targets.ulimits import ulimit_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from launch_tui.targets.cgroup import Enforcement
    from launch_tui.targets.local_process_keys import LocalProcessConfig

NOT_SET_UP = 125
"""The exit status of an attempt whose job was not reached, as ``docker run`` and ``env`` use it."""
NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""What shells end with when a command cannot be executed, and when there is none."""
SIGN = "launch_tui:"
"""How the lines begin that the wrapper writes to the log."""
CHECK_SECONDS = 5.0

_REPORT = f"""\
_lt_at=
_lt_fail() {{ trap - EXIT; printf '%s\\n' "{SIGN} $1" >&2; exit {NOT_SET_UP}; }}
_lt_left() {{
  trap - EXIT
  if [ -n "$_lt_at" ]; then
    _lt_fail "$_lt_at ended the shell (exit status $1)${{_lt_text:+: $_lt_text}}"
  elif [ "$1" -eq {NOT_FOUND} ]; then
    printf '%s\\n' "{SIGN} command not found: $_lt_job" >&2
  else
    printf '%s\\n' "{SIGN} cannot execute $_lt_job" >&2
  fi
  exit "$1"
}}
trap '_lt_left "$?"' EXIT
"""

_MODULES = """\
if ! type module >/dev/null 2>&1; then
  for _lt_file in "${LMOD_PKG:-/usr/share/lmod/lmod}/init/SHELL" \
    "${MODULESHOME:-/usr/share/modules}/init/SHELL" /usr/share/Modules/init/SHELL \
    /etc/profile.d/lmod.sh /etc/profile.d/modules.sh /etc/profile.d/z00_lmod.sh; do
    if [ -r "$_lt_file" ]; then . "$_lt_file"; break; fi
  done
fi
"""
_CONDA = """\
if ! type conda 2>/dev/null | grep -q function; then
  _lt_file=${CONDA_EXE:-$(command -v conda)}
  if [ -n "$_lt_file" ]; then eval "$("$_lt_file" shell.posix hook)"; fi
fi
"""
# These are functions of an interactive shell, which a job's shell is not: made only where they are
# going to be called, because that takes its time.
_NEEDS_MODULES = re.compile(r"(?:^|[;&|(]\s*)(?:module|ml)\s", re.MULTILINE)
_NEEDS_CONDA = re.compile(r"(?:^|[;&|(]\s*)conda\s+(?:de)?activate\b", re.MULTILINE)

_MAY_GO_ON = re.compile(r"""['"`\\({&|]|<<|\b(?:if|for|while|until|case|select|then|do|else)\b""")
_IS_OPEN = re.compile(
    r"unexpected end of file|end of file unexpected|unexpected EOF|delimited by end-of-file"
    r"|[Uu]nterminated|end-of-file"
)
_TOLD = re.compile(rf"^{SIGN} (?P<what>.+)$")
_NO_SCOPE = re.compile(r"^(?:Failed to|Job for) .*(?:scope|bus|unit|manager)", re.IGNORECASE)


def wrap(
    command: Sequence[str],
    config: LocalProcessConfig,
    *,
    name: str,
    macros: Mapping[str, str] | None = None,
    by: Enforcement | None = None,
    shell: str | None = None,
) -> tuple[str, ...]:
    """Return the command that starts a job as its resource configuration asks.

    May ask the service manager once per process and, for setup lines that belong together, a shell:
    call it off the event loop. It starts nothing that stays.

    Args:
        command: The job's own command.
        config: What is asked; macros are expanded, but for those in setup lines.
        name: The attempt's handle, which names its control group.
        macros: What ``${run_id}`` and the like mean in setup lines. They are variables of the
            shell: pasted into the text, a run's name could carry commands.
        by: How memory and CPUs are enforced; by default what this machine has.
        shell: The shell; by default bash where there is one, else sh.

    Raises:
        StartFailed: There is no shell, or a ulimit that the shell cannot set.
    """
    wrapped = tuple(command)
    if config.setup or config.ulimit or config.umask is not None or config.nice is not None:
        shell = shell or _shell()
        wrapped = (shell, "-c", _script(wrapped, config, shell, macros or {}), "setup")
    if config.nice is not None:
        # Outside of the shell, which then can tell when the job's command is not there.
        wrapped = (shutil.which("nice") or "nice", "-n", str(config.nice), *wrapped)
    return limited(wrapped, memory=config.memory, cpus=config.cpus, name=name, by=by)


def start_failure(
    exit_code: int | None, log_tail: str, config: LocalProcessConfig
) -> StartFailed | None:
    """Return why the job was never reached, None when its exit status is its own.

    Args:
        exit_code: The exit status as the target told it.
        log_tail: The last lines of the job's output.
        config: What was asked of the attempt.
    """
    lines = log_tail.strip().splitlines()
    if not lines or not exit_code:
        return None
    if exit_code in (NOT_SET_UP, NOT_EXECUTABLE, NOT_FOUND) and (told := _TOLD.match(lines[-1])):
        return StartFailed(told["what"], next_step=_next_step(told["what"]))
    # systemd-run says nothing else, and says it before anything of the job can be in the log.
    limits = bool(config.memory or config.cpus)
    if limits and exit_code == 1 and len(lines) == 1 and _NO_SCOPE.match(lines[0]):
        step = "Rerun; if it stays so, see `systemctl --user status` and `launch-tui doctor`"
        return StartFailed(f"memory and cpus cannot be limited: {lines[0]}", next_step=step)
    return None


def _next_step(what: str) -> str:
    if what.startswith("setup line"):
        return "Read the log above it, correct `setup` in the queue or the launch, then rerun"
    if what.startswith("ulimit"):
        return "Ask for no more than the agent's own hard limit (`ulimit -H -a`), then rerun"
    return "Check the entry point and the environment, then rerun"


def _shell() -> str:
    found = shutil.which("bash") or shutil.which("sh")
    if found is None:
        raise StartFailed(
            "neither bash nor sh is there for setup, umask, ulimit or nice",
            next_step="Install bash, or take those keys out of the resource configuration",
        )
    return found


def _is_bash(shell: str) -> bool:
    return shell.rpartition("/")[2] == "bash"


def _script(
    command: tuple[str, ...], config: LocalProcessConfig, shell: str, macros: Mapping[str, str]
) -> str:
    text = "\n".join(config.setup)
    parts = [f"_lt_job={shlex.quote(command[0])}\n", _REPORT]
    if config.umask is not None:
        parts.append(f"umask {config.umask:04o}\n")
    parts += ulimit_lines(config.ulimit, bash=_is_bash(shell), fail="_lt_fail")
    if config.setup and not _is_bash(shell):
        parts.append(f"printf '%s\\n' '{SIGN} no bash is here, the setup lines run in sh' >&2\n")
    if config.setup:
        # The agent's variables are in the job's environment already, and stay out of the command.
        given = [name for name in MACROS if name in macros and name in text]
        parts += [f"{name}={shlex.quote(macros[name])}\n" for name in given]
    if _NEEDS_MODULES.search(text):
        parts.append(_MODULES.replace("SHELL", "bash" if _is_bash(shell) else "sh"))
    if _NEEDS_CONDA.search(text):
        parts.append(_CONDA)
    parts += [_setup(number, lines) for number, lines in _commands(config.setup, shell)]
    if _is_bash(shell):
        # Otherwise it leaves without a word of ours when the kernel refuses the command.
        parts.append("shopt -s execfail\n")
    parts.append(f'_lt_at=\nexec {shlex.join(command)}\n_lt_left "$?"\n')
    return "".join(parts)


def _setup(number: int, text: str) -> str:
    """Return the lines that carry out one setup command, written for any text."""
    at = f"setup line {number}"
    shown = shlex.quote(text.splitlines()[0].strip()[:200] if text.strip() else "")
    # Each by itself and at the top level: `set -e` would end the shell within the activation
    # scripts of conda, and in a function `declare` would be local.
    return (
        f"_lt_at='{at}' _lt_text={shown}\n"
        f"eval {shlex.quote(text)}\n"
        f'_lt_status=$?; [ "$_lt_status" -eq 0 ] || '
        f'_lt_fail "{at} failed (exit status $_lt_status): $_lt_text"\n'
    )


def _commands(lines: Sequence[str], shell: str) -> Iterator[tuple[int, str]]:
    """Yield the commands with the numbers of their first lines; some go on over several lines."""
    start, text = 1, ""
    for number, line in enumerate(lines, 1):
        if not text:
            start = number
        text += line + "\n"
        if number < len(lines) and _goes_on(text, shell):
            continue
        if text.strip():
            yield start, text
        text = ""


def _goes_on(text: str, shell: str) -> bool:
    """Ask the shell whether a command is not whole yet; it reads it and does nothing."""
    if not _MAY_GO_ON.search(text):
        return False
    if text.endswith("\\\n"):
        return True
    try:
        answer = subprocess.run(
            [shell, "-n", "-c", text],
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CHECK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return False
    return bool(_IS_OPEN.search(answer.stderr.decode("utf-8", "replace")))
