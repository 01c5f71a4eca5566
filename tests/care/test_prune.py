"""What pruning removes, and what it never does."""

from __future__ import annotations

import os
import shutil
import threading
import time

import pytest

from launch_tui.builders.environments import EnvironmentStore
from launch_tui.care.prune import GRACE_S, prune
from launch_tui.domain.run import RunState
from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.sdk.jobs import JobRequest
from launch_tui.store import artifacts, write
from launch_tui.store.artifacts import ArtifactStore
from tests.faults.world import wait_until

DAY_S = 86400.0


def kinds(done):
    return {freed.kind: freed.count for freed in done.kinds}


def age(*paths, by=2 * GRACE_S):
    """Make files look as if they were last changed so many seconds ago."""
    for path in paths:
        past = path.stat().st_mtime - by
        os.utime(path, (past, past))


def manifests(home):
    return list((home / "artifacts" / "manifests").glob("??/*.json"))


def blobs(home):
    return list((home / "artifacts" / "blobs").glob("??/*"))


def caches(home):
    return list((home / "repos").glob("*.git"))


def age_caches(home):
    for path in (home / "repos").iterdir():
        age(path)


def request(**more):
    return LaunchRequest(**{"in_place": "/", "entry_point": ("true",), "queue": "default", **more})


def end(sdk, run, state=RunState.FINISHED, *, days=0.0):
    """Settle a run that no agent has seen, so many days ago."""
    from launch_tui.store.clock import iso

    write.settle(
        sdk.db, run, RunState.QUEUED, RunState.STOPPED, owner=None, actor="test", changes={}
    )
    at = iso(time.time() - days * DAY_S)
    sdk.db.execute("UPDATE runs SET state = ?, ended_at = ? WHERE id = ?", (state, at, run))


def test_old_runs_go_with_all_that_is_theirs(ended):
    with Launch(ended.home) as sdk:
        plan = prune(sdk.db, 0.0, dry_run=True)
        assert sorted(plan.runs) == sorted([ended.code, ended.git])
        assert sdk.runs.count() == 2
        done = prune(sdk.db, 0.0)
        assert done.runs == plan.runs
        assert kinds(done)["runs"] == 2
        assert sdk.runs.count() == 0
        assert sdk.db.one("SELECT count(*) FROM events WHERE run_id IS NOT NULL")[0] == 0
        assert list(sdk.home.runs.iterdir()) == []
        assert done.size == plan.size > 0
        # Both jobs are there, and all that their versions need.
        assert len(sdk.jobs.list()) == 2
        assert len(manifests(ended.home)) == len(caches(ended.home)) == 1


def test_a_dry_run_and_a_younger_run_change_nothing(ended):
    def everything():
        return sorted(
            (str(path), path.stat().st_mtime_ns)
            for path in ended.home.rglob("*")
            if path.is_file() and "launch.db" not in path.name and path.name != "keep.lock"
        )

    before = everything()
    with Launch(ended.home) as sdk:
        assert prune(sdk.db, 0.0, dry_run=True).runs != []
        assert everything() == before
        assert prune(sdk.db, 30 * DAY_S).runs == []
        assert everything() == before


def test_what_runs_wait_for_and_what_failed_may_stay(sdk):
    ids = [made.id for made in sdk.launch_many([request()] * 5)]
    good, failed, awaited, told, young = ids
    waiter = sdk.launch(request(after=(awaited,))).id
    end(sdk, good, days=40)
    end(sdk, failed, RunState.FAILED, days=40)
    end(sdk, young, days=1)
    end(sdk, told, days=40)
    sdk.db.execute(
        "UPDATE runs SET state = 'finished', ended_at = '2020-01-01T00:00:00Z' WHERE id = ?",
        (awaited,),
    )
    sdk.db.execute(
        "INSERT INTO outbox (subscriber, run_id, attempt, state, created_at)"
        " VALUES ('s', ?, 1, 'finished', '')",
        (told,),
    )
    done = prune(sdk.db, 30 * DAY_S, keep_failed=True)
    assert (done.runs, done.needed) == ([good], 2)
    assert prune(sdk.db, 30 * DAY_S).runs == [failed]
    assert {run.id for run in sdk.runs.list()} == {awaited, told, young, waiter}


