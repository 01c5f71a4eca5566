"""The wrapper before a job's command, on real processes that read back what they got."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
from dataclasses import replace

import pytest

from launch_tui.domain.attempt import EndKind
from launch_tui.targets import cgroup
from launch_tui.targets.cgroup import Enforcement, limited, probe
from launch_tui.targets.job_wrapper import NOT_SET_UP, start_failure, wrap
from launch_tui.targets.local_process_keys import LocalProcessConfig
from launch_tui.targets.processes import alive

SHELLS = [shell for name in ("bash", "dash") if (shell := shutil.which(name))]
TELL = (
    "import json, os, resource, sys\n"
    "mask = os.umask(0)\n"
    "print(json.dumps({'pid': os.getpid(), 'umask': mask, 'nice': os.nice(0),"
    " 'nofile': resource.getrlimit(resource.RLIMIT_NOFILE),"
    " 'core': resource.getrlimit(resource.RLIMIT_CORE),"
    " 'stack': resource.getrlimit(resource.RLIMIT_STACK),"
    " 'nproc': resource.getrlimit(resource.RLIMIT_NPROC),"
    " 'env': dict(os.environ), 'argv': sys.argv[1:]}))\n"
)


@pytest.fixture
def carry_out(target, make_attempt, outcome):
    """Returns ``carry_out(config, *command)``: the handle, the end and the log."""

    async def run(config, *command, environment=None, **how):
        attempt = make_attempt(*command, environment=environment)
        words = wrap(command, config, name=attempt.handle, **how)
        handle = await target.start(replace(attempt, command=words))
        ended = (await outcome(target, handle))[-1]
        return handle, ended, (attempt.directory / "output.log").read_text()

    return run


def tell(*arguments):
    return (sys.executable, "-IS", "-c", TELL, *arguments)


def test_a_job_that_asks_for_nothing_is_started_as_it_is():
    assert wrap(("a b", "$c"), LocalProcessConfig(), name="x.1") == ("a b", "$c")
    only_slots = LocalProcessConfig(gpus=2, memory=1 << 30, cpus=2, env={"A": "1"}, timeout=9)
    assert wrap(("a",), only_slots, name="x.1", by=Enforcement(why="no")) == ("a",)


@pytest.mark.parametrize("shell", SHELLS)
async def test_the_job_reads_back_its_limits(carry_out, shell):
    config = LocalProcessConfig(
        nice=7,
        umask=0o027,
        ulimit={"nofile": (256, 512), "core": (0, 4096), "stack": (1 << 20, 2 << 20)},
        setup=("export FROM_SETUP='a b'", "umask >/dev/null"),
    )
    words = ["", "a b", "$HOME `x` \\", "'\"", "ü\n\n", "*"]
    handle, ended, log = await carry_out(config, *tell(*words), shell=shell)
    told = json.loads(log.splitlines()[-1])
    assert ended.exit_code == 0, log
    assert told["pid"] == handle.job.pid, "the job is not the process that was started"
    assert told["umask"] == 0o027
    assert told["nice"] == os.nice(0) + 7
    assert told["nofile"] == [256, 512]
    assert told["core"] == [0, 4096]
    assert told["stack"] == [1 << 20, 2 << 20]
    assert told["env"]["FROM_SETUP"] == "a b"
    assert told["argv"] == words
    assert not [name for name in told["env"] if name.startswith("_lt")]


@pytest.mark.parametrize("shell", SHELLS)
async def test_processes_may_be_limited_in_both_shells(carry_out, shell):
    _, _, log = await carry_out(LocalProcessConfig(ulimit={"nproc": (4321, 4321)}), *tell())
    assert json.loads(log)["nproc"] == [4321, 4321]


@pytest.mark.parametrize("shell", SHELLS)
async def test_what_a_sourced_file_sets_reaches_the_job(carry_out, tmp_path, shell):
    (tmp_path / "env.sh").write_text(
        "[ $# -eq 0 ] || echo arguments: $*\nexport A=1\nfalse\ntrue\n"
    )
    config = LocalProcessConfig(setup=(". ./env.sh", "", "# a comment", "export B=$((A + 1))"))
    _, ended, log = await carry_out(config, *tell("x"), shell=shell)
    assert ended.exit_code == 0, log
    assert "arguments" not in log, "a sourced file must not see the words of the wrapper"
    told = json.loads(log.splitlines()[-1])
    assert (told["env"]["A"], told["env"]["B"]) == ("1", "2")


@pytest.mark.parametrize("shell", SHELLS)
async def test_macros_in_setup_lines_carry_no_commands(carry_out, tmp_path, shell):
    name = "$(touch pwned); touch pwned; '\"`touch pwned`"
    config = LocalProcessConfig(setup=('export A="${run_name}" B="${MINE}"', ": $gpus"))
    macros = {"run_name": name, "MINE": "of the agent", "gpus": "GPU-1"}
    environment = {"MINE": "of the job"}
    _, ended, log = await carry_out(
        config, *tell(), shell=shell, macros=macros, environment=environment
    )
    assert ended.exit_code == 0, log
    env = json.loads(log.splitlines()[-1])["env"]
    assert (env["A"], env["B"]) == (name, "of the job")
    assert "gpus" not in env
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("shell", SHELLS)
async def test_commands_may_go_on_over_several_lines(carry_out, shell):
    text = """\
