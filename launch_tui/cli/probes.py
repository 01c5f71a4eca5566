"""What ``doctor`` asks of the machine: tools, GPUs, the login manager, the terminal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from launch_tui.cli.output import speaks_utf8

TIMEOUT_S = 5.0
"""How long a command may take before it counts as not answering."""

_WANDB = """
import importlib.metadata as m, netrc, os
v = m.version("wandb")
key = os.environ.get("WANDB_API_KEY")
try:
    path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    hosts = netrc.netrc(path).hosts if os.path.exists(path) else {}
except Exception:
    hosts = {}
print(v, "yes" if key or any("wandb" in host for host in hosts) else "no")
"""

_DOCKER = "from launch_tui.engine.told import main; main()"

_GPUS = """
from launch_tui.devices.fit import look
from launch_tui.domain.quantities import write_size
machine = look(gpus=True)
for gpu in machine.gpus if machine else ():
    print(f"{gpu.name}, {write_size(gpu.memory_total)}")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    check: str
    ok: bool
    found: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said: its status (None: not started, or too slow) and its first lines."""

    status: int | None
    text: str

    @property
    def first(self) -> str:
        """The first line, or what kept the command from saying one."""
        return self.text.strip().split("\n")[0].strip()


def ask(*command: str) -> Answer | None:
    """Run a command for its answer; None when there is no such command."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(None, f"no answer within {TIMEOUT_S:g} s")
    except OSError as error:
        return Answer(None, str(error))
    return Answer(done.returncode, done.stdout if done.returncode == 0 else done.stderr)


def python() -> Check:
    """The interpreter that launch_tui runs in."""
    return Check(check="python", ok=True, found=f"{sys.version.split()[0]} ({sys.executable})")


def git() -> Check:
    """Git, for git jobs and for .gitignore."""
    answer = ask("git", "--version")
    if answer is None or answer.status != 0:
        found = "not on PATH" if answer is None else answer.first
        return Check(check="git", ok=False, found=found, next_step="Install git 2.28 or newer.")
    return Check(check="git", ok=True, found=answer.first.removeprefix("git version "))


def uv() -> Check:
    """uv, which builds environments."""
    from launch_tui.builders.uv_process import find_uv

    step = "Install launch-tui again: uv comes with it."
    try:
        path = find_uv()
    except FileNotFoundError:
        return Check(check="uv", ok=False, found="not installed", next_step=step)
    answer = ask(path, "--version")
    if answer is None or answer.status != 0:
        found = "does not run" if answer is None else answer.first
        return Check(check="uv", ok=False, found=found, next_step=step)
    return Check(check="uv", ok=True, found=f"{answer.first.removeprefix('uv ')} ({path})")


def wandb() -> Check:
    """wandb in the interpreter in use, and whether it is logged in."""
    from launch_tui.sdk.jobs import current_interpreter

    interpreter = current_interpreter()
    if not interpreter:
        return Check(check="wandb", ok=False, found="no python on PATH")
    answer = ask(interpreter, "-c", _WANDB)
    if answer is None or answer.status != 0:
        return Check(
            check="wandb",
            ok=False,
            found=f"not installed in {interpreter}",
            next_step="Jobs with a requirements.txt that names wandb need nothing here.",
        )
    version, _, logged_in = answer.first.partition(" ")
    login = "logged in" if logged_in == "yes" else "not logged in (works offline)"
    return Check(check="wandb", ok=True, found=f"{version} in {interpreter}, {login}")


def docker() -> Check:
    """The Docker engine that containers would run on, and what builds images for it."""
    # A process of its own, because an engine in trouble may never answer.
    answer = ask(sys.executable, "-c", _DOCKER)
    if answer is None or answer.status != 0:
        found = f"the engine does not answer: {answer.first}" if answer else "no answer"
        return Check(check="docker", ok=False, found=found, next_step="Start the Docker engine.")
    return Check(check="docker", **json.loads(answer.first))


def slurm() -> Check:
    """Slurm's submit command."""
    answer = ask("sbatch", "--version")
    if answer is None:
        return Check(check="slurm", ok=False, found="sbatch not on PATH")
    return Check(check="slurm", ok=answer.status == 0, found=answer.first)


def kubernetes() -> Check:
    """The Kubernetes context that kubectl would use."""
    answer = ask("kubectl", "config", "current-context")
    if answer is None:
        return Check(check="kubernetes", ok=False, found="kubectl not on PATH")
    if answer.status != 0:
        return Check(check="kubernetes", ok=False, found=answer.first or "no current context")
    return Check(check="kubernetes", ok=True, found=f"context {answer.first}")


