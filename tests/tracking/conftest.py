from __future__ import annotations

import os
import subprocess

import pytest

from launch_tui.domain.attempt import Attempt
from launch_tui.store.series import SeriesReader
from launch_tui.tracking.offline import STRIPPED, OfflineTracker, job_environment
from tests.wandb_envs import VERSIONS, wandb_python

ID = "abc12345"
DEADLINE_S = 45.0


@pytest.fixture(params=VERSIONS)
def version(request):
    """Each wandb version that is supported, in turn."""
    return request.param


class Job:
    """A script with real wandb, started as an agent would, and its tracker."""

    def __init__(self, root, python, wait_until):
        self.python = python
        self.wait_until = wait_until
        self.directory = root / "runs" / ID / "1"
        self.series = self.directory.parent / "metrics.db"
        self.source = self.directory / "source"
        self.source.mkdir(parents=True)
        (self.directory / "wandb").mkdir()
        self.attempt = Attempt(
            run_id=ID,
            number=1,
            directory=self.directory,
            command=(),
            working_directory=self.source,
            environment={},
        )
        self.tracker = OfflineTracker(self.attempt, self.series)
        self.process = None

    def start(self, script, **given):
        (self.source / "train.py").write_text(script)
        environment = {k: v for k, v in os.environ.items() if k not in STRIPPED}
        environment |= job_environment(run_id=ID, directory=self.directory / "wandb", **given)
        with (self.directory / "output.log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.python, "train.py"],
                cwd=self.source,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def run(self, script, **given):
        """Run a script to its end; return its exit status and what was tracked."""
        self.start(script, **given)
        status = self.process.wait(DEADLINE_S)
        return status, self.finish()

    def finish(self):
        progress = self.tracker.poll(pids=list)
        while progress.more:
            progress = self.tracker.poll(pids=list)
        return progress

    def until(self, wanted):
        """Poll until the progress is as wanted, and return it."""
        progress = None

        def polled():
            nonlocal progress
            ended = self.process.poll() is not None
            progress = self.tracker.poll(pids=lambda: [self.process.pid])
            assert wanted(progress) or not ended, self.output()
            return wanted(progress)

        self.wait_until(polled, DEADLINE_S, "the wanted progress")
        return progress

    def output(self):
        return (self.directory / "output.log").read_text(errors="replace")

    def points(self, key):
        with SeriesReader(self.series) as reader:
            return reader.points(key)

    def close(self):
        self.tracker.close()
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self.process.stdin.close()


@pytest.fixture
def job(tmp_path, version, wait_until):
    job = Job(tmp_path, wandb_python(version), wait_until)
    yield job
    job.close()
