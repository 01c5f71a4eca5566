"""Keeping months of training: backup under load, restore elsewhere, and making room."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND, ENDED
from tests.tracking import encoding

LINES = 20
LAUNCHERS = 3
JOB = f"""\
import os, sys
from pathlib import Path
import encoding

run = os.environ["LAUNCH_TUI_RUN_ID"]
folder = Path(os.environ["WANDB_DIR"], "wandb", "offline-run-20260101_000000-" + run)
folder.mkdir(parents=True)
written = bytearray(encoding.MAGIC)
with open(folder / ("run-" + run + ".wandb"), "wb", buffering=0) as file:
    file.write(written)

    def tell(record):
        before = len(written)
        encoding.append(written, record)
        file.write(written[before:])

    tell(encoding.run(run))
    for number in range({LINES}):
        print("line", number, run, flush=True)
        tell(encoding.history(number, {{"loss": 1 / (number + 1)}}))
    tell(encoding.exit_record(0))
Path(os.environ["LAUNCH_TUI_RUN_DIR"], "model.pt").write_text(run)
Path("beside.txt").write_text(run)
"""


@pytest.fixture
def proj(folder):
    (folder / "train.py").write_text(JOB)
    (folder / "encoding.py").write_text(Path(encoding.__file__).read_text())
    (folder / "requirements.txt").write_text("")
    return folder


class Load:
    """Launchers that enqueue run after run until they are told to stop."""

    def __init__(self, world, count):
        self.acknowledged = []
        self._world = world
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._launch, args=(n,)) for n in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _launch(self, number):
        while not self._over.is_set():
            made = self._world.lt("launch", "proj", "-q", "q", f"who={number}", "--json")
            assert made.status == 0, made
            self.acknowledged.append(made.json["id"])


def fsck_finds_nothing(world, home):
    """Ask ``fsck`` as well."""
    told = world.lt("--home", home, "fsck")
    assert told.status == 0, told


def test_a_backup_under_load_restores_to_a_whole_store(running, proj, tmp_path):
    world = running
    world.ok("job", "create", "code", proj, "-E", f"{sys.executable} train.py", "--venv", "none")
    world.ok("launch", "proj", "-q", "q")
    target, home = tmp_path / "b.tar.gz", tmp_path / "elsewhere"
    with Load(world, LAUNCHERS) as load:
        world.wait_until(lambda: len(load.acknowledged) > 8, timeout=60, what="some runs")
        before = list(load.acknowledged)
        taken = world.ok("backup", target, "--json").json
        count = len(load.acknowledged)
        world.wait_until(lambda: len(load.acknowledged) > count, what="more runs")
    assert taken["runs"] >= len(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    done = world.ok("restore", "--home", home, target, "--json").json

    def there(*words):
        return world.ok("--home", home, *words)

    runs = there("runs", "--json", "-n", "1000").json
    assert len(runs) == taken["runs"] == done["runs"]
    assert set(before) <= {run["id"] for run in runs}
    finished = [run for run in runs if run["state"] == "finished"]
    assert finished
    for run in runs:
        assert run["state"] in ENDED | {"queued"}
        if run["state"] != "finished":
            continue
        now = world.show(run["id"])
        assert now.pop("outputs") == []
        assert {**run, "directory": ""} == {**now, "directory": ""}
        assert there("logs", run["id"]).out == world.log(run["id"])
        assert there("logs", run["id"]).out.count("\n") == LINES
        for what in (("metrics", "--json"), ("files",)):
            verb, *flags = what
            told = there(verb, run["id"], *flags).out
            if verb == "metrics":
                assert told == world.ok(verb, run["id"], *flags).out
                assert len(json.loads(told)["loss"]) == LINES
        assert there("cp", f"{run['id']}:shared/model.pt", "-").out == run["id"]
        assert there("cp", f"{run['id']}:1/source/beside.txt", "-").out == run["id"]
    for run in runs:
        if run["state"] == "lost":
            assert "restored from a backup" in run["cause"]
    fsck_finds_nothing(world, home)

    # And it works: the artifact is whole, without the folder that it came from.
    proj.rename(tmp_path / "gone")
    os.chdir(tmp_path)
    paused = there("queue", "show", "q", "--json").json["paused"]
    assert paused == any(run["state"] == "queued" for run in runs)
    if paused:
        there("queue", "resume", "q")
    agent = subprocess.Popen(
        [*COMMAND, "--home", home, "--agent-only"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    world.children.append(agent)
    again = there("rerun", finished[0]["id"], "--json").json["id"]

    def over():
        return there("show", again, "--json").json["state"] in ENDED

    world.wait_until(over, timeout=60, what="the end of a run in the restored store")
    assert there("show", again, "--json").json["state"] == "finished"


def test_a_backup_through_a_pipe(running, tmp_path):
    run = running.shell("echo hello")
    running.until(run, "finished")
    taken = subprocess.run([*COMMAND, "backup", "-"], capture_output=True, check=True)
    assert b"1 runs" in taken.stderr
    home = tmp_path / "elsewhere"
    words = [*COMMAND, "restore", "--home", str(home), "-"]
    subprocess.run(words, input=taken.stdout, capture_output=True, check=True)
    assert running.ok("--home", home, "logs", run).out == "hello\n"
    cut = subprocess.run(
        [*COMMAND, "restore", "--home", str(tmp_path / "cut"), "-"],
        input=taken.stdout[:-100],
        capture_output=True,
        text=False,
    )
    assert cut.returncode == 2
    assert cut.stderr.count(b"\n") == 1
    assert b"ends early" in cut.stderr
    assert not (tmp_path / "cut").exists()


def test_refusals_are_one_line(world, tmp_path):
    world.ok("backup", tmp_path / "b.tar.gz")
    evil = tmp_path / "evil.tar"
    with tarfile.open(tmp_path / "b.tar.gz") as good, tarfile.open(evil, "w") as bad:
        for member in good:
            if member.name == "manifest.jsonl":
                escape = tarfile.TarInfo("../escaped")
                escape.size = 4
                bad.addfile(escape, io.BytesIO(b"evil"))
            bad.addfile(member, good.extractfile(member))
    for words, why in (
        (("backup", tmp_path / "b.tar.gz"), "is there already"),
        (("backup", world.home / "b.tar.gz"), "in the data directory itself"),
        (("backup", "-", "--json"), "cannot stand together with -"),
        (("restore", tmp_path / "b.tar.gz"), "is not empty"),
        (("restore", "--home", tmp_path / "x", tmp_path / "nothing"), "cannot be read"),
        (("restore", "--home", tmp_path / "x", "/dev/zero"), "is no file"),
        (("restore", "--home", tmp_path / "x", tmp_path), "is no file"),
        (("restore", "--home", tmp_path / "x", COMMAND[0]), "FILE: "),
        (("restore", "--home", tmp_path / "x", evil), "leads out of it"),
        (("prune", "--older-than", "soon"), "is no age"),
    ):
        told = world.lt(*words)
        assert (told.status, told.out, told.err.count("\n")) == (2, "", 1), told
        assert why in told.err
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "escaped").exists()


def test_prune_says_what_goes_and_keeps_what_is_needed(running, tmp_path):
    old = [running.shell("echo x") for _ in range(3)]
    bad = running.shell("exit 3")
    for run in (*old, bad):
        running.until(run)
    running.ok("queue", "pause", "q")
    waiting = running.shell("true", "--after", f"{old[0]}:ok")
    plan = running.ok("prune", "--older-than", "0s", "--keep-failed", "--dry-run", "--json").json
    # What `after` waited for has ended, and still it stays: its run can be asked why it waits.
    assert plan["runs"] == old[1:]
    assert plan["needed"] == 1
    assert len(running.ok("runs", "--json").json) == 5
    done = running.ok("prune", "--older-than", "0s", "--keep-failed", "--json").json
    assert done["runs"] == old[1:]
    assert done["size"] == plan["size"]
    left = {run["id"] for run in running.ok("runs", "--json").json}
    assert left == {old[0], bad, waiting}
    assert not (running.home / "runs" / old[1]).exists()
    running.ok("queue", "resume", "q")
    assert running.until(waiting)["state"] == "finished"


def test_pruning_while_runs_are_launched_loses_nothing(running, proj):
    world = running
    world.ok("job", "create", "code", proj, "-E", f"{sys.executable} train.py", "--venv", "none")
    with Load(world, 2) as load:
        for _ in range(8):
            count = len(load.acknowledged)
            # Contents come and go with each version, while others are launched from.
            (proj / "version.txt").write_text(os.urandom(8).hex())
            made = world.ok("launch", "-u", proj, "-E", f"{sys.executable} train.py", "-q", "q",
                            "--json")  # fmt: skip
            load.acknowledged.append(made.json["id"])
            world.ok("prune", "--older-than", "0s", "--keep-failed")
            world.wait_until(lambda c=count: len(load.acknowledged) > c, what="more runs")

    def bad():
        return [
            r for r in world.ok("runs", "--json", "-n", "1000").json if r["state"] != "finished"
        ]

    world.wait_until(lambda: all(run["state"] in ENDED for run in bad()), 60, "the end of all")
    assert bad() == []


def test_the_agent_shows_and_keeps_the_disk_budget(world, tmp_path):
    (world.home / "agent.yaml").write_text("disk_budget: 50G\n")
    world.agent()

    def space():
        found = world.ok("agent", "status", "--json").json["disk"]
        return found if found["budget"] is not None else None

    found = world.wait_until(space, what="the agent's look at the disk")
    assert found["budget"] == 50 << 30
    assert set(found["kinds"]) == {
        "working copies", "git caches", "environments", "build contexts",
    }  # fmt: skip
    assert 0 < found["free"] <= found["total"]
    assert "of 50G" in world.ok("agent", "status").out
    (check,) = [c for c in world.lt("doctor", "--json").json if c["check"] == "disk budget"]
    assert "of 50G" in check["found"]
    (world.home / "agent.yaml").write_text("disk_budget: much\n")
    world.wait_until(
        lambda: world.ok("agent", "status", "--json").json["problem"], what="a complaint"
    )
    assert "disk_budget" in world.ok("agent", "status", "--json").json["problem"]
