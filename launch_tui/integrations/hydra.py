"""The jobs of a Hydra multirun as runs of a queue: what ``hydra/launcher=launch_tui`` does.

A job travels as a function does with submitit (``integrations.submitit``), and runs Hydra's own
``run_job`` where it arrives: its configuration is composed there, its output directory is the one
that any launcher would give it. The run of a job that raised is ``failed``.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.core.utils import (
    JobReturn,
    JobStatus,
    configure_log,
    filter_overrides,
    run_job,
    setup_globals,
)
from omegaconf import OmegaConf, open_dict
from submitit.core.utils import DelayedSubmission, UncompletedJobError

from launch_tui.integrations.submitit import LaunchTuiExecutor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig
    from submitit.core.core import Job

log = logging.getLogger(__name__)


class Sweep:
    """One multirun: the program, its configuration, and how to run one job of it.

    Args:
        hydra_context: Hydra's, with what composes a job's configuration.
        task_function: The function under ``@hydra.main``.
        config: The configuration of the multirun.
    """

    def __init__(
        self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def run(
        self,
        settings: Mapping[str, Any],
        job_overrides: Sequence[Sequence[str]],
        initial_job_idx: int,
    ) -> list[JobReturn]:
        """Enqueue a job for each list of overrides, wait, and return how they ended.

        Args:
            settings: Those of ``hydra.launcher``.
            job_overrides: What each job overrides.
            initial_job_idx: The number of the first of them.

        Raises:
            UsageError: For a setting that is wrong; nothing is enqueued then.
        """
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        executor = _executor(settings)
        log.info("Launching %d jobs on queue %s", len(job_overrides), executor.parameters["queue"])
        numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
        state = Singleton.get_state()
        jobs = executor.map_array(
            self, [list(each) for each in job_overrides], numbers, [state] * len(job_overrides)
        )
        for number, overrides, job in zip(numbers, job_overrides, jobs, strict=True):
            log.info(
                "\t#%d : run %s : %s", number, job.job_id, " ".join(filter_overrides(overrides))
            )
        return [_ended(job, overrides) for job, overrides in zip(jobs, job_overrides, strict=True)]

    def __call__(self, overrides: list[str], number: int, state: Mapping[Any, Any]) -> JobReturn:
        """Run one job, where it has arrived.

        Raises:
            Exception: What the program raised.
        """
        from submitit import JobEnvironment

        Singleton.set_state(state)
        setup_globals()
        config = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
        with open_dict(config.hydra.job):
            config.hydra.job.id = JobEnvironment().job_id
            config.hydra.job.num = number
        done = run_job(
            hydra_context=self.hydra_context,
            task_function=self.task_function,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        # Reading it raises what the program raised, and so the run fails as it should.
        _ = done.return_value
        return done

    def checkpoint(self, *args: Any, **kwargs: Any) -> DelayedSubmission:  # noqa: ANN401
        """Return the same job: a program goes on from what it saved in its output directory."""
        return DelayedSubmission(self, *args, **kwargs)


def _executor(settings: Mapping[str, Any]) -> LaunchTuiExecutor:
    given: dict[str, Any] = {
        name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for name, value in settings.items()
    }
    executor = LaunchTuiExecutor(
        given.pop("submitit_folder"),
        queue=given.pop("queue"),
        max_num_timeout=given.pop("max_num_timeout"),
    )
    executor.update_parameters(**{name: value for name, value in given.items() if value})
    return executor


def _ended(job: Job[JobReturn], overrides: Sequence[str]) -> JobReturn:
    """Return how a job ended, once it has; one that failed raises when its value is read."""
    try:
        return job.results()[0]
    except UncompletedJobError as error:
        return JobReturn(overrides=list(overrides), status=JobStatus.FAILED, _return_value=error)