def test_an_artifact_goes_when_no_job_and_no_run_needs_it(ended):
    with Launch(ended.home) as sdk:
        name = sdk.runs.get(ended.code).job
        sdk.jobs.delete(name)
        age(*manifests(ended.home))
        prune(sdk.db, 30 * DAY_S)
        assert len(manifests(ended.home)) == 1, "the run that stays can be launched again"
        done = prune(sdk.db, 0.0)
        assert kinds(done)["artifacts"] == 1
        assert manifests(ended.home) == blobs(ended.home) == []


def test_an_artifact_whose_job_is_just_being_created_stays(ended):
    with Launch(ended.home) as sdk:
        sdk.jobs.delete(sdk.runs.get(ended.code).job)
        prune(sdk.db, 0.0)
        assert len(manifests(ended.home)) == 1


def test_a_rerun_at_the_same_time_keeps_its_files(ended):
    """Whichever comes first: the run that is launched again finds its artifact."""
    with Launch(ended.home) as sdk:
        sdk.jobs.delete(sdk.runs.get(ended.code).job)
    age(*manifests(ended.home))
    started, made = threading.Event(), []

    def again():
        with Launch(ended.home) as other:
            run = other.runs.get(ended.code)
            started.set()
            made.append(other._launcher.rerun(run, None))

    with Launch(ended.home) as sdk:
        asked = artifacts.ArtifactStore.delete_unreferenced

        def late(self, keep, **how):
            thread = threading.Thread(target=again)
            thread.start()
            started.wait(10)
            thread.join(10)
            return asked(self, keep, **how)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(artifacts.ArtifactStore, "delete_unreferenced", late)
            prune(sdk.db, 30 * DAY_S)
        spec = sdk.runs.spec(made[0].id)
        assert ArtifactStore(sdk.home.artifacts).has(spec.source.digest)


def test_a_snapshot_after_a_prune_has_all_its_files(ended):
    """What is remembered of a folder names contents that are gone: they are stored again."""
    with Launch(ended.home) as sdk:
        sdk.jobs.delete(sdk.runs.get(ended.code).job)
        age(*manifests(ended.home))
        prune(sdk.db, 0.0)
        assert blobs(ended.home) == []
        created = sdk.jobs.create(
            JobRequest(kind="code", place=str(ended.folder), entry_point="python job.py")
        )
        copy = ended.root / "copy"
        ArtifactStore(sdk.home.artifacts).checkout(created.job.source.digest, copy)
        assert (copy / "job.py").read_text() == (ended.folder / "job.py").read_text()


def test_a_git_cache_goes_when_no_job_and_no_run_needs_it(ended):
    with Launch(ended.home) as sdk:
        sdk.jobs.delete(sdk.runs.get(ended.git).job)
        age_caches(ended.home)
        prune(sdk.db, 30 * DAY_S)
        assert len(caches(ended.home)) == 1
        done = prune(sdk.db, 0.0)
        assert kinds(done)["git caches"] == 1
        assert caches(ended.home) == []


def test_a_git_cache_that_was_used_just_now_stays(ended):
    with Launch(ended.home) as sdk:
        sdk.jobs.delete(sdk.runs.get(ended.git).job)
        assert "git caches" not in kinds(prune(sdk.db, 0.0))


def test_a_working_copy_goes_but_for_what_the_job_wrote(ended):
    with Launch(ended.home) as sdk:
        for run in (ended.code, ended.git):
            copy = sdk.home.attempt(run, 1) / "source"
            (copy / "out").mkdir()
            (copy / "out" / "model.pt").write_text("weights")
            (copy / "probe.py").write_text("# changed")
        sdk.db.execute("UPDATE runs SET ended_at = '2020-01-01T00:00:00Z'")
        held = prune(sdk.db, 10_000 * DAY_S, dry_run=True)
        done = prune(sdk.db, 10_000 * DAY_S)
        assert kinds(done) == {"working copies": 2}
        assert done.size == held.size > 0
        for run in (ended.code, ended.git):
            copy = sdk.home.attempt(run, 1) / "source"
            left = sorted(str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file())
            assert [name for name in left if "__pycache__" not in name] == [
                "out/model.pt",
                "probe.py",
            ]
            assert sdk.home.attempt(run, 1).joinpath("output.log").stat().st_size > 0
        assert prune(sdk.db, 10_000 * DAY_S).kinds == []


