"""The runs that the words of a command line name: one by itself, or a whole group of parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from launch_tui.domain.run import ENDED, RunState
from launch_tui.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch

GROUP = re.compile(r"g-\w*\Z")
"""What the id of a group looks like; a run's has no dash."""

LIVE = frozenset(RunState) - ENDED


class Named(NamedTuple):
    """A run that was named; ``group`` is the group by which it was, empty when by itself."""

    id: str
    group: str = ""


def named(sdk: Launch, words: Iterable[str], states: Collection[RunState]) -> list[Named]:
    """Return the runs that words name, in their order, each once.

    Of a group come the runs that are in one of the states, oldest first; a run that is named itself
    comes in any state, to be refused with its own reason.

    Raises:
        NotFound: When a word names neither a run nor a group.
        UsageError: When a group has no run in these states.
    """
    found: dict[str, Named] = {}
    for word in words:
        members = group_of(sdk, word)
        if members is None:
            run_id = sdk.runs.resolve(word)
            found[run_id] = Named(run_id)
            continue
        fitting = [run for run in members if run.state in states]
        if not fitting:
            allowed = ", ".join(state for state in RunState if state in states)
            problem = f"group {word} has no run left for that"
            raise UsageError("GROUP", problem, allowed=f"runs that are {allowed}")
        for run in fitting:
            found.setdefault(run.id, Named(run.id, word))
    return list(found.values())


def group_of(sdk: Launch, word: str) -> Sequence[Run] | None:
    """Return the runs of the group that a word names, oldest first; None when it names a run.

    Raises:
        NotFound: When it names neither.
    """
    try:
        sdk.runs.resolve(word)
    except NotFound as no_run:
        try:
            return sdk.runs.group(word)
        except NotFound as no_group:
            raise no_group if GROUP.match(word) else no_run from None
    return None
