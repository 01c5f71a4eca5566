"""submitit with ``cluster="launch_tui"``: the real package, a real agent, real jobs."""

from __future__ import annotations

import os
import pickle
import re
import sys
import time
from pathlib import Path

import pytest
import submitit
from submitit.core import plugins

from launch_tui import Launch, UsageError
from launch_tui.integrations.submitit import LaunchTuiExecutor, LaunchTuiJob


@pytest.fixture
def executor(running, tmp_path, monkeypatch):
    """submitit's own door to the queue ``q`` of an agent that runs."""
    monkeypatch.setenv("LAUNCH_TUI_QUEUE", "q")
    monkeypatch.chdir(tmp_path)
    return submitit.AutoExecutor(folder=tmp_path / "logs" / "%j", cluster="launch_tui")


def add(a, b):
    sys.stdout.write(f"adding {a} {b}\n")
    return a + b


def fail(what):
    raise ValueError(what)


def environment():
    job = submitit.JobEnvironment()
    return job.cluster, job.job_id, job.num_tasks, job.global_rank, os.getcwd(), os.environ.get("A")


def rank(fails=None):
    job = submitit.JobEnvironment()
    sys.stdout.write(f"rank {job.global_rank}\n")
    if fails == job.global_rank:
        raise ValueError(f"rank {fails}")
    if fails is not None:
        time.sleep(60)
    return job.global_rank, job.num_tasks


def overlap(folder, seconds):
    """Say how many of these were under way at once, as one of them saw it."""
    mine = Path(folder, str(os.getpid()))
    mine.touch()
    time.sleep(seconds)
    seen = len(list(Path(folder).iterdir()))
    mine.unlink()
    return seen


class Counts:
    """Counts as far as it is let, and goes on where it was after a checkpoint."""

    def __init__(self, goal, file):
        self.goal, self.file, self.done = goal, file, 0

    def __call__(self):
        began = self.done
        while self.done < self.goal:
            self.done += 1
            if submitit.JobEnvironment().global_rank == 0:
                Path(self.file).write_text(str(self.done))
            while self.done == 2 and not Path(f"{self.file}.go-on").exists():
                time.sleep(0.01)
        return began, self.done

    def checkpoint(self):
        Path(f"{self.file}.go-on").touch()
        return submitit.helpers.DelayedSubmission(self)


def test_the_cluster_is_known_by_its_name():
    assert plugins.get_executors()["launch_tui"] is LaunchTuiExecutor
    assert "launch_tui" in plugins.get_job_environments()
    assert submitit.AutoExecutor.which() != "launch_tui"


def test_a_function_gives_its_result(executor):
    job = executor.submit(add, 2, b=3)
    assert isinstance(job, LaunchTuiJob)
    assert job.result() == 5
    assert job.results() == [5]
    assert job.exception() is None
    assert (job.done(), job.state) == (True, "COMPLETED")
    assert "adding 2 3" in job.stdout()
    assert job.submission().args == (2,)


def test_an_exception_comes_back(executor):
    job = executor.submit(fail, "no such luck")
    with pytest.raises(submitit.core.utils.FailedJobError, match="no such luck"):
        job.result()
    assert "ValueError: no such luck" in str(job.exception())
    assert job.state == "FAILED"


def test_a_job_that_leaves_no_result_tells_why(executor):
    job = executor.submit(os._exit, 7)
    error = job.exception()
    assert isinstance(error, submitit.core.utils.UncompletedJobError)
    assert re.search(rf"job {job.job_id} left no result: failed\. .*7", str(error))


def test_a_job_knows_where_it_is(executor, tmp_path):
    executor.update_parameters(name="named", timeout_min=10)
    job = executor.submit(environment)
    assert job.result() == ("launch_tui", job.job_id, 1, 0, str(tmp_path), None)
    assert job.run.info.name == "named"
    assert job.get_info()["Queue"] == "q"


def test_an_array_is_one_group_within_the_limit_of_its_queue(executor, world, tmp_path):
    world.ok("queue", "update", "q", "--max-running", "2")
    folder = tmp_path / "under-way"
    folder.mkdir()
    jobs = executor.map_array(overlap, [folder] * 5, [0.3] * 5)
    seen = [job.result() for job in jobs]
    assert max(seen) == 2
    (group,) = {job.run.info.group for job in jobs}
    listed = world.ok("runs", "--group", group, "--json").json
    assert [run["id"] for run in reversed(listed)] == [job.job_id for job in jobs]


def test_a_batch_is_submitted_at_its_end(executor, world):
    with executor.batch():
        jobs = [executor.submit(add, n, 1) for n in range(3)]
        assert world.ok("runs", "--json").json == []
    assert [job.result() for job in jobs] == [1, 2, 3]
    assert len({job.run.info.group for job in jobs}) == 1
    both = executor.submit_array([lambda: "a", lambda: "b"])
    assert [job.result() for job in both] == ["a", "b"]


def test_jobs_are_cancelled_waiting_and_running(executor, world):
    world.ok("queue", "update", "q", "--max-running", "1")
    running = executor.submit(time.sleep, 60)
    waiting = executor.submit(time.sleep, 60)
    world.until(running.job_id, "running")
    assert waiting.state == "PENDING"
    waiting.cancel()
    assert (waiting.state, waiting.done()) == ("CANCELLED", True)
    running.cancel()
    assert running.state == "CANCELLED"
    running.cancel()
    assert "stopped by the user" in str(running.exception())