def test_commits_of_a_job_stay(ended):
    import subprocess

    copy = ended.home / "runs" / ended.git / "1" / "source"
    (copy / "new").write_text("result")
    git = ("git", "-C", copy, "-c", "user.name=j", "-c", "user.email=j@j")
    subprocess.run([*git, "add", "new"], check=True)
    subprocess.run([*git, "commit", "-qm", "result"], check=True)
    with Launch(ended.home) as sdk:
        sdk.db.execute("UPDATE runs SET ended_at = '2020-01-01T00:00:00Z'")
        prune(sdk.db, 10_000 * DAY_S)
    shown = subprocess.run([*git, "show", "HEAD:new"], check=True, capture_output=True)
    assert shown.stdout == b"result"


def test_the_working_copy_of_a_run_at_work_stays(world):
    run = world.launch("-q", "default", "--setenv", f"MARKS={world.marks}", "--", "sleep", "30")
    agent = world.start_agent()
    world.wait_for_state(run, "running")
    with Launch(world.home) as sdk:
        done = prune(sdk.db, 0.0)
        assert done.runs == []
        assert "working copies" not in kinds(done)
        assert (sdk.home.attempt(run, 1) / "source" / "job.py").exists()
        sdk.runs.stop(run, now=True)
    wait_until(world.all_ended, "the end of the run")
    agent.terminate()
    agent.wait(timeout=20)


def test_directories_whose_rows_are_lost_stay(ended):
    """They are all that is left when a store was lost; only what a prune forgot goes."""
    stray = ended.home / "runs" / "nobody12"
    shutil.copytree(ended.home / "runs" / ended.code, stray, symlinks=True)
    (ended.home / "pruning.json").write_text('["../../x", ".", "", 3, null]')
    with Launch(ended.home) as sdk:
        done = prune(sdk.db, 30 * DAY_S)
        assert (kinds(done), len(done.notes)) == ({}, 1)
        assert stray.exists()
        (ended.home / "pruning.json").write_text(f'["nobody12", "{ended.git}"]')
        assert kinds(prune(sdk.db, 30 * DAY_S)) == {"directories of runs that are forgotten": 1}
        assert not stray.exists()
        assert sdk.runs.count() == 2
        assert sdk.home.run(ended.git).exists()


def test_after_the_loss_of_a_store_all_that_it_knew_stays(ended):
    for path in ended.home.glob("launch.db*"):
        path.unlink()
    age(*manifests(ended.home))
    age_caches(ended.home)
    with Launch(ended.home) as sdk:
        done = prune(sdk.db, 0.0)
        assert "2 directories in runs/ belong to no run" in done.notes[0]
        assert len(list(sdk.home.runs.iterdir())) == 2
    assert len(manifests(ended.home)) == len(caches(ended.home)) == 1
    assert blobs(ended.home) != []


def test_environments_and_contexts_that_nothing_uses_go(sdk):
    store = EnvironmentStore(sdk.home.environments)
    (store.path("half") / "bin").mkdir(parents=True)
    context = sdk.home.images / "key.context"
    context.mkdir(parents=True)
    (context / "Dockerfile").write_text("FROM scratch\n")
    age(context)
    done = prune(sdk.db, 0.0)
    assert kinds(done) == {"environments": 1, "build contexts": 1}
    assert not context.exists()


def test_a_damaged_manifest_leaves_all_artifacts_as_they_are(ended):
    with Launch(ended.home) as sdk:
        (path,) = manifests(ended.home)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-10])
        count = len(blobs(ended.home))
        done = prune(sdk.db, 0.0)
        assert "damaged" in done.notes[0]
        assert len(blobs(ended.home)) == count
        assert done.runs != []


def test_ten_thousand_runs_are_forgotten_in_batches(sdk):
    ids = [made.id for made in sdk.launch_many([request()] * 2500)]
    sdk.db.execute("UPDATE runs SET state = 'finished', ended_at = '2020-01-01T00:00:00Z'")
    for run in ids[::50]:
        sdk.home.run(run).mkdir()
    done = prune(sdk.db, DAY_S)
    assert len(done.runs) == 2500
    assert list(sdk.home.runs.iterdir()) == []
    assert sdk.db.one("SELECT sum(runs) FROM queue_counts")[0] == 0
