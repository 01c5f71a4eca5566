"""Copies a log to stdout, whole or as it grows.

To a pipe or a file the bytes are what the job wrote. A terminal gets what cannot harm it: colours,
line ends, tabs and carriage returns pass (so progress bars move), everything else is taken out.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from launch_tui.cli.output import is_terminal, say
from launch_tui.domain.run import ENDED, RunState
from launch_tui.store.logs import follow, tail_offset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch

_BEFORE_RUNNING = frozenset(
    {RunState.QUEUED, RunState.HELD, RunState.CLAIMED, RunState.SOURCING, RunState.BUILDING}
)


def copy_log(path: Path, *, tail: int | None = None) -> bool:
    """Print what is in a log now; False when there is no log."""
    if not path.exists():
        return False
    start = 0 if tail is None else tail_offset(path, tail)
    _print(follow(path, ended=lambda: True, offset=start))
    return True


def follow_log(
    sdk: Launch, run_id: str, path: Path, *, build: bool = False, tail: int | None = None
) -> None:
    """Print a log until its run has ended (a build's: until the job starts)."""
    over = frozenset(RunState) - _BEFORE_RUNNING if build else ENDED
    start = 0 if tail is None else tail_offset(path, tail)
    _print(follow(path, ended=StateWatch(sdk, run_id, over), offset=start))


class StateWatch:
    """Says whether a run is in one of some states; asks only when something was committed.

    Args:
        sdk: The data directory.
        run_id: The run.
        wanted: The states.
        tell: Called with the run whenever its state is another than before.
    """

    def __init__(
        self,
        sdk: Launch,
        run_id: str,
        wanted: frozenset[RunState] = ENDED,
        tell: Callable[[Run], None] | None = None,
    ) -> None:
        self._sdk = sdk
        self._id = run_id
        self._wanted = wanted
        self._tell = tell
        self._version = -1
        self._state: RunState | None = None

    def __call__(self) -> bool:
        """Say whether the run is in a wanted state now."""
        version = self._sdk.changed()
        if version != self._version:
            self._version = version
            run = self._sdk.runs.get(self._id)
            if run.state is not self._state and self._tell is not None:
                self._tell(run)
            self._state = run.state
        return self._state in self._wanted


def tell_state(run: Run) -> None:
    """Print the state of a run on stderr, for a person who watches."""
    say(f"{run.id}  {run.state}")


def _print(chunks: Iterable[bytes]) -> None:
    sys.stdout.flush()
    raw = getattr(sys.stdout, "buffer", None)
    if is_terminal() or raw is None:
        _print_safely(chunks)
        return
    for chunk in chunks:
        raw.write(chunk)
        raw.flush()


def _print_safely(chunks: Iterable[bytes]) -> None:
    from launch_tui.domain.text import SafeStream

    safe = SafeStream()
    for chunk in chunks:
        sys.stdout.write(safe.feed(chunk))
        sys.stdout.flush()
    rest = safe.feed(b"", final=True)
    sys.stdout.write(rest)
    sys.stdout.flush()
