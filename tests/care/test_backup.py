"""What a backup holds, where it may be written, and what comes back of it."""

from __future__ import annotations

import os
import stat
import subprocess
import tarfile

import pytest

from launch_tui.care.backup import take
from launch_tui.care.restore import restore
from launch_tui.errors import LaunchError, UsageError
from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.store.paths import Home
from tests.faults.world import LINES, wait_until


def names(path):
    with tarfile.open(path) as tar:
        return tar.getnames()


def tree(root):
    """Path -> content of all files below a folder."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def restored(path, home, **how):
    with path.open("rb", buffering=0) as file:
        return restore(file, Home(home), **how)


def test_what_comes_back_is_what_was_there(ended, tmp_path):
    run = ended.home / "runs" / ended.code
    copy = run / "1" / "source"
    (copy / "model.pt").write_bytes(b"weights")
    (copy / "job.py").write_text("# changed by the job\n")
    (run / "shared" / "checkpoint").write_bytes(os.urandom(100_000))
    (run / "shared" / "last").symlink_to("checkpoint")
    (run / "shared" / "absolute").symlink_to(run / "shared" / "checkpoint")
    (run / "shared" / "out").symlink_to("/etc/passwd")
    (run / "shared" / "café\udcff").write_text("not UTF-8")
    os.mkfifo(run / "shared" / "pipe")
    target = tmp_path / "b.tar.gz"
    with Launch(ended.home) as launch:
        taken = take(launch.db, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [note for note in taken.notes if "lead out" in note]
    assert taken.runs == 2

    done = restored(target, tmp_path / "new")
    again = tmp_path / "new" / "runs" / ended.code
    assert (done.runs, done.lost, done.paused, done.aside) == (2, (), (), "")
    assert (again / "shared" / "last").readlink() == (run / "shared" / "last").readlink()
    assert (again / "shared" / "absolute").resolve() == again / "shared" / "checkpoint"
    assert not (again / "shared" / "out").is_symlink()
    (run / "shared" / "pipe").unlink()
    before = tree(ended.home / "runs" / ended.code)
    put_there = {name for name in before if name.startswith("1/source/")}
    kept = {"1/source/model.pt", "1/source/job.py"}
    assert tree(again) == {n: d for n, d in before.items() if n not in put_there - kept}
    with Launch(tmp_path / "new") as launch:
        for run_id in (ended.code, ended.git):
            text = launch.runs.log_path(run_id).read_text().splitlines()
            assert text == [f"line {n}" for n in range(LINES)]
    ended.home = tmp_path / "new"
    assert ended.steps(ended.code) == ended.steps(ended.git) == list(range(LINES))


def test_a_restored_store_runs_its_jobs_again(ended, tmp_path, monkeypatch):
    """Artifacts and git caches are whole: both run without folder and repository."""
    target = tmp_path / "b.tar"
    with Launch(ended.home) as launch:
        take(launch.db, target)
    restored(target, tmp_path / "new")
    ended.home = tmp_path / "new"
    ended.folder.rename(tmp_path / "gone")
    ended.repository.rename(tmp_path / "gone too")
    for run in (ended.code, ended.git):
        assert ended.cli("rerun", run, cwd=tmp_path).returncode == 0
    ended.start_agent()
    wait_until(ended.all_ended, "the end of both reruns")
    assert [row["state"] for row in ended.rows().values()] == ["finished"] * 4


def test_git_brings_no_settings_along(ended, tmp_path):
    (cache,) = (ended.home / "repos").glob("*.git")
    subprocess.run(["git", "-C", cache, "config", "core.fsmonitor", "evil"], check=True)
    with Launch(ended.home) as launch:
        take(launch.db, tmp_path / "b.tar")
    restored(tmp_path / "b.tar", tmp_path / "new")
    (again,) = (tmp_path / "new" / "repos").glob("*.git")
    assert "evil" not in (again / "config").read_text()
    subprocess.run(["git", "-C", again, "fsck", "--strict"], check=True, capture_output=True)


def test_what_waits_is_paused_and_what_was_at_work_is_lost(world, tmp_path):
    world.queue("q", "--max-running", "1")
    gate = tmp_path / "gate"
    first = world.probe("q", gate=str(gate))
    second = world.probe("q")
    after = world.probe("q", after=[first])
    held = world.probe("q")
    world.start_agent()
    world.wait_for_state(first, "running")
    with Launch(world.home) as launch:
        launch.runs.hold(held)
        take(launch.db, tmp_path / "b.tar")
    gate.touch()
    done = restored(tmp_path / "b.tar", tmp_path / "new")
    assert (done.lost, done.paused) == ((first,), ("q",))
    with Launch(tmp_path / "new") as launch:
        lost = launch.runs.get(first)
        assert lost.state == "lost"
        assert lost.cause.startswith("restored from a backup that was taken at")
        assert first in lost.next_step
        states = {run: launch.runs.get(run).state for run in (second, after, held)}
        # `after` asked for a good end of the first one, which it can never have here.
        assert states == {second: "queued", after: "stopped", held: "held"}
        assert launch.agents.status().state == "ended"
    again = restored(tmp_path / "b.tar", tmp_path / "other", go_on=True)
    assert again.paused == ()


@pytest.mark.parametrize(
    ("name", "why"),
    [("there", "is there already"), ("nowhere/x", "there is no directory"), ("", "is a directory")],
)
def test_a_backup_is_refused_where_it_cannot_be_written(sdk, tmp_path, name, why):
    (tmp_path / "there").write_text("dear")
    with pytest.raises(UsageError, match=why):
        take(sdk.db, tmp_path / name)
    assert (tmp_path / "there").read_text() == "dear"


def test_a_backup_is_not_written_into_what_it_saves(sdk):
    with pytest.raises(UsageError, match="in the data directory itself"):
        take(sdk.db, sdk.home.root / "runs" / "b.tar")


def test_force_replaces_a_backup(sdk, tmp_path):
    (tmp_path / "b.tar").write_text("old")
    take(sdk.db, tmp_path / "b.tar", force=True)
    assert "launch.db" in names(tmp_path / "b.tar")


def test_patterns_leave_out_files_of_runs_and_nothing_that_a_run_is(ended, tmp_path):
    shared = ended.home / "runs" / ended.code / "shared"
    (shared / "a.ckpt").write_text("large")
    (shared / "deep").mkdir()
    (shared / "deep" / "b.txt").write_text("large")
    with Launch(ended.home) as launch:
        take(launch.db, tmp_path / "b.tar", exclude=("*.ckpt", "shared/deep/*", "metrics.db"))
    found = names(tmp_path / "b.tar")
    assert not [name for name in found if "shared" in name]
    assert f"runs/{ended.code}/metrics.db" in found


@pytest.mark.parametrize("pattern", ["", "[", "a[!]", "a[]", "x[a][b", "\0", "a//b", "./a", "a/"])
def test_patterns_that_could_leave_out_nothing_are_refused(sdk, tmp_path, pattern):
    with pytest.raises(UsageError, match="--exclude"):
        take(sdk.db, tmp_path / "b.tar", exclude=("*.ckpt", pattern))
    assert not list(tmp_path.glob("*.tar"))


@pytest.mark.parametrize("pattern", ["(", "[[]", "[]]", "[!]]*", "*/a[bc]/*", "né", "]", "a b"])
def test_any_name_that_a_file_may_have_is_a_pattern(sdk, tmp_path, pattern):
    assert take(sdk.db, tmp_path / "b.tar", exclude=(pattern,)).path


def test_secrets_stay_where_they_are(sdk, tmp_path):
    (sdk.home.root / "secrets").mkdir()
    (sdk.home.root / "secrets" / "KEY").write_text("marker-of-a-secret")
    taken = take(sdk.db, tmp_path / "b.tar")
    assert b"marker-of-a-secret" not in (tmp_path / "b.tar").read_bytes()
    assert [note for note in taken.notes if note.startswith("secrets/")]


def test_a_directory_in_use_or_not_empty_is_refused(ended, tmp_path):
    with Launch(ended.home) as launch:
        take(launch.db, tmp_path / "b.tar")
    with pytest.raises(UsageError, match="is not empty"):
        restored(tmp_path / "b.tar", ended.home)
    ended.queue("q")
    gate = tmp_path / "gate"
    run = ended.probe("q", gate=str(gate))
    agent = ended.start_agent()
    ended.wait_for_state(run, "running")
    with pytest.raises(UsageError, match="an agent works"):
        restored(tmp_path / "b.tar", ended.home, replace=True)
    agent.terminate()
    agent.wait(timeout=20)
    with pytest.raises(UsageError, match=f"1 runs are at work.*{run}"):
        restored(tmp_path / "b.tar", ended.home, replace=True)
    gate.touch()


def test_replace_moves_the_old_directory_aside(ended, tmp_path):
    with Launch(ended.home) as launch:
        take(launch.db, tmp_path / "b.tar")
        launch.runs.delete(ended.code)
    done = restored(tmp_path / "b.tar", ended.home, replace=True)
    with Launch(ended.home) as launch, Launch(done.aside) as old:
        assert (launch.runs.count(), old.runs.count()) == (2, 1)


def test_a_damaged_store_can_be_replaced(ended, tmp_path):
    with Launch(ended.home) as launch:
        take(launch.db, tmp_path / "b.tar")
    (ended.home / "launch.db").write_bytes(b"rubbish" * 1000)
    done = restored(tmp_path / "b.tar", ended.home, replace=True)
    assert done.runs == 2


def test_a_store_of_an_old_version_is_migrated(tmp_path):
    from pathlib import Path

    from tests.care.test_hostile_archives import SAID, archive, entry

    old = Path(__file__).parent.parent / "fixtures" / "store-v1" / "launch.db"
    (tmp_path / "b").write_bytes(archive(entry("launch.db", old.read_bytes())))
    done = restored(tmp_path / "b", tmp_path / "new")
    assert done.runs > 0
    assert SAID["schema"] > 1
    with Launch(tmp_path / "new") as launch:
        assert len(launch.runs.list()) == done.runs
        assert launch.db.one("PRAGMA journal_mode")[0] == "wal"


def test_what_is_deleted_meanwhile_is_in_no_part_of_it(ended, tmp_path, monkeypatch):
    from launch_tui.care import backup
    from launch_tui.store import retention

    asked = retention.known

    def deleted_by_then(db, ids):
        with Launch(ended.home) as launch:
            launch.runs.delete(ended.code)
        return asked(db, ids)

    with Launch(ended.home) as launch:
        monkeypatch.setattr(backup.retention, "known", deleted_by_then)
        taken = take(launch.db, tmp_path / "b.tar")
        monkeypatch.undo()
    assert taken.runs == 1
    done = restored(tmp_path / "b.tar", tmp_path / "new")
    assert (done.runs, done.dropped) == (1, 1)
    assert [path.name for path in (tmp_path / "new" / "runs").iterdir()] == [ended.git]


def test_nothing_is_removed_during_a_backup(sdk):
    from launch_tui.care.keeping import copying
    from launch_tui.care.prune import prune

    sdk.launch_many([LaunchRequest(in_place=".", entry_point=("true",), queue="default")])
    with copying(sdk.home):
        with copying(sdk.home):
            pass
        with pytest.raises(LaunchError, match="a backup is being taken"):
            prune(sdk.db, 0.0)
    prune(sdk.db, 0.0)
