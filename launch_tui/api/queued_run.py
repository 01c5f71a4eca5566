"""One run that was enqueued: where it is, what it writes, and how it is ended or run again."""

from __future__ import annotations

import codecs
import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from launch_tui.api.options import request_of
from launch_tui.domain.run import BAD_ENDS, ENDED, Phase, RunState
from launch_tui.errors import (
    BuildFailed,
    NotFound,
    RunFailure,
    SourceFailed,
    StartFailed,
    TrackingFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Unpack

    from launch_tui.api.options import LaunchOptions
    from launch_tui.api.session import Session
    from launch_tui.domain.queue import Queue
    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch as Sdk
    from launch_tui.sdk.points import Points

STARTED = frozenset({RunState.RUNNING}) | ENDED
"""What ``wait_until_running`` waits for: a run that has ended will not run any more."""

_FAILURES = {
    Phase.SOURCE: SourceFailed,
    Phase.BUILD: BuildFailed,
    Phase.START: StartFailed,
    Phase.RUN: RunFailure,
    Phase.TRACKING: TrackingFailed,
}


class QueuedRun:
    """A run of a data directory. What is asked of it is read from the store each time.

    A run is made by ``Launch.launch`` and found again by ``Launch.run``; it can be used for as long
    as its ``Launch`` is open, from any thread. Every method may raise ``NotFound`` when the run has
    been deleted, and ``StoreError``.

    Attributes:
        id: Its id, 8 of a-z and 0-9.
    """

    __slots__ = ("_session", "id")

    def __init__(self, session: Session, run_id: str) -> None:
        self._session = session
        self.id: str = run_id

    def __repr__(self) -> str:
        return f"QueuedRun({self.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QueuedRun) and (
            (self.id, self._session.home) == (other.id, other._session.home)
        )

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def info(self) -> Run:
        """All that is known of the run now, as one value that does not change."""
        return self._session.ask(lambda sdk: sdk.runs.get(self.id))

    @property
    def state(self) -> RunState:
        """Where the run is now; a text too, so it can be compared with ``"running"``."""
        return self.info.state

    @property
    def cause(self) -> str | None:
        """Why it ended as it did, in one line; None while there is nothing to tell."""
        return self.info.cause

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration: what the launch gave, and what the job added through wandb."""
        return dict(self.info.config)

    @property
    def summary(self) -> dict[str, Any]:
        """The summary that the job logged through wandb; empty before that."""
        return dict(self.info.summary)

    @property
    def directory(self) -> Path:
        """The run's own directory: ``shared`` and one folder for each attempt."""
        return self._session.ask(lambda sdk: sdk.home.run(self.id))

    def why(self) -> str:
        """Return why the run is where it is, in one line."""
        return self._session.ask(lambda sdk: sdk.runs.why(self.id).reason)

    def wait_until_running(self, timeout: float | None = None) -> Run:
        """Return the run once its job runs, or once it has ended, however it did.

        Args:
            timeout: Seconds to wait; None for ever.

        Raises:
            TimeoutError: When it has not started in time.
        """
        return self._session.ask(lambda sdk: sdk.runs.wait(self.id, timeout=timeout, until=STARTED))

    def wait_until_finished(self, timeout: float | None = None, *, check: bool = False) -> Run:
        """Return the run once it has ended, well or badly.

        Args:
            timeout: Seconds to wait; None for ever.
            check: Raise for an end that is not a good one.

        Raises:
            TimeoutError: When it has not ended in time.
            RunFailure: With ``check``, when it did not finish well: see ``check``.
        """
        run = self._session.ask(lambda sdk: sdk.runs.wait(self.id, timeout=timeout))
        if check:
            raise_for(run)
        return run

    def check(self) -> None:
        """Raise if the run has ended and not well.

        Raises:
            RunFailure: With its phase, cause and next step; of the class of the phase in which it
                failed (``SourceFailed``, ``BuildFailed``, ``StartFailed``, ``TrackingFailed``).
        """
        raise_for(self.info)

    def logs(
        self, *, follow: bool = False, build: bool = False, attempt: int | None = None
    ) -> Iterator[str]:
        """Yield the lines of the job's output, stdout and stderr as they came, without line ends.

        Args:
            follow: Go on until the run has ended, over all attempts that are still to come.
            build: The build's log instead of the job's.
            attempt: Which attempt; the newest if left out.

        Raises:
            NotFound: When there is no such attempt.
        """
        lines = Lines()
        for chunk in self.log_chunks(follow=follow, build=build, attempt=attempt, wait=time.sleep):
            yield from lines.feed(chunk)
        yield from lines.rest()

    def log_chunks(
        self,
        *,
        follow: bool,
        build: bool,
        attempt: int | None,
        wait: Callable[[float], None] | None,
    ) -> Iterator[bytes]:
        """Yield the bytes of ``logs`` as they come; ``wait`` is that of ``store.logs.follow``."""
        from launch_tui.store import logs

        number = self.info.attempt if attempt is None else attempt
        while True:
            path = self._log_path(number, build=build)
            over = self._over(number) if follow else lambda: True
            yield from logs.follow(path, ended=over, wait=wait)
            if not follow or attempt is not None or self.info.attempt <= number:
                return
            number += 1

    def _log_path(self, attempt: int, *, build: bool) -> Path:
        return self._session.ask(
            lambda sdk: sdk.runs.log_path(self.id, attempt=attempt, build=build)
        )

    def _over(self, attempt: int) -> Callable[[], bool]:
        def over() -> bool:
            run = self.info
            return run.attempt > attempt or run.state in ENDED

        return over

    def metrics(self, key: str) -> Points:
        """Return the values that the job logged under a key, as ``(step, value)``, by step.

        Values are numbers; other things that were logged are as JSON has them. Of a run that still
        goes on, a key that it has not logged yet has no values.

        Raises:
            NotFound: When the run has ended and never logged the key.
        """
        return self._session.ask(lambda sdk: _values(sdk, self.id, key))

    def metric_keys(self) -> list[str]:
        """Return the keys that the job has logged so far."""
        return self._session.ask(lambda sdk: _keys(sdk, self.id))

    def stop(self, *, now: bool = False) -> RunState:
        """Ask for the run to end and return its state: ``stopped`` when it was still waiting.

        A job that runs gets SIGINT, after a grace SIGTERM, then SIGKILL.

        Args:
            now: Kill it at once.

        Raises:
            UsageError: When it has ended already.
        """
        return self._session.ask(lambda sdk: sdk.runs.stop(self.id, now=now))

    def rerun(
        self,
        *,
        queue: str | Queue | None = None,
        config: Mapping[str, Any] | None = None,
        **changes: Unpack[LaunchOptions],
    ) -> QueuedRun:
        """Enqueue the run again with the same pinned source, and return the new run.

        Args:
            queue: Another queue.
            config: Laid on the run's configuration, key by key.
            **changes: The options of a launch that are to be others; see ``LaunchOptions``.

        Raises:
            UsageError: For a change that is not possible; it names the argument.
        """
        request = request_of(changes, queue=queue or "", config=config)
        made = self._session.ask(lambda sdk: sdk.rerun(self.id, request))
        return QueuedRun(self._session, made.id)

    def delete(self) -> None:
        """Forget the run and remove its directory.

        Raises:
            UsageError: When it has not ended.
        """
        self._session.ask(lambda sdk: sdk.runs.delete(self.id))


