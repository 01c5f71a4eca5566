"""Values of secrets are where the job is, and nowhere else.

Each kind of run on each target is given four markers: by ``--secret`` from a file, by ``--secret``
and ``--pass-env`` from the agent's environment, and by the queue's ``${secret:NAME}``. While the
job runs, and after it has failed, everything that can be looked at is looked through.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import subprocess
from pathlib import Path

import pytest

from tests.terminal.terminals import Terminal

# All processes of the machine are looked at: those of the same test beside it have other markers.
TOKEN = secrets.token_hex(8)
MARKERS = {
    "S_FILE": f"marker-of-a-file-{TOKEN}",
    "S_AGENT": f"marker-of-the-agent-{TOKEN}",
    "P_AGENT": f"marker-passed-on-{TOKEN}",
    "S_QUEUE": f"marker-of-the-queue-{TOKEN}",
}
OF_FILES = ("S_FILE", "S_QUEUE")
BYTES = [value.encode() for value in MARKERS.values()]
FLAGS = ("--secret", "S_FILE", "--secret", "S_AGENT", "--pass-env", "P_AGENT")
CONFIG = '{"env": {"S_QUEUE": "${secret:TEAM}"}%s}'
SCRIPT = """\
for name in S_FILE S_AGENT P_AGENT S_QUEUE; do
  eval "value=\\$$name"
  printf '%s %s\\n' "$name" "$(printf %s "$value" | sha256sum | cut -c1-64)"
done
while [ ! -e "$LAUNCH_TUI_RUN_DIR/go" ]; do sleep 0.05; done
exit 3
"""


@pytest.fixture
def planted(world, monkeypatch):
    """An agent that has two of the markers, and a folder of secrets that has the others."""
    for name in ("S_AGENT", "P_AGENT"):
        monkeypatch.setenv(name, MARKERS[name])
    folder = world.home / "secrets"
    folder.mkdir(mode=0o700)
    for name, key in (("S_FILE", "S_FILE"), ("TEAM", "S_QUEUE")):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(MARKERS[key] + "\n")
    words = ("--tracking", "optional")
    world.ok("queue", "create", "local", "-r", "process", *words, "-c", CONFIG % "")
    world.agent()
    for name in ("S_AGENT", "P_AGENT"):
        monkeypatch.delenv(name)
    return world


@pytest.fixture
def script(folder):
    (folder / "job.sh").write_text(SCRIPT)
    return folder


def of_code(world, folder):
    world.ok("job", "create", "code", ".", "-n", "kept", "--venv", "none", "-E", "sh job.sh")
    return world.launch("kept", *FLAGS, queue="local")


def committed(folder):
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=folder, check=True
        )
    return folder


def of_git(world, folder):
    words = ("-n", "kept", "--venv", "none", "-E", "sh job.sh")
    world.ok("job", "create", "git", committed(folder), *words)
    return world.launch("kept", *FLAGS, queue="local")


def in_place(world, folder):
    return world.launch(*FLAGS, "--in-place", "--", "sh", "job.sh", queue="local")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("make", [of_code, of_git, in_place])
def test_a_process_leaves_no_marker_anywhere(planted, script, make):
    run = make(planted, script)
    look_through(planted, run)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["image", "code", "git"])
def test_a_container_leaves_no_marker_anywhere(planted, script, docker_engine, wandb_image, kind):
    words = ("--tracking", "optional", "-c", CONFIG % ', "pull": "missing"')
    planted.ok("queue", "create", "box", "-r", "docker", *words)
    if kind == "image":
        command = ("-d", wandb_image, *FLAGS, "--", "sh", "-c", SCRIPT)
        run = planted.launch(*command, queue="box")
    else:
        place = ("git", committed(script)) if kind == "git" else ("code", ".")
        made = ("-n", "boxed", "-B", wandb_image, "-E", "sh job.sh")
        planted.ok("job", "create", *place, *made)
        run = planted.launch("boxed", *FLAGS, queue="box")
    look_through(planted, run, container=True)
    assert_not_in_image(planted.show(run)["image"])


def look_through(world, run, *, container=False):
    """Look everywhere while the job runs, let it fail, and look again."""
    world.until(run, "running", "failed", timeout=100)
    told = world.wait_until(lambda: world.log(run).count("\n") >= 4 and world.log(run), what="log")
    for name, value in MARKERS.items():
        assert f"{name} {hashlib.sha256(value.encode()).hexdigest()}" in told
    assert_not_in_processes(world, run, container=container)
    assert_not_in_files(world)
    Path(world.show(run)["directory"], "shared", "go").touch()
    ended = world.until(run)
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    assert_not_in_files(world)
    assert_not_in_a_backup(world)
    assert_not_told(world, run)
    assert_not_on_screen(world, run)


def assert_not_in_files(world):
    looked_at = 0
    for path in world.home.rglob("*"):
        if path.is_file() and path.parent != world.home / "secrets":
            data = path.read_bytes()
            looked_at += 1
            assert not [value for value in BYTES if value in data], path
    assert looked_at > 5


def assert_not_in_a_backup(world):
    target = world.tmp_path / "kept.tar"
    world.ok("backup", "--force", target)
    data = target.read_bytes()
    assert run_named(data)
    assert not [value for value in BYTES if value in data]


def run_named(data):
    """Whether it is an archive that can be looked through as it is, with runs in it."""
    return b"SQLite format 3" in data and b"/spec.json" in data


def assert_not_in_processes(world, run, *, container):
    """No command line has one; what came from files only the job's own processes have."""
    variable = b"WANDB_RUN_ID=" + run.encode()
    jobs = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            environ = (folder / "environ").read_bytes()
        except OSError:
            continue
        assert not [value for value in BYTES if value in command], command
        if variable in environ:
            jobs += 1
            assert all(value in environ for value in BYTES)
        else:
            found = [name for name in OF_FILES if MARKERS[name].encode() in environ]
            assert not found, (found, command)
    assert jobs or container


