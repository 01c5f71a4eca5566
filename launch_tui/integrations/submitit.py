"""submitit's ``cluster="launch_tui"``: functions run by the queues of this machine.

    executor = submitit.AutoExecutor(folder="logs", cluster="launch_tui")
    executor.update_parameters(timeout_min=60, gpus_per_node=1)
    job = executor.submit(train, 3e-4)
    job.result()

Each job is one run of a queue, started in the folder where it was submitted, with the interpreter
that submitted it; the queue's limits and the machine's slots decide how many run at once. The
function travels as submitit's pickle. A job that is told to checkpoint (SIGUSR2, or some time
before its time is up) and can go on later is put back into its place in the queue as a further
attempt of the same run.

The interface is submitit's own for plugins (submitit 1.5, ``core/plugins.py``), found through the
entry points of this package.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from submitit.core import core, job_environment, utils

from launch_tui.api.client import Launch
from launch_tui.domain.queue import DEFAULT_QUEUE
from launch_tui.domain.run import ENDED, RunState
from launch_tui.errors import NotFound, UsageError
from launch_tui.store.paths import default_home
from launch_tui.targets.records import read_started

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.api.queued_run import QueuedRun

R = TypeVar("R", covariant=True)

NAME = "launch_tui"
QUEUE_VARIABLE = "LAUNCH_TUI_QUEUE"
"""Names the queue of an executor that was not told one."""
SIGNAL_DELAY_S = 30
"""How long before its time is up a job is told to checkpoint, as in submitit."""
NO_LIMIT_MIN = 10 * 365 * 24 * 60
"""What submitit is told of the time of a job that has no limit."""
LOG_LINES = 40

_SECONDS = "LAUNCH_TUI_SUBMITIT_SECONDS"
"""Tells a job how many seconds after its start it has to checkpoint."""

_STATES = {
    RunState.QUEUED: "PENDING",
    RunState.HELD: "PENDING",
    RunState.FINISHED: "COMPLETED",
    RunState.STOPPED: "CANCELLED",
    RunState.FAILED: "FAILED",
    RunState.LOST: "NODE_FAIL",
    RunState.PREEMPTED: "PREEMPTED",
}

_open: dict[Path, Launch] = {}


def _launch(home: Path) -> Launch:
    """Return the data directory; a job outlives its executor, and is pickled without it."""
    if home not in _open:
        _open[home] = Launch(home)
    return _open[home]


class LaunchTuiInfoWatcher(core.InfoWatcher):
    """Asks the store for the state of a job, which costs nothing worth saving."""

    def __init__(self) -> None:
        super().__init__(delay_s=1)
        self.homes: dict[str, Path] = {}

    def get_state(self, job_id: str, mode: str = "force") -> str:
        """Return a state by submitit's names of them; ``UNKNOWN`` for a run that was deleted."""
        return self.get_info(job_id, mode).get("State", "UNKNOWN")

    def get_info(self, job_id: str, mode: str = "force") -> dict[str, str]:
        """Return what is known of a job, by names as Slurm has them."""
        home = self.homes.get(job_id) or default_home().root
        try:
            run = _launch(home).run(job_id).info
        except NotFound:
            return {}
        return {
            "JobID": job_id,
            "State": _STATES.get(run.state, "RUNNING"),
            "Queue": run.queue,
            "Reason": run.cause or "",
            "NodeList": os.uname().nodename,
        }