export A="one
two"
if true; then
  export B=yes
fi
f() {
  export C="$1"
}
f hello \\
  world
"""
    here = "read -r D <<END\nfrom here\nEND\nexport D\n" if shell.endswith("bash") else ""
    config = LocalProcessConfig(setup=tuple((text + here).splitlines()))
    _, ended, log = await carry_out(config, *tell(), shell=shell)
    assert ended.exit_code == 0, log
    env = json.loads(log.splitlines()[-1])["env"]
    assert env["A"] == "one\ntwo"
    assert (env["B"], env["C"]) == ("yes", "hello")
    assert env.get("D") == ("from here" if here else None)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (("true", "false # 'why'"), "setup line 2 failed (exit status 1): false # 'why'"),
        (("exit 0",), "setup line 1 ended the shell (exit status 0): exit 0"),
        (("", "set -e", "(exit 3)"), "setup line 3 ended the shell (exit status 3): (exit 3)"),
        (("no_such_thing --x $HOME",), "setup line 1 failed (exit status 127): no_such_thing"),
        (("if true; then", "  echo", "fi", "false"), "setup line 4 failed (exit status 1): false"),
    ],
)
async def test_a_setup_line_that_fails_is_named_and_the_job_never_runs(
    carry_out, tmp_path, shell, lines, cause
):
    config = LocalProcessConfig(setup=lines)
    _, ended, log = await carry_out(config, "sh", "-c", "echo ran > ran", shell=shell)
    assert not (tmp_path / "ran").exists()
    assert (ended.kind, ended.exit_code) == (EndKind.EXITED, NOT_SET_UP)
    failure = start_failure(ended.exit_code, log, config)
    assert failure is not None, log
    assert failure.cause.startswith(cause)
    assert failure.phase == "start"
    assert failure.next_step


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line", ["if", "echo 'open", "fi", ". ./none"])
async def test_a_setup_line_that_cannot_be_read_is_named(carry_out, shell, line):
    config = LocalProcessConfig(setup=("true", line))
    _, ended, log = await carry_out(config, "true", shell=shell)
    assert ended.exit_code == NOT_SET_UP
    assert "setup line 2" in start_failure(ended.exit_code, log, config).cause


@pytest.mark.parametrize("status", [0, 1, 2, 125, 126, 127, 255])
async def test_the_exit_status_is_the_jobs_own(carry_out, status):
    config = LocalProcessConfig(setup=("true",), nice=1)
    _, ended, log = await carry_out(config, "sh", "-c", f"echo over; exit {status}")
    assert ended.exit_code == status
    assert start_failure(status, log, config) is None


@pytest.mark.parametrize("shell", SHELLS)
async def test_a_command_that_is_not_there_is_told_as_without_the_wrapper(
    carry_out, tmp_path, shell
):
    config = LocalProcessConfig(umask=0o22)
    _, ended, log = await carry_out(config, "./no such", "x", shell=shell)
    assert start_failure(ended.exit_code, log, config).cause == "command not found: ./no such"
    (tmp_path / "plain").write_text("x")
    _, ended, log = await carry_out(config, "./plain", shell=shell)
    assert start_failure(ended.exit_code, log, config).cause == "cannot execute ./plain"


async def test_a_limit_that_cannot_be_set_is_named(carry_out):
    config = LocalProcessConfig(ulimit={"nofile": (2**40, 2**40)})
    _, ended, log = await carry_out(config, "true")
    cause = f"ulimit nofile={2**40}:{2**40} cannot be set"
    assert start_failure(ended.exit_code, log, config).cause == cause


async def test_a_wrapped_job_has_the_signals_and_descriptors_of_an_unwrapped_one(carry_out):
    look = "grep -E 'Sig(Blk|Ign)' /proc/self/status; cat; ls /proc/$$/fd"
    _, _, log = await carry_out(LocalProcessConfig(setup=("true",), nice=1), "sh", "-c", look)
    assert log.split() == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16, "0", "1", "2"]


async def test_a_wrapped_job_is_stopped_by_sigint_and_adopted(target, make_attempt, outcome, until):
    command = ("sh", "-c", "echo up; sleep 600")
    attempt = make_attempt(*command)
    config = LocalProcessConfig(setup=("true",), nice=3)
    words = wrap(command, config, name=attempt.handle)
    await target.start(replace(attempt, command=words))
    await until(lambda: "up" in (attempt.directory / "output.log").read_text())
    adopted = await target.adopt(attempt)
    assert len(target.pids(adopted)) == 2
    await target.stop(adopted, 15)
    assert (await outcome(target, adopted))[-1].exit_code == -signal.SIGINT


async def test_a_stop_while_a_setup_line_runs_ends_it(target, make_attempt, outcome, until):
    attempt = make_attempt("true")
    config = LocalProcessConfig(setup=("echo up; sleep 600",))
    handle = await target.start(
        replace(attempt, command=wrap(("true",), config, name=attempt.handle))
    )
    await until(lambda: "up" in (attempt.directory / "output.log").read_text())
    await target.stop(handle, 15)
    ended = (await outcome(target, handle))[-1]
    assert ended.exit_code != 0
    assert not alive(handle.job)


async def test_conda_can_be_activated(carry_out, tmp_path):
    """With a stand-in of conda: a program that prints the function its shells need."""
    conda = tmp_path / "conda"
    conda.write_text(
        '#!/bin/sh\n[ "$2" = hook ] || exit 9\necho \'conda() { export CONDA_NOW="$2"; }\'\n'
    )
    conda.chmod(0o755)
    config = LocalProcessConfig(setup=("conda activate mine",))
    _, ended, log = await carry_out(config, *tell(), environment={"CONDA_EXE": str(conda)})
    assert ended.exit_code == 0, log
    assert json.loads(log)["env"]["CONDA_NOW"] == "mine"


async def test_modules_can_be_loaded(carry_out, tmp_path):
    """With a stand-in of Environment Modules: the file that makes its function."""
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "bash").write_text('module() { export LOADED="$2"; }\n')
    config = LocalProcessConfig(setup=("module load cuda/12",))
    environment = {"MODULESHOME": str(tmp_path)}
    _, ended, log = await carry_out(config, *tell(), environment=environment)
    assert ended.exit_code == 0, log
    assert json.loads(log)["env"]["LOADED"] == "cuda/12"


# --- limits through a service manager, with a stand-in of systemd-run ---

SYSTEMD_RUN = r"""#!/bin/sh
# Keeps what it was asked and becomes the command, as the real one does with --scope.
case " $* " in *" --version "*) echo "systemd {version} (x)"; exit 0;; esac
if [ -n "{fails}" ]; then echo "{fails}" >&2; exit 1; fi
printf '%s\n' "$*" >> {asked}
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Returns ``machine(version=, fails=)``: puts a stand-in first on PATH, and the cgroup tree."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    own = tmp_path / "cg" / "user.slice" / "user-4242.slice" / "user@4242.service"
    own.mkdir(parents=True)
    (tmp_path / "cg" / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (own / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "linger").mkdir()
    (tmp_path / "linger" / "4242").touch()

    def make(version=252, fails=""):
        program = tmp_path / "bin" / "systemd-run"
        program.parent.mkdir(exist_ok=True)
        asked = shlex.quote(str(tmp_path / "asked"))
        text = SYSTEMD_RUN.replace("{version}", str(version)).replace("{fails}", fails)
        program.write_text(text.replace("{asked}", asked))
        program.chmod(0o755)
        return probe(
            4242, root=tmp_path / "cg", runtime=tmp_path / "run", linger=tmp_path / "linger"
        )

    return make


async def test_a_limited_job_is_still_the_process_that_was_started(carry_out, machine, tmp_path):
    by = machine()
    assert by.text == "enforced by cgroup v2 (systemd-run)"
    config = LocalProcessConfig(memory=2 << 30, cpus=1.5, nice=2, setup=("export A=1",))
    handle, ended, log = await carry_out(config, *tell("$HOME"), by=by)
    told = json.loads(log)
    assert ended.exit_code == 0
    assert (told["pid"], told["env"]["A"]) == (handle.job.pid, "1")
    assert told["argv"] == ["$HOME"]
    assert told["nice"] == os.nice(0) + 2
    asked = (tmp_path / "asked").read_text()
    for words in ("--user", "--scope", "--collect", "MemoryMax=2147483648", "MemorySwapMax=0"):
        assert words in asked
    assert "CPUQuota=150%" in asked
    assert f"--unit=launch-tui-{handle.name}" in asked
    assert "--expand-environment" not in asked


def test_a_newer_systemd_is_kept_from_reading_variables(machine):
    assert "--expand-environment=no" in machine(version=257).command


def test_only_what_is_asked_is_limited(machine):
    by = machine()
    assert limited(("a",), memory=0, cpus=0, name="x.1", by=by) == ("a",)
    assert not any(
        "CPUQuota" in word for word in limited(("a",), memory=9, cpus=0, name="x", by=by)
    )
    assert not any("Memory" in word for word in limited(("a",), memory=0, cpus=2, name="x", by=by))


def test_why_limits_are_only_counted(machine, tmp_path, monkeypatch):
    assert "not responding" in machine(fails="Failed to connect: not responding").text
    machine()
    where = {"root": tmp_path / "cg", "linger": tmp_path / "linger"}
    assert probe(4242, **where).command
    own = tmp_path / "cg" / "user.slice" / "user-4242.slice" / "user@4242.service"
    (own / "cgroup.controllers").write_text("memory pids\n")
    assert probe(4242, **where).text == (
        "bookkeeping only: the user manager is not given the cpu controller"
    )
    (own / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "linger" / "4242").unlink()
    assert "enable-linger 4242" in probe(4242, **where).text
    assert "no systemd user manager" in probe(4243, **where).text
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "not installed" in probe(4242, **where).text
    (tmp_path / "cg" / "cgroup.controllers").unlink()
    assert probe(4242, **where).text == "bookkeeping only: no cgroup v2 on this machine"


def test_this_machine_is_asked_once(monkeypatch):
    cgroup.available.cache_clear()
    first = cgroup.enforcement()
    monkeypatch.setenv("PATH", "/nowhere")
    assert cgroup.enforcement() == first
    assert first.startswith(("enforced by", "bookkeeping only: "))
    cgroup.available.cache_clear()


async def test_a_scope_that_cannot_be_made_is_no_failure_of_the_job(carry_out, machine):
    by = machine()
    machine(fails="Failed to start transient scope unit: Unit exists already")
    config = LocalProcessConfig(memory=1 << 30)
    _, ended, log = await carry_out(config, "true", by=by)
    failure = start_failure(ended.exit_code, log, config)
    assert "cannot be limited" in failure.cause
    assert start_failure(1, log, LocalProcessConfig()) is None
    assert start_failure(1, "epoch 1\nFailed to start transient scope unit", config) is None


def test_the_log_alone_accuses_nobody():
    config = LocalProcessConfig(setup=("false",))
    assert start_failure(NOT_SET_UP, "", config) is None
    assert start_failure(None, "launch_tui: setup line 1 failed", config) is None
    assert start_failure(1, "launch_tui: setup line 1 failed", config) is None
    assert start_failure(NOT_SET_UP, "launch_tui: x\nTraceback", config) is None