RunReference = str | QueuedRun
"""A run, or how it is named: an id, a unique prefix, ``@`` for the newest, ``@~N``."""


class Lines:
    """Cuts a stream of bytes into lines of text; what is no UTF-8 shows as U+FFFD."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parts: list[str] = []

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that these bytes bring to their end."""
        first, *others = self._decoder.decode(data).split("\n")
        self._parts.append(first)
        if not others:
            return []
        whole = ["".join(self._parts), *others[:-1]]
        self._parts = [others[-1]]
        return whole

    def rest(self) -> list[str]:
        """Return the last line if it has no end."""
        last = "".join(self._parts) + self._decoder.decode(b"", final=True)
        return [last] if last else []


def raise_for(run: Run) -> None:
    """Raise the failure that a run ended with; nothing for one that goes on or ended well."""
    if run.state not in BAD_ENDS and run.state is not RunState.STOPPED:
        return
    kind = _FAILURES.get(Phase(run.phase), RunFailure) if run.phase else RunFailure
    cause = f"run {run.id} {run.state}" + (f": {run.cause}" if run.cause else "")
    raise kind(cause, next_step=run.next_step or "")


def _values(sdk: Sdk, run_id: str, key: str) -> Points:
    from launch_tui.sdk.points import points_of

    known: list[str] = []
    reader = sdk.runs.series(run_id)
    if reader is not None:
        with reader:
            infos = reader.keys()
            known = [info.name for info in infos]
            if key in known:
                return points_of(reader, key)
    if sdk.runs.get(run_id).state not in ENDED:
        return []
    near = get_close_matches(key, known, n=1) or known[:20]
    allowed = ", ".join(near) or "none: it logged nothing"
    raise NotFound("key", f"{run_id} has logged no {key!r}", allowed=allowed)


def _keys(sdk: Sdk, run_id: str) -> list[str]:
    reader = sdk.runs.series(run_id)
    if reader is None:
        return []
    with reader:
        infos = reader.keys()
    return [info.name for info in infos]