class LaunchTuiJob(core.Job[R]):
    """A job that is a run of a queue; ``job_id`` is the run's id."""

    watcher = LaunchTuiInfoWatcher()

    @property
    def run(self) -> QueuedRun:
        """The run itself."""
        home = type(self).watcher.homes.get(self.job_id) or default_home().root
        return _launch(home).run(self.job_id)

    def done(self, force_check: bool = False) -> bool:
        """Say whether the run has ended; a result without its run's end is not the end yet."""
        try:
            return self.run.state in ENDED
        except NotFound:
            return self.paths.result_pickle.exists()

    def wait(self) -> None:
        """Return once the run has ended."""
        try:
            self.run.wait_until_finished()
        except NotFound:
            return

    def cancel(self, check: bool = True) -> None:
        """Stop the run, or take it out of its queue.

        Args:
            check: Wait until it has ended.
        """
        try:
            self.run.stop()
        except UsageError:
            # It has ended, or was deleted: there is nothing to cancel.
            return
        if check:
            self.wait()

    def get_info(self, mode: str = "force") -> dict[str, str]:
        """Return what is known of the job: see ``LaunchTuiInfoWatcher``."""
        return type(self).watcher.get_info(self.job_id, mode)

    def _interrupt(self, timeout: bool = False) -> None:
        """Tell the job to checkpoint, as before the end of its time or when it has to make room."""
        directory = self.run.directory / str(self.run.info.attempt)
        if (started := read_started(directory)) is not None:
            os.kill(started.job.pid, LaunchTuiJobEnvironment._usr_sig())

    def __getstate__(self) -> dict[str, Any]:
        home = type(self).watcher.homes.get(self.job_id)
        return {**self.__dict__, "_home": None if home is None else str(home)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        home = state.pop("_home", None)
        if home is not None:
            type(self).watcher.homes[state["_job_id"]] = Path(home)
        super().__setstate__(state)

    def results(self) -> list[R]:
        """Return what each task returned, once the run has ended.

        Raises:
            FailedJobError: With the traceback of a task that raised.
            UncompletedJobError: When a task left no result.
        """
        if self._sub_jobs and (error := self.exception()) is not None:
            raise error
        return super().results()

    def exception(self) -> utils.UncompletedJobError | None:
        """Return the error that the run ended with, None after a good end.

        Of several tasks that is one that raised, rather than one that was ended for it.
        """
        if not self._sub_jobs:
            return super().exception()
        found = [error for task in self._sub_jobs if (error := task.exception()) is not None]
        raised = [error for error in found if isinstance(error, utils.FailedJobError)]
        return next(iter([*raised, *found]), None)

    def stdout(self) -> str | None:
        """Return what the job has written, stdout and stderr as they came; None before that.

        Of a job with several tasks that is what task 0 wrote; the others have files of their own.
        """
        if self.task_id:
            return super().stdout()
        try:
            return "".join(f"{line}\n" for line in self.run.logs()) or None
        except NotFound:
            return super().stdout()

    def _get_outcome_and_result(self) -> tuple[str, Any]:
        if not self._sub_jobs and not self.paths.result_pickle.exists():
            raise utils.UncompletedJobError(self._told())
        return super()._get_outcome_and_result()

    def _told(self) -> str:
        """Return why there is no result: the run's own cause and the end of its log."""
        try:
            run = self.run.info
        except NotFound:
            return f"job {self.job_id} was deleted and left no result"
        words = [f"job {self.job_id} left no result: {run.state}", run.cause, run.next_step]
        tail = (self.stdout() or "").splitlines()[-LOG_LINES:]
        return "\n".join([". ".join(word for word in words if word), *tail])


class LaunchTuiJobEnvironment(job_environment.JobEnvironment):
    """What a job knows of itself while it runs."""

    _env: ClassVar[dict[str, str]] = {
        "job_id": "LAUNCH_TUI_RUN_ID",
        "num_tasks": "SUBMITIT_LAUNCH_TUI_NTASKS",
        "num_nodes": "SUBMITIT_LAUNCH_TUI_NNODES",
        "node": "SUBMITIT_LAUNCH_TUI_NODEID",
        "global_rank": "SUBMITIT_LAUNCH_TUI_GLOBALID",
        "local_rank": "SUBMITIT_LAUNCH_TUI_LOCALID",
    }

    @classmethod
    def name(cls) -> str:
        """Return the name that ``cluster=`` takes."""
        return NAME

    def _handle_signals(self, paths: utils.JobPaths, submission: utils.DelayedSubmission) -> None:
        super()._handle_signals(paths, submission)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {self._usr_sig()})
        if seconds := os.environ.get(_SECONDS):
            arguments = (os.getpid(), self._usr_sig())
            timer = threading.Timer(float(seconds), os.kill, arguments)
            timer.daemon = True
            timer.start()

    def _requeue(self, countdown: int) -> None:
        """Ask for the next attempt of this run, in its old place; the caller ends this one."""
        attempt = os.environ["LAUNCH_TUI_ATTEMPT"]
        Path(os.environ["LAUNCH_TUI_RUN_DIR"], f"again-{attempt}").touch()