def assert_not_told(world, run):
    for words in (
        ("show", run), ("show", run, "--json"), ("events", run), ("why", run), ("runs", "--json"),
        ("logs", run), ("logs", run, "--build"), ("files", run), ("doctor",), ("queue", "list"),
        ("rerun", run, "--json"),
    ):  # fmt: skip
        result = world.lt(*words)
        assert not [v for v in MARKERS.values() if v in result.out + result.err], words
    world.ok("cancel", "@") if world.show("@")["state"] in ("queued", "held") else None
    log = b"".join(path.read_bytes() for path in world.tmp_path.glob("agent-*.log"))
    assert log
    assert not [value for value in BYTES if value in log]


def assert_not_on_screen(world, run):
    """The home screen, the run with each of its pages, and the form of its rerun."""
    ui = Terminal(home=world.home)
    try:
        ui.wait_for(run)
        for keys in ("\r", "]", "]", "]", "]", "r"):
            seen = len(ui.raw)
            ui.press(keys)
            world.wait_until(lambda at=seen: len(ui.raw) > at, what=f"an answer to {keys!r}")
        assert not [value for value in MARKERS.values() if value in ui.text]
    finally:
        ui.end()


def assert_not_in_image(image):
    saved = subprocess.run(("docker", "save", image), capture_output=True, check=True).stdout
    history = subprocess.run(
        ("docker", "history", "--no-trunc", image), capture_output=True, check=True
    ).stdout
    assert len(saved) > 1_000
    assert not [value for value in BYTES if value in saved + history]


def test_the_failure_of_a_missing_secret_names_it_and_no_value(planted, script):
    run = planted.launch("--secret", "NOBODY_HAS", *FLAGS, "--in-place", "--", "true",
                         queue="local")  # fmt: skip
    ended = planted.until(run)
    assert (ended["state"], ended["phase"]) == ("failed", "start")
    assert re.search(r"--secret NOBODY_HAS: neither .* nor a keyring has it", ended["cause"])
    assert_not_in_files(planted)


def test_no_marker_is_in_this_process():
    """The test must not find what it planted itself."""
    assert not [value for value in MARKERS.values() if value in os.environ.values()]
