"""``Launch``: a data directory, and what a program does with it.

with launch_tui.Launch() as launch:
    launch.queues.create("gpu", resource="local-process", max_running=2)
    job = launch.create_job(".", entry_point="python train.py")
    run = launch.launch(job, queue="gpu", config={"lr": 1e-3})
    run.wait_until_finished()
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from launch_tui.api.collections import Jobs, Queues
from launch_tui.api.naming import OF_A_JOB
from launch_tui.api.options import request_of
from launch_tui.api.queued_run import QueuedRun
from launch_tui.api.session import Session
from launch_tui.domain.argument_types import check_types, texts
from launch_tui.domain.queue import DEFAULT_QUEUE
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self, Unpack

    from launch_tui.api.options import LaunchOptions
    from launch_tui.domain.job import JobVersion
    from launch_tui.domain.queue import Queue
    from launch_tui.domain.run import Run, RunState
    from launch_tui.sdk.jobs import Created


class LaunchWarning(UserWarning):
    """Something about a job or a launch that worked and that a person should know."""


class Launch:
    """A data directory: its jobs, its queues, its runs.

    It may be used from any thread, and in a process that was forked: each opens a connection of its
    own. What is launched is on disk when the call returns, and runs as soon as an agent is there
    (``launch-tui --agent-only``, or ``run_agent``). Bad input is a ``UsageError`` that names the
    argument; every method may raise ``StoreError``.

    Args:
        home: The data directory; by default ``LAUNCH_TUI_HOME``, else the platform's place.

    Attributes:
        queues: Its queues.
        jobs: Its jobs.

    Raises:
        StoreError: When the data directory cannot be used; nothing was touched.
    """

    def __init__(self, home: str | Path | None = None) -> None:
        self._session = Session(home)
        self.queues = Queues(self._session)
        self.jobs = Jobs(self._session)

    @property
    def home(self) -> Path:
        """The data directory."""
        return self._session.home

    def create_job(
        self,
        source: str | Path,
        kind: str | None = None,
        name: str | None = None,
        entry_point: str | Sequence[str] | None = None,
        *,
        ref: str | None = None,
        aliases: Sequence[str] = (),
        description: str = "",
        python_version: str = "",
        python: str = "",
        venv: str = "",
        links: Sequence[str] = (),
        tracking: str = "required",
        schema: Mapping[str, Any] | None = None,
        dockerfile: str = "",
        base_image: str = "",
        build_context: str = "",
        accept_large: bool = False,
    ) -> JobVersion:
        """Make a job, or a new version of it if anything changed, and return that version.

        Args:
            source: A folder, the URL or path of a git repository, or an image reference.
            kind: ``code``, ``git`` or ``image``; by default what ``source`` looks like.
            name: Its name; by default that of the folder, the repository or the image.
            entry_point: The command of its runs, one text or its words; by default the only one
                of ``main.py`` and ``train.py``, and of an image its own.
            ref: Of a repository: branch, tag or commit; by default the default branch.
            aliases: Names for this version.
            description: What the job is.
            python_version: ``3.X``, for an environment that is built from its requirements.
            python: An existing interpreter to use as it is.
            venv: ``current`` for the environment in use now, ``none`` for none.
            links: Paths of the folder that every working copy links to.
            tracking: ``required`` when its runs must call ``wandb.init``, else ``optional``.
            schema: A JSON Schema of the configuration.
            dockerfile: A path in its files that its image is built from.
            base_image: An image that the code is mounted into.
            build_context: The folder of its files that its image is built from.
            accept_large: Take a folder over the size limit as well.

        Raises:
            UsageError: For an argument that is wrong; it is named. A repository that cannot be
                reached is ``source``.

        Warns:
            LaunchWarning: For what was left out of a snapshot, and such.
        """
        from launch_tui.domain.job import JobKind
        from launch_tui.sdk.jobs import JobRequest
        from launch_tui.sdk.places import kind_of

        check_types({
            "name": name, "entry_point": entry_point, "ref": ref, "aliases": aliases,
            "description": description, "python_version": python_version, "python": python,
            "venv": venv, "links": links, "tracking": tracking, "schema": schema,
            "dockerfile": dockerfile, "base_image": base_image, "build_context": build_context,
        })  # fmt: skip
        place = str(source)
        if kind is not None and kind not in [*JobKind]:
            raise UsageError("kind", f"{kind!r} is no kind of job", allowed=", ".join(JobKind))
        request = JobRequest(
            place=place,
            kind=JobKind(kind) if kind else kind_of(place),
            name=name or "",
            entry_point=entry_point,
            ref=ref,
            aliases=texts("aliases", aliases),
            description=description,
            python_version=python_version,
            python=python,
            venv=venv,
            links=texts("links", links),
            tracking=tracking,
            inputs=schema,
            dockerfile=dockerfile,
            base_image=base_image,
            context=build_context,
            accept_large=accept_large,
        )
        created: Created = self._session.ask(lambda sdk: sdk.jobs.create(request), OF_A_JOB)
        _warn(created.warnings)
        return created.job

    def launch(
        self,
        job: str | JobVersion | None = None,
        queue: str | Queue = DEFAULT_QUEUE,
        config: Mapping[str, Any] | None = None,
        *,
        image: str | None = None,
        in_place: str | Path | None = None,
        **options: Unpack[LaunchOptions],
    ) -> QueuedRun:
        """Put a run at the end of its queue; it is on disk when this returns.

        Args:
            job: The job: what ``create_job`` returned, or a name, ``name:v3``, ``name:alias``.
            queue: The queue. The one called ``default`` is made if there is none.
            config: What the job finds in ``wandb.config``.
            image: An image to run without a job.
            in_place: A folder to run in, without a job and a snapshot; needs ``entry_point``.
            **options: See ``LaunchOptions``.

        Raises:
            UsageError: For an argument that is wrong; it is named. ``NotFound`` for a job or queue
                that does not exist.

        Warns:
            LaunchWarning: When a repository did not answer and the pinned commit is used.
        """
        folder = "" if in_place is None else str(in_place)
        request = request_of(
            options, job=job, queue=queue, config=config, image=image, in_place=folder
        )
        made, told = self._session.ask(lambda sdk: (sdk.launch(request), sdk.warnings))
        _warn(told)
        return QueuedRun(self._session, made.id)

    def launch_many(
        self,
        job: str | JobVersion | None,
        queue: str | Queue,
        configs: Iterable[Mapping[str, Any]],
        *,
        image: str | None = None,
        in_place: str | Path | None = None,
        **options: Unpack[LaunchOptions],
    ) -> list[QueuedRun]:
        """Put one run for each configuration at the end of a queue, in order, all or none.

        They are one transaction and one group (``info.group``); ``bench/sdk.py`` measures it.

        Args:
            job: As in ``launch``.
            queue: As in ``launch``.
            configs: The configurations.
            image: As in ``launch``.
            in_place: As in ``launch``.
            **options: What they share; see ``LaunchOptions``.

        Raises:
            UsageError: As ``launch``; nothing is enqueued then.
        """
        folder = "" if in_place is None else str(in_place)
        request = request_of(options, job=job, queue=queue, image=image, in_place=folder)
        check_types({"configs": configs})
        given = list(configs)
        for number, config in enumerate(given):
            if not isinstance(config, dict):
                raise UsageError(f"configs[{number}]", "is no dict", allowed="one dict a run")
        made, told = self._session.ask(
            lambda sdk: (sdk.launch_configs(request, given), sdk.warnings)
        )
        _warn(told)
        return [QueuedRun(self._session, run.id) for run in made]

    def run(self, reference: str) -> QueuedRun:
        """Return a run by its id, a unique prefix of it, ``@`` for the newest or ``@~N``.

        Raises:
            NotFound: When no run, or more than one, is meant.
        """
        check_types({"reference": reference})
        return QueuedRun(self._session, self._session.ask(lambda sdk: sdk.runs.resolve(reference)))

    def runs(
        self,
        *,
        queue: str = "",
        states: Sequence[RunState | str] = (),
        job: str = "",
        group: str = "",
        limit: int = 50,
    ) -> list[QueuedRun]:
        """Return runs, newest first.

        Args:
            queue: Only those of this queue.
            states: Only those in these states.
            job: Only those of this job, ``name`` or ``name:version``.
            group: Only those of this group.
            limit: How many at most.

        Raises:
            UsageError: For a state or a queue that there is not.
        """
        given = {"queue": queue, "states": states, "job": job, "group": group, "limit": limit}
        check_types(given)
        if limit < 0:
            raise UsageError("limit", f"{limit} is no number of runs", allowed="0 or more")
        wanted = [_state(state) for state in states]
        found = self._session.ask(
            lambda sdk: sdk.runs.list(queue=queue, states=wanted, job=job, group=group, limit=limit)
        )
        return [QueuedRun(self._session, run.id) for run in found]

    def wait(self, runs: Iterable[QueuedRun], timeout: float | None = None) -> list[Run]:
        """Return these runs, in their order, once all of them have ended, well or badly.

        Args:
            runs: The runs.
            timeout: Seconds to wait for all of them; None for ever.

        Raises:
            TimeoutError: When they have not all ended in time.
        """
        from launch_tui.domain.run import ENDED

        ids = [run.id for run in runs]
        self._session.ask(lambda sdk: sdk.runs.wait_all(ids, timeout=timeout, until=ENDED))
        return self._session.ask(lambda sdk: [sdk.runs.get(run_id) for run_id in ids])

    def agent_is_running(self) -> bool:
        """Say whether an agent works on this data directory now."""
        return self._session.ask(lambda sdk: sdk.agents.is_running())

    def close(self) -> None:
        """Close the data directory; runs go on. A second time does nothing."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _state(text: RunState | str) -> RunState:
    from launch_tui.domain.run import RunState

    try:
        return RunState(text)
    except ValueError:
        allowed = ", ".join(RunState)
        raise UsageError("states", f"{text!r} is no state", allowed=allowed) from None


def _warn(told: Sequence[str]) -> None:
    for text in told:
        # At whoever called ``launch`` or ``create_job``.
        warnings.warn(text, LaunchWarning, stacklevel=3)
