"""What turns the files of a job into something executable, and what the agent gets back for it.

A builder takes the attempt's working copy and the job's environment and returns an
``Interpreter``: which directories and variables the job's process gets. Builders know neither the
store nor the targets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from launch_tui.domain.job import Environment

_GENERIC_NAMES = frozenset({"python", "python3"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python that a job runs in, as changes to its command and its variables.

    ``key`` names the cached environment, empty when it is not one of ours; ``bin`` goes first on
    PATH; ``python_path`` goes first on PYTHONPATH (a job's own package, which is used from its
    working copy and never installed); ``variables`` are set and ``unset`` removed. ``wandb`` is
    the installed version where the builder knows it, else empty.
    """

    key: str = ""
    bin: Path | None = None
    python: Path | None = None
    python_path: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    wandb: str = ""

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the job's variables: ``base`` as if this interpreter had been activated."""
        result = {name: value for name, value in base.items() if name not in self.unset}
        result |= self.variables
        if self.bin is not None:
            result["PATH"] = _prepend([self.bin], result.get("PATH", ""))
        if self.python_path:
            result["PYTHONPATH"] = _prepend(self.python_path, result.get("PYTHONPATH", ""))
        return result

    def command(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return the command with a leading ``python`` or ``python3`` made this interpreter.

        An existing interpreter need not have a ``python`` beside it (Debian's has none).
        """
        first, *rest = arguments
        if self.python is not None and first in _GENERIC_NAMES:
            return (str(self.python), *rest)
        return tuple(arguments)


class Builder(Protocol):
    """What the agent asks of a builder."""

    async def build(
        self,
        source: Path,
        environment: Environment,
        log: Path,
        report: Callable[[str], None],
        *,
        variables: Mapping[str, str] | None = None,
    ) -> Interpreter:
        """Make the environment, or find it made.

        Args:
            source: The attempt's working copy.
            environment: Which environment the job version asks for.
            log: The build log; what is done is appended to it as it happens.
            report: Called with one short line at each step.
            variables: The job's captured variables (PATH, proxies, package index), which go
                before the builder's own.

        Raises:
            BuildFailed: With the package and the reason as cause.
        """
        ...


def _prepend(directories: Sequence[Path], path: str) -> str:
    return ":".join([*(str(directory) for directory in directories), *([path] if path else [])])