def test_a_job_checkpoints_and_goes_on_in_the_next_attempt(executor, world, tmp_path, wait_until):
    file = tmp_path / "count"
    job = executor.submit(Counts(5, str(file)))
    wait_until(lambda: file.exists() and file.read_text() == "2", what="the second count")
    job._interrupt()
    assert job.result() == (2, 5)
    run = job.run.info
    assert (run.attempt, run.state) == (2, "finished")
    told = world.ok("events", job.job_id, "--json").json
    assert "the job asked to be run again" in [event["message"] for event in told]
    assert "Calling checkpoint method" in world.ok("logs", job.job_id, "--attempt", "1").out


def test_a_job_whose_time_is_nearly_up_checkpoints_by_itself(running, tmp_path):
    executor = LaunchTuiExecutor(tmp_path / "logs", queue="q")
    executor.update_parameters(timeout_min=1, signal_delay_s=59)
    job = executor.submit(Counts(5, str(tmp_path / "count")))
    assert job.result() == (2, 5)
    assert job.run.info.attempt == 2


def test_a_job_that_cannot_checkpoint_ends_when_its_time_is_up(running, tmp_path):
    executor = LaunchTuiExecutor(tmp_path / "logs", queue="q")
    executor.update_parameters(timeout_min=1, signal_delay_s=59)
    job = executor.submit(time.sleep, 50)
    assert "not checkpointable" in str(job.exception())
    assert job.run.info.attempt == 1


def test_a_job_runs_out_of_time_no_more_often_than_it_may(running, tmp_path):
    executor = LaunchTuiExecutor(tmp_path / "logs", queue="q", max_num_timeout=0)
    executor.update_parameters(timeout_min=1, signal_delay_s=59)
    job = executor.submit(Counts(5, str(tmp_path / "count")))
    assert "timed-out too many times" in str(job.exception())
    assert job.run.info.attempt == 1


def test_a_stop_is_stronger_than_a_wish_to_go_on(executor, world, tmp_path, wait_until):
    file = tmp_path / "count"
    job = executor.submit(Counts(5, str(file)))
    wait_until(lambda: file.exists() and file.read_text() == "2", what="the second count")
    (job.run.directory / "shared" / "again-1").touch()
    job.cancel()
    assert (job.run.state, job.run.info.attempt) == ("stopped", 1)


def test_what_only_this_cluster_knows_is_said_to_its_executor(world, tmp_path):
    world.ok("queue", "create", "p", "-r", "process", "--prioritize")
    executor = LaunchTuiExecutor(tmp_path / "logs", queue="p")
    executor.update_parameters(
        priority="high", tags=["a"], setenv={"A": "1"}, cpus_per_task=1, resource_args={"nice": 3}
    )
    job = executor.submit(environment)
    run = job.run.info
    assert (run.priority, run.tags, run.queue) == ("high", ("a",), "p")
    plan = world.show(job.job_id)
    assert plan["state"] == "queued"
    assert job.state == "PENDING"
    job.run.delete() if job.run.state == "stopped" else job.cancel()
    job.run.delete()
    assert job.done() is False
    assert "was deleted" in str(executor_outcome(job))


def executor_outcome(job):
    with pytest.raises(submitit.core.utils.UncompletedJobError) as caught:
        job._get_outcome_and_result()
    return caught.value


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"nodes": 2}, "nodes"),
        ({"tasks_per_node": 0}, "tasks_per_node"),
        ({"partition": "gpu"}, "partition"),
    ],
)
def test_what_is_not_possible_is_refused_by_name(world, tmp_path, wrong, field):
    executor = LaunchTuiExecutor(tmp_path / "logs", queue="q")
    with pytest.raises(UsageError) as caught:
        executor.update_parameters(**wrong)
    assert caught.value.field == field


def test_a_job_may_have_several_tasks(executor, world):
    executor.update_parameters(tasks_per_node=3)
    job = executor.submit(rank)
    assert job.num_tasks == 3
    assert job.results() == [(0, 3), (1, 3), (2, 3)]
    assert job.task(2).result() == (2, 3)
    assert "rank 0" in world.log(job.job_id)
    assert "rank 1" in job.task(1).stdout()
    assert "rank 1" not in job.task(0).stdout()


def test_a_task_that_fails_ends_the_others(executor):
    executor.update_parameters(tasks_per_node=2)
    job = executor.submit(rank, fails=1)
    assert "ValueError: rank 1" in str(job.exception())
    assert job.state == "FAILED"
    with pytest.raises(submitit.core.utils.UncompletedJobError, match="left no result: failed"):
        job.task(0).result()


def test_all_tasks_go_on_after_a_checkpoint(executor, tmp_path, wait_until):
    executor.update_parameters(tasks_per_node=2)
    file = tmp_path / "count"
    job = executor.submit(Counts(5, str(file)))
    wait_until(lambda: file.exists() and file.read_text() == "2", what="the second count")
    job._interrupt()
    assert job.task(0).result() == (2, 5)
    assert job.run.info.attempt == 2


def test_a_submission_that_is_refused_leaves_nothing(world, tmp_path):
    executor = LaunchTuiExecutor(tmp_path / "logs", queue="nowhere")
    with pytest.raises(UsageError, match="there is no queue called 'nowhere'"):
        executor.submit(add, 1, 2)
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_job_is_pickled_and_found_again(running, private_home, tmp_path, monkeypatch):
    executor = LaunchTuiExecutor(tmp_path / "logs", queue="q", home=private_home)
    kept = pickle.dumps(executor.submit(add, 1, 1))
    monkeypatch.setenv("LAUNCH_TUI_HOME", str(tmp_path / "another"))
    assert pickle.loads(kept).result() == 2
    with Launch(private_home) as launch:
        assert len(launch.runs()) == 1
