"""The progress of a pull or a push, told as one line out of the engine's many."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPORT_S = 0.25
"""The time between two reports; a pull of seven layers says something a hundred times a second."""

_BEGUN = frozenset({"Pulling fs layer", "Waiting", "Preparing"})
_MOVING = frozenset({"Downloading", "Pushing"})
_UNPACKING = frozenset({"Verifying Checksum", "Download complete", "Extracting"})
_DONE = frozenset({"Pull complete", "Pushed"})
_THERE = frozenset({"Already exists", "Layer already exists"})
_MOUNTED = "Mounted from"


@dataclass(slots=True)
class _Layer:
    """One layer: bytes that came or went, of how many, and how far it is."""

    moved: int = 0
    total: int = 0
    moving: bool = True
    done: bool = False


class Layers:
    """Follows the steps that the engine tells.

    Args:
        verb: What is done, as a report begins: ``pulling``, ``pushing``.
        report: Gets the line, not more often than every ``REPORT_S``.
        write: Gets what belongs into the log: a line for each finished layer.
    """

    def __init__(
        self, verb: str, report: Callable[[str], None], write: Callable[[bytes], None]
    ) -> None:
        self._verb = verb
        self._report = report
        self._write = write
        self._layers: dict[str, _Layer] = {}
        self._reported = -REPORT_S
        self._said = ""

    def follow(self, step: Mapping[str, Any]) -> None:
        """Take in one step of the engine's answer."""
        status, name = str(step.get("status", "")), str(step.get("id", ""))
        if name and self._advance(name, status, step.get("progressDetail") or {}):
            self._tell()
        elif status and not name:
            self.log(status)

    def log(self, line: str) -> None:
        """Write a line into the log."""
        self._write(f"{line}\n".encode())

    def _advance(self, name: str, status: str, detail: Mapping[str, Any]) -> bool:
        """Note how far a layer is; says whether it is one."""
        there = status in _THERE or status.startswith(_MOUNTED)
        known = status in _BEGUN | _MOVING | _UNPACKING | _DONE
        if not (there or known):
            return False
        layer = self._layers.setdefault(name, _Layer())
        if status in _MOVING:
            layer.moved = int(detail.get("current") or layer.moved)
            layer.total = max(layer.total, layer.moved, int(detail.get("total") or 0))
        elif status not in _BEGUN:
            layer.moved, layer.moving = layer.total, False
        if (there or status in _DONE) and not layer.done:
            layer.done = True
            size = f" ({megabytes(layer.total)})" if layer.total else ""
            self.log(f"{name}: {status[0].lower()}{status[1:]}{size}")
        return True

    def _tell(self) -> None:
        now = time.monotonic()
        line = self._line()
        if line != self._said and now - self._reported >= REPORT_S:
            self._said, self._reported = line, now
            self._report(line)

    def _line(self) -> str:
        layers = self._layers.values()
        done = sum(layer.done for layer in layers)
        text = f"{self._verb}: {done} of {len(layers)} layers"
        if total := sum(layer.total for layer in layers):
            moved = sum(layer.moved for layer in layers)
            if any(layer.moving for layer in layers):
                return f"{text}, {megabytes(moved)} of {megabytes(total)}"
            return f"{text}, {megabytes(total)}"
        return text


def megabytes(size: int) -> str:
    """Return a size as Docker writes it: powers of ten, and what is small not as nothing."""
    if size >= 1_000_000_000:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 10_000_000 else f"{size / 1e6:.1f} MB"
