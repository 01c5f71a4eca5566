"""What ``fsck`` has found: where, what is wrong, what would be done about it, and what is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        phase: The part that was looked at: ``store``, ``runs``, ``artifacts``, ``git``,
            ``environments``, ``images`` or ``rest``.
        place: The file or directory, below the data directory.
        cause: What is wrong with it, in one line.
        next_step: What ``--repair`` does about it.
        lost: What cannot be had again; empty when all of it can.
        run: The run that it belongs to; empty for none.
        mend: Does it. Returns what was lost in doing so, where only that shows it.
    """

    phase: str
    place: str
    cause: str
    next_step: str
    lost: str = ""
    run: str = ""
    mend: Callable[[], str | None] = field(repr=False, compare=False)

    def described(self) -> dict[str, str]:
        """Return it as the JSON of ``fsck --json`` has it."""
        names = ("phase", "place", "cause", "next_step", "lost", "run")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found, or what a repair did.

    Attributes:
        found: What was wrong when it was looked at; after a repair what still is.
        mended: What was put right, each with what was lost in that (empty for nothing).
        notes: What is as it should be after a crash and nobody's loss, and worth knowing.
    """

    found: tuple[Finding, ...] = ()
    mended: tuple[tuple[Finding, str], ...] = ()
    notes: tuple[str, ...] = ()
