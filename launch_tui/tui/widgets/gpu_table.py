"""The GPUs of the machine: how busy each is, and who has it, runs and strangers alike."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from launch_tui.domain.quantities import write_size
from launch_tui.tui.trend import over_time, spark
from launch_tui.tui.ui import entitle, ui
from launch_tui.tui.widgets.columns import Column
from launch_tui.tui.widgets.host_panel import MINUTES
from launch_tui.tui.widgets.list_rows import ListRows
from launch_tui.tui.widgets.window_table import Cell, Row, WindowTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launch_tui.domain.slots import Gpu, Stranger
    from launch_tui.sdk.devices import Devices, HostLook, RunUse

_BAR = 10
_TREND = 12
COLUMNS = (
    Column(key="gpu", label="GPU", width=3, right=True),
    Column(key="name", label="NAME", width=16, rank=3),
    Column(key="bar", label="MEMORY", width=_BAR, rank=2),
    Column(key="memory", label="USED", width=12, right=True),
    Column(key="utilization", label="UTIL", width=4, right=True),
    Column(key="temperature", label="TEMP", width=5, rank=1, right=True),
    Column(key="trend", label="10 MIN", width=_TREND, rank=4),
    Column(key="by", label="USED BY", width=24, flexible=True),
)
_FRAME = 3
"""Lines of the table that are no rows: its border and its header."""


class GpuTable(WindowTable):
    """One line for each GPU, one more for each further run or stranger on it.

    The key of a line is the GPU's UUID and the id of the run that the line is about, if any.
    """

    DEFAULT_CSS = """
    GpuTable { height: auto; max-height: 50%; display: none; }
    GpuTable.-found { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        self._lines = ListRows()
        super().__init__(COLUMNS, self._lines, id=id, classes="pane aside")

    def show_devices(self, devices: Devices | None, looks: Sequence[HostLook] = ()) -> None:
        """Show what was seen; nothing at all where there is no GPU.

        Args:
            devices: What the agent saw last.
            looks: How the machine stood before, the newest last.
        """
        gpus = devices.machine.gpus if devices is not None else ()
        self.set_class(bool(gpus), "-found")
        if devices is None or not gpus:
            return
        ascii_only = ui(self).ascii_only
        uses: dict[str, list[RunUse]] = {}
        for use in devices.runs:
            uses.setdefault(use.uuid, []).append(use)
        self._lines.rows = [
            row
            for gpu in sorted(gpus, key=lambda gpu: gpu.index)
            for row in gpu_rows(
                gpu,
                uses.get(gpu.uuid, []),
                trend_of(gpu.uuid, looks, ascii_only=ascii_only),
                ascii_only=ascii_only,
            )
        ]
        self.styles.height = len(self._lines.rows) + _FRAME
        at = datetime.fromtimestamp(devices.sampled_at).astimezone()
        entitle(self, f"GPUs  {len(gpus)}  seen {at:%H:%M:%S}", devices.trouble)
        self.reload()


def run_of(key: str) -> str:
    """Return the run that a line of the table is about; empty for none."""
    return key.partition(" ")[2]


def trend_of(uuid: str, looks: Sequence[HostLook], *, ascii_only: bool) -> str:
    """Return how busy a GPU was in the last minutes; empty where that is not known."""
    points = [
        (look.at, busy / 100)
        for look in looks
        if (gpu := look.gpus.get(uuid)) is not None and (busy := gpu.busy) is not None
    ]
    if not points:
        return ""
    spans = over_time(points, width=_TREND, seconds=MINUTES * 60.0, until=looks[-1].at)
    return spark(spans, ascii_only=ascii_only)


def gpu_rows(gpu: Gpu, uses: list[RunUse], trend: str = "", *, ascii_only: bool) -> Iterator[Row]:
    """Yield a GPU's lines: the first with how it stands, all with one of those that use it."""
    users = [*(_run(use) for use in uses), *(_stranger(one) for one in gpu.strangers)]
    (run_id, by), *more = users or [("", Cell("free", "dim"))]
    standing = _standing(gpu, ascii_only=ascii_only)
    yield Row(key=f"{gpu.uuid} {run_id}", cells=(*standing, Cell(trend), by))
    blank = [Cell("")] * (len(COLUMNS) - 1)
    for number, (run_id, by) in enumerate(more):
        yield Row(key=f"{gpu.uuid}/{number} {run_id}", cells=(*blank, by))


def _standing(gpu: Gpu, *, ascii_only: bool) -> tuple[Cell, ...]:
    busy = "" if gpu.utilization is None else f"{gpu.utilization}%"
    warmth = "" if gpu.temperature is None else f"{gpu.temperature}{'' if ascii_only else '°'}C"
    part = gpu.memory_used / gpu.memory_total if gpu.memory_total else 0.0
    used = f"{write_size(gpu.memory_used)}/{write_size(gpu.memory_total)}"
    return (
        Cell(str(gpu.index), "bold"),
        Cell(gpu.name.removeprefix("NVIDIA ")),
        Cell(_bar(part, ascii_only=ascii_only)),
        Cell(used),
        Cell(busy),
        Cell(warmth, "dim"),
    )


def _bar(part: float, *, ascii_only: bool) -> str:
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    filled = min(max(round(part * _BAR), 0), _BAR)
    return full * filled + empty * (_BAR - filled)


def _run(use: RunUse) -> tuple[str, Cell]:
    share = f" of {write_size(use.assigned)}" if use.assigned else ""
    used = f"  {write_size(use.used)}{share}" if use.used or share else ""
    return use.run_id, Cell(f"run {use.run_id}{used}", "bold")


def _stranger(stranger: Stranger) -> tuple[str, Cell]:
    size = write_size(stranger.memory)
    if stranger.run_id:
        return stranger.run_id, Cell(f"run {stranger.run_id}, not given it  {size}", "yellow")
    if not stranger.pid:
        return "", Cell(f"a process that cannot be seen from here  {size}", "yellow")
    user = stranger.user or "another user"
    return "", Cell(f"pid {stranger.pid} of {user}  {size}", "yellow")