class LaunchTuiExecutor(core.PicklingExecutor):
    """Submits functions to a queue.

    Args:
        folder: Where submitit keeps functions and results; ``%j`` in it is the job's id.
        queue: The queue; by default what ``LAUNCH_TUI_QUEUE`` names, else ``default``. Its target
            must be ``local-process``.
        home: The data directory; by default ``LAUNCH_TUI_HOME``, else the platform's place.
        max_num_timeout: How often a job that can checkpoint may run out of time.
        max_pickle_size_gb: GB of functions and arguments that one submission may have.
        python: The interpreter; by default this one. It needs submitit and launch_tui.

    ``update_parameters`` takes submitit's ``name``, ``timeout_min`` (no limit if left out),
    ``mem_gb``, ``cpus_per_task``, ``gpus_per_node``, ``tasks_per_node``; ``nodes`` must be 1. It
    also takes ``queue``, ``resource_args``, ``template_variables``, ``priority``, ``tags``,
    ``project``, ``setenv`` and ``signal_delay_s``.
    """

    job_class = LaunchTuiJob

    def __init__(
        self,
        folder: str | Path,
        queue: str | None = None,
        home: str | Path | None = None,
        max_num_timeout: int = 3,
        max_pickle_size_gb: float = 1.0,
        python: str | None = None,
    ) -> None:
        super().__init__(
            folder, max_num_timeout=max_num_timeout, max_pickle_size_gb=max_pickle_size_gb
        )
        self.home = default_home(None if home is None else str(home)).root
        self.python = sys.executable if python is None else python
        self.parameters["queue"] = queue or os.environ.get(QUEUE_VARIABLE) or DEFAULT_QUEUE

    @classmethod
    def name(cls) -> str:
        """Return the name that ``cluster=`` takes."""
        return NAME

    @classmethod
    def affinity(cls) -> int:
        """Return 0: submitit takes this cluster only when it is asked to."""
        return 0

    @classmethod
    def _valid_parameters(cls) -> set[str]:
        return {*_OWN, "signal_delay_s"}

    def _internal_update_parameters(self, **kwargs: Any) -> None:  # noqa: ANN401
        for name, value in kwargs.items():
            if name == "nodes" and value != 1:
                raise UsageError(name, f"{value} is not possible", allowed="1: this machine")
            if name == "tasks_per_node" and value < 1:
                raise UsageError(name, f"{value} is no number of tasks", allowed="1 or more")
            if name not in _KNOWN:
                raise UsageError(name, "is no parameter", allowed=", ".join(sorted(_KNOWN)))
        super()._internal_update_parameters(**kwargs)

    def _internal_process_submissions(
        self, delayed_submissions: list[utils.DelayedSubmission]
    ) -> list[core.Job[Any]]:
        """Enqueue functions as one group, in their order, all or none."""
        minutes = self.parameters.get("timeout_min")
        base = utils.JobPaths.get_first_id_independent_folder(self.folder)
        base.mkdir(parents=True, exist_ok=True)
        pickles: list[Path] = []
        try:
            for delayed in delayed_submissions:
                delayed.set_timeout(minutes or NO_LIMIT_MIN, self.max_num_timeout)
                pickles.append(base / f"{uuid.uuid4().hex}.pkl")
                delayed.dump(pickles[-1])
                self._check_size(pickles[0], len(delayed_submissions))
            jobs: list[core.Job[Any]] = [
                self._job(run.id) for run in self._enqueue(len(delayed_submissions))
            ]
        except BaseException:
            for pickle in pickles:
                pickle.unlink(missing_ok=True)
            raise
        for job, pickle in zip(jobs, pickles, strict=True):
            # A run may be quicker than this: submitit's part of it waits for the file.
            job.paths.move_temporary_file(pickle, "submitted_pickle")
        return jobs

    def _check_size(self, pickle: Path, count: int) -> None:
        size = pickle.stat().st_size / 1024**3
        if size * count > self.max_pickle_size_gb:
            problem = f"{count} x {size:.2f} GB of functions and arguments"
            allowed = f"{self.max_pickle_size_gb:g} GB, or a larger max_pickle_size_gb"
            raise UsageError("max_pickle_size_gb", problem, allowed=allowed)

    def _enqueue(self, count: int) -> Sequence[QueuedRun]:
        given = self.parameters
        minutes = given.get("timeout_min")
        setenv = {**(given.get("setenv") or {}), "SUBMITIT_EXECUTOR": NAME}
        if minutes:
            delay = given.get("signal_delay_s", SIGNAL_DELAY_S)
            setenv[_SECONDS] = str(max(minutes * 60 - delay, 0))
        resources = {
            key: value(given[name]) for name, (key, value) in _RESOURCES.items() if given.get(name)
        }
        if "cpus" in resources:
            resources["cpus"] *= self._num_tasks()
        options = {name: given.get(name) for name in _OPTIONS}
        return _launch(self.home).launch_many(
            None,
            given["queue"],
            [{}] * count,
            in_place=Path.cwd(),
            entry_point=self._command(),
            tracking="optional",
            setenv=setenv,
            resource_args={**(given.get("resource_args") or {}), **resources},
            **options,
        )

    def _job(self, run_id: str) -> LaunchTuiJob[Any]:
        self.job_class.watcher.homes[run_id] = self.home
        tasks = range(self._num_tasks())
        return self.job_class(folder=self.folder, job_id=run_id, tasks=tasks)

    def _command(self) -> list[str]:
        python = [self.python, "-u", "-m"]
        if (count := self._num_tasks()) == 1:
            return [*python, "submitit.core._submit", str(self.folder)]
        return [*python, "launch_tui.integrations.submitit_tasks", str(count), str(self.folder)]

    def _num_tasks(self) -> int:
        return int(self.parameters.get("tasks_per_node", 1))

    @property
    def _submitit_command_str(self) -> str:
        return shlex.join(self._command())

    # What follows is how submitit talks to clusters that take a shell script; there is none here.

    def _make_submission_file_text(self, command: str, uid: str) -> str:
        return command

    def _make_submission_command(self, submission_file_path: Path) -> list[str]:
        raise NotImplementedError("runs are enqueued in the store, without a command")

    @staticmethod
    def _get_job_id_from_submission_command(string: bytes | str) -> str:
        raise NotImplementedError("runs are enqueued in the store, without a command")


_RESOURCES: dict[str, tuple[str, Any]] = {
    "timeout_min": ("timeout", lambda minutes: f"{minutes * 60:g}s"),
    "mem_gb": ("memory", lambda gb: f"{gb:g}G"),
    "cpus_per_task": ("cpus", int),
    "gpus_per_node": ("gpus", int),
}
_OPTIONS = ("name", "template_variables", "priority", "tags", "project")
_OWN = ("queue", "resource_args", "template_variables", "priority", "tags", "project", "setenv")
_KNOWN = frozenset(
    {*_RESOURCES, *_OWN, "name", "signal_delay_s", "nodes", "tasks_per_node", "stderr_to_stdout"}
)