def gpus() -> Check:
    """GPUs of NVIDIA or AMD: those that the agent can give, else why there are none."""
    # A process of its own, because a driver in trouble may never answer.
    seen = ask(sys.executable, "-c", _GPUS)
    if seen is not None and seen.status == 0 and seen.first:
        cards = seen.text.strip().splitlines()
        return Check(check="gpus", ok=True, found=f"{len(cards)}: {'; '.join(cards)}")
    fields = "--query-gpu=name,memory.total,driver_version"
    answer = ask("nvidia-smi", fields, "--format=csv,noheader")
    if answer is not None and answer.status == 0 and answer.first:
        cards = [line.strip() for line in answer.text.strip().splitlines()]
        return Check(check="gpus", ok=True, found=f"{len(cards)}: {'; '.join(cards)}")
    if answer is not None:
        step = "Check the NVIDIA driver with nvidia-smi."
        return Check(check="gpus", ok=False, found=f"nvidia-smi: {answer.first}", next_step=step)
    kfd = Path("/sys/class/kfd/kfd/topology/nodes")
    nodes = list(kfd.glob("*/gpu_id")) if kfd.is_dir() else []
    amd = [node for node in nodes if node.read_text().strip() not in ("", "0")]
    if amd:
        return Check(check="gpus", ok=True, found=f"{len(amd)} of AMD")
    return Check(check="gpus", ok=False, found="none (no nvidia-smi, no AMD driver)")


def limits() -> Check:
    """What ``cpus`` and ``memory`` of a run are worth: kept by the kernel, or only counted."""
    from launch_tui.targets.cgroup import available

    found = available()
    step = "" if found.command else "Runs are counted by what they ask for and may take more."
    return Check(check="limits", ok=bool(found.command), found=found.text, next_step=step)


def logind() -> Check:
    """Whether the login manager would end a background agent when its user logs out."""
    if not Path("/run/systemd/system").is_dir():
        found = "no systemd here: nothing ends a background agent at logout"
        return Check(check="logind", ok=True, found=found)
    user = os.environ.get("USER") or str(os.getuid())
    lingers = Path("/var/lib/systemd/linger", user).exists()
    units = Path("~/.config/systemd/user").expanduser()
    unit = any(units.glob("launch-tui*.service"))
    linger = "lingering is on" if lingers else "lingering is off"
    service = "the user unit is installed" if unit else "no user unit"
    if not _kills_user_processes():
        found = f"KillUserProcesses=no: a background agent outlives the login; {linger}, {service}"
        return Check(check="logind", ok=True, found=found)
    return Check(
        check="logind",
        ok=lingers and unit,
        found="KillUserProcesses=yes: logging out kills a background agent and its jobs; "
        f"{linger}, {service}",
        next_step=""
        if lingers and unit
        else f"loginctl enable-linger {user}, and run the agent as a systemd user unit.",
    )


def locale() -> Check:
    """Whether the locale can show more than ASCII."""
    name = next((os.environ[n] for n in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(n)), "C")
    if speaks_utf8():
        return Check(check="locale", ok=True, found=name)
    step = "Set LANG=C.UTF-8 for more than ASCII."
    return Check(check="locale", ok=False, found=f"{name} is not UTF-8", next_step=step)


def terminal() -> Check:
    """What the terminal says that it is."""
    name = os.environ.get("TERM", "")
    where = ", over ssh" if os.environ.get("SSH_CONNECTION") else ""
    where += ", in tmux" if os.environ.get("TMUX") else ""
    if name in ("", "dumb"):
        found = f"TERM={name or 'not set'}{where}: plain lines only"
        step = "The verbs work here; the UI needs a terminal."
        return Check(check="terminal", ok=False, found=found, next_step=step)
    if not sys.stdout.isatty():
        return Check(check="terminal", ok=True, found=f"{name}{where}, stdout is no terminal")
    size = shutil.get_terminal_size()
    return Check(check="terminal", ok=True, found=f"{name}{where}, {size.columns}x{size.lines}")


def _kills_user_processes() -> bool:
    """Read the setting in force: loginctl's answer, else the configuration files."""
    command = ("busctl", "get-property", "org.freedesktop.login1", "/org/freedesktop/login1")
    answer = ask(*command, "org.freedesktop.login1.Manager", "KillUserProcesses")
    if answer is not None and answer.status == 0:
        return answer.first.endswith("true")
    value = False
    places = [Path("/usr/lib/systemd/logind.conf"), Path("/etc/systemd/logind.conf")]
    for folder in ("/usr/lib/systemd/logind.conf.d", "/etc/systemd/logind.conf.d"):
        places += sorted(Path(folder).glob("*.conf"))
    for path in places:
        for line in path.read_text(errors="replace").splitlines() if path.is_file() else ():
            key, _, text = line.partition("=")
            if key.strip() == "KillUserProcesses":
                value = text.strip().lower() in ("yes", "true", "1", "on")
    return value
