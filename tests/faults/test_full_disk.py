"""A disk that is full stops new work with a reason, ends nothing, and all goes on with space.

The data directory is on a small tmpfs of its own; what jobs mark lies elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import zipfile

import pytest

from tests.faults.world import LINES, wait_until

SIZE = "48m"
PROJECT = "big-1.0"


@pytest.fixture
def disk(tmp_path):
    """A small disk; the launch_tui of this test lives there."""
    folder = tmp_path / "disk"
    folder.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    mount = [*as_root, "mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=777", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, check=False, capture_output=True)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode:
        pytest.skip("needs the right to mount a small tmpfs (root, or sudo without a password)")
    yield folder
    subprocess.run([*as_root, "umount", "-l", str(folder)], check=True)


@pytest.fixture
def small(world, disk):
    world.home = disk / "home"
    world.queue("q")
    return world


def fill(disk, leaving=0):
    """Use up all space but so many bytes."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (1 << 20, 65536, 4096, 1):
            with contextlib.suppress(OSError):
                while os.statvfs(disk).f_bavail * 4096 > leaving and file.write(b"x" * size):
                    pass


def free(disk):
    (disk / "filler").unlink()


def gated(world, code, text=""):
    gate = world.root / "gate"
    wait = f"while ! [ -e {gate} ]; do sleep 0.02; done; {text} exit {code}"
    return world.launch_here("q", "sh", "-c", wait)


def test_enqueueing_fails_with_the_reason_and_leaves_nothing_half(small, disk):
    kept = [small.launch_here("q", "true")]
    fill(disk)
    refused = 0
    while refused < 3:
        note = "n" * 30_000
        words = ("launch", "--json", "--in-place", "-q", "q", "--note", note, "--", "true")
        done = small.cli(*words)
        if done.returncode == 0:
            # The write-ahead log had room for it: then it is there.
            kept.append(json.loads(done.stdout)["id"])
            continue
        refused += 1
        assert done.returncode == 1
        assert b"no space left" in done.stderr
        assert b"Traceback" not in done.stderr
    free(disk)
    assert list(small.rows()) == kept
    assert small.select("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    small.start_agent()
    wait_until(small.all_ended, "what was acknowledged runs")
    assert {row["state"] for row in small.rows().values()} == {"finished"}


def test_a_snapshot_fails_with_the_reason_and_leaves_nothing_half(small, disk):
    (small.folder / "data.bin").write_bytes(os.urandom(8 << 20))
    fill(disk, leaving=2 << 20)
    done = small.cli("launch", "-q", "q", "--", "python", "job.py")
    assert (done.returncode, b"no space left" in done.stderr) == (1, True), done.stderr
    assert small.rows() == {}
    assert not [
        path for path in small.home.rglob("*") if path.is_file() and path.stat().st_size > 1 << 20
    ]
    free(disk)
    run = small.launch("-q", "q", "--setenv", f"MARKS={small.marks}", "--", "python", "job.py")
    small.start_agent()
    wait_until(small.all_ended, "it runs")
    assert small.rows()[run]["state"] == "finished"


def test_what_runs_goes_on_and_what_waits_waits(small, disk):
    agent = small.start_agent()
    run = gated(small, 7, text="echo said on a full disk;")
    behind = [small.launch_here("q", "true") for _ in range(3)]
    small.wait_for_state(run, "running")
    fill(disk)
    (small.root / "gate").touch()
    wait_until((small.attempt(run) / "exit").exists, "the supervisor had kept room for the outcome")
    wait_until(lambda: "claiming nothing" in small.said() or "waits" in small.said(), "it says so")
    assert agent.poll() is None
    assert {small.rows()[name]["state"] for name in behind} == {"queued"}
    free(disk)
    wait_until(small.all_ended, "all ended once there was space")
    assert (small.rows()[run]["state"], small.rows()[run]["exit_code"]) == ("failed", 7)
    assert {small.rows()[name]["state"] for name in behind} == {"finished"}
    assert agent.poll() is None


def test_metrics_wait_for_space_and_an_agent_starts_without_any(small, disk):
    words = ("--setenv", f"MARKS={small.marks}", "--setenv", "CODE=3", "--", "python", "job.py")
    run = small.launch("-q", "q", *words)
    agent = small.start_agent("start.answered")
    agent.wait(30)
    wait_until((small.attempt(run) / "exit").exists, "the job ended without an agent")
    assert not (small.home / "runs" / run / "metrics.db").exists()
    fill(disk)
    agent = small.start_agent()
    wait_until(lambda: "no space left" in small.said(), "it says so")
    assert agent.poll() is None
    assert small.rows()[run]["state"] in ("starting", "running")
    free(disk)
    wait_until(small.all_ended, "it is settled once there was space")
    assert (small.rows()[run]["state"], small.rows()[run]["exit_code"]) == ("failed", 3)
    assert small.steps(run) == list(range(LINES))


def wheel(folder, megabytes):
    """Write a wheel that is as big as that when it is installed."""
    name = f"{PROJECT}-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: big\nVersion: 1.0\n"
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as file:
        for part in range(megabytes):
            file.writestr(f"big/{part}.bin", bytes(1 << 20))
        file.writestr(f"{PROJECT}.dist-info/METADATA", metadata)
        file.writestr(f"{PROJECT}.dist-info/WHEEL", tag)
        file.writestr(f"{PROJECT}.dist-info/RECORD", "")
    return name


def test_a_build_fails_with_the_reason_and_succeeds_later(small, disk):
    (small.folder / "requirements.txt").write_text(f"./{wheel(small.folder, 24)}\n")
    fill(disk, leaving=16 << 20)
    words = ("-q", "q", "--setenv", f"MARKS={small.marks}", "--", "python", "job.py")
    run = small.launch(*words)
    agent = small.start_agent()
    wait_until(small.all_ended, "it ended")
    row = small.rows()[run]
    assert (row["state"], row["phase"]) == ("failed", "build"), row
    assert "no space left" in row["cause"]
    assert agent.poll() is None
    free(disk)
    again = small.launch(*words)
    wait_until(small.all_ended, "it is built")
    assert small.rows()[again]["state"] == "finished", small.rows()[again]
