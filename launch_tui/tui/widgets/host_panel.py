"""The machine at a glance: processors, memory, load, and the disk of the data directory."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from launch_tui.domain.quantities import write_size
from launch_tui.tui.trend import over_time, spark
from launch_tui.tui.ui import entitle, ui

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.sdk.devices import HostFile, HostLook

MINUTES = 10
"""What the sparklines span."""
TREND, SHORT_TREND = 20, 8
VALUES = 24
"""Cells before a trend, where they stand below each other."""
TALL, MEDIUM = 32, 20
STALE_S = 20.0
"""A look that is older was not followed by another: no agent looks any more."""
_FULL = 0.9
"""From here on what is in use is told as a warning."""
_WEAK = "$foreground-muted"


class HostPanel(Static):
    """Shown once an agent has looked at the machine; drawn again with each look."""

    DEFAULT_CSS = """
    HostPanel { height: auto; display: none; }
    HostPanel.-found { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("", id=id, classes="pane aside", markup=False)

    def show_host(self, file: HostFile) -> None:
        """Show what was seen last, and how it went until then."""
        last = file.last
        self.set_class(last is not None, "-found")
        if last is None:
            return
        app = ui(self)
        at = datetime.fromtimestamp(last.at).astimezone()
        old = "  nobody looks now" if app.clock() - last.at > STALE_S else ""
        entitle(self, f"Machine  seen {at:%H:%M:%S}{old}", f"{MINUTES} minutes")
        lines = host_lines(
            list(file.looks), height=app.size.height, width=app.size.width,
            ascii_only=app.ascii_only,
        )  # fmt: skip
        self.update(Content("\n").join(lines))


def host_lines(
    looks: Sequence[HostLook], *, height: int, width: int, ascii_only: bool
) -> list[Content]:
    """Return what a panel says of the machine: less where there is less room.

    Args:
        looks: How it stood, the newest last.
        height: Lines of the terminal.
        width: Its columns.
        ascii_only: Whether to keep to ASCII.
    """
    last = looks[-1]

    def trend(part: Callable[[HostLook], float]) -> str:
        points = ((look.at, part(look)) for look in looks)
        cells = TREND if height >= TALL else SHORT_TREND
        spans = over_time(points, width=cells, seconds=MINUTES * 60.0, until=last.at)
        return spark(spans, ascii_only=ascii_only)

    cpu = _fact("cpu", f"{last.cpu:.0%} of {last.cpus:g}", last.cpu)
    memory = _fact("memory", f"{_sizes(last.memory_used, last.memory_total)}", _memory(last))
    disk = _fact("disk", f"{write_size(last.disk_free)} free of {write_size(last.disk_total)}",
                 _disk(last))  # fmt: skip
    load = _fact("load", f"{last.load:.2f}", last.load / last.cpus - 0.1 if last.cpus else 0.0)
    if height < MEDIUM:
        return [_joined([cpu, memory, disk], width)]
    of_cpu, of_memory = trend(lambda look: look.cpu), trend(_memory)
    last_line = _joined([disk, *_folders(last)], width)
    if height < TALL:
        return [
            _joined([_beside(cpu, of_cpu, 0), _beside(memory, of_memory, 0), load], width),
            last_line,
        ]
    lines = [_joined([_beside(cpu, of_cpu, VALUES), load], width)]
    return [*lines, _beside(memory, of_memory, VALUES), last_line]


def _memory(look: HostLook) -> float:
    return look.memory_used / look.memory_total if look.memory_total else 0.0


def _disk(look: HostLook) -> float:
    return 1 - look.disk_free / look.disk_total if look.disk_total else 0.0


def _sizes(used: int, total: int) -> str:
    return f"{write_size(used)} of {write_size(total)}"


def _folders(look: HostLook) -> list[Content]:
    if look.folders is None:
        return [Content.styled("sizes are being counted", _WEAK)]
    return [_fact(name, write_size(size), 0.0) for name, size in look.folders.items()]


def _fact(name: str, value: str, part: float) -> Content:
    return Content.assemble((f"{name} ", _WEAK), (value, "$warning" if part > _FULL else ""))


def _beside(fact: Content, line: str, column: int) -> Content:
    return Content.assemble(fact, " " * max(column - fact.cell_length, 1), (line, "$primary"))


def _joined(parts: Sequence[Content], width: int) -> Content:
    """Return as many parts as fit beside each other."""
    found = parts[0]
    for part in parts[1:]:
        longer = found + Content("   ") + part
        if longer.cell_length > width - 6:
            break
        found = longer
    return found
