"""The metrics of one to six runs as curves: what is followed on disk, and where on x it lies.

Only keys that are asked for are read. ``x`` is the step, the time since the run began, or the
epoch; system metrics have no steps, so they always lie on time.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum
from itertools import accumulate
from math import ceil, floor, isfinite, nan
from typing import TYPE_CHECKING, NamedTuple

from launch_tui.domain.metrics import is_epoch, rank
from launch_tui.store.series_follow import LOOK_BUDGET, SeriesFollower, Trace
from launch_tui.tui.widgets.plot import NOTHING, Curve, curve_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from launch_tui.store._downsample import Bucket
    from launch_tui.store.series import SeriesInfo

SYSTEM = "system/"
SMOOTH_BUCKETS = 512
"""Buckets of a curve that is smoothed; W&B takes a line to have a thousand points."""

_AXIS_BUCKETS = 512
_RUNTIME, _TIMESTAMP = "_runtime", "_timestamp"
_HIDDEN = ("_step", _RUNTIME, _TIMESTAMP, "_wandb")
_MICROSECONDS = 1e6


class Key(NamedTuple):
    """A key of the history, or a system metric."""

    name: str
    system: bool = False

    @property
    def title(self) -> str:
        """What it is called on the screen."""
        return f"{SYSTEM}{self.name}" if self.system else self.name


class Axis(StrEnum):
    """What x is."""

    STEP = "step"
    TIME = "time"
    EPOCH = "epoch"


class Scaled(NamedTuple):
    """Where steps lie on an axis: pairs that rise, between which is interpolated."""

    steps: Sequence[float]
    xs: Sequence[float]

    def x_of(self, step: float) -> float:
        """Return the x of a step; NaN where nothing is known of the axis."""
        return _interpolated(self.steps, self.xs, step)

    def step_of(self, x: float) -> float:
        """Return the step at an x."""
        return _interpolated(self.xs, self.steps, x)


class RunCurves:
    """The curves of one run.

    Args:
        path: Its file of metrics; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._follower = SeriesFollower(path)
        self._traces: dict[Key, Trace] = {}
        self._scaled: dict[Axis, tuple[object, Scaled | None]] = {}
        self._state: object = None
        self._all = True
        self._names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._placing: dict[Axis, tuple[str, ...]] = dict.fromkeys(Axis, ())
        self.keys: tuple[Key, ...] = ()
        """The keys that are shown."""
        self.axes: tuple[Axis, ...] = (Axis.STEP,)
        """What x may be."""

    def changed(self) -> bool:
        """Say whether there may be something that was not read, and take it as seen."""
        state, self._state = self._state, _state_of(self._path)
        return state != self._state or not self._all

    def look_at_names(self) -> None:
        """Read which keys there are."""
        names = self._follower.names()
        if names is self._names:
            return
        self._names = names
        history, system = names
        self.keys = (
            *(Key(name) for name in history if not name.startswith(_HIDDEN)),
            *(Key(name, True) for name in system),
        )
        timed = tuple(name for name in (_RUNTIME, _TIMESTAMP) if name in history)
        epochs = sorted(filter(is_epoch, history), key=lambda name: (len(name), name))[:1]
        # System metrics lie on time whatever x is, and the cross-hair goes over all charts.
        self._placing = dict.fromkeys(Axis, timed) | {Axis.EPOCH: (*timed, *epochs)}
        self.axes = (
            Axis.STEP,
            *([Axis.TIME] if timed else []),
            *([Axis.EPOCH] if epochs else []),
        )

    def look(self, keys: Iterable[Key], limit: int, axis: Axis, budget: int) -> None:
        """Read what is new of these keys and of what places them on the axis; forget others."""
        wanted = dict.fromkeys(keys, limit)
        wanted |= {Key(n): max(limit, _AXIS_BUCKETS) for n in self._placing[axis]}
        self._traces = {key: self._trace(key, limit) for key, limit in wanted.items()}
        self._all = self._follower.look(list(self._traces.values()), budget=budget)

    def version(self, key: Key, axis: Axis) -> object:
        """Return what differs when the curve does."""
        placing = () if axis is Axis.STEP and not key.system else self._placing[axis]
        traces = [self._traces.get(one) for one in (key, *map(Key, placing))]
        return tuple((id(t), t.file, t.seen) if t else None for t in traces)

    def last(self, key: Key) -> float | None:
        """Return the newest value; None when there is none."""
        buckets = self._buckets(key)
        return buckets[-1].last if buckets else None

    def curve(
        self, key: Key, axis: Axis, window: tuple[float, float] | None = None, most: int = 0
    ) -> Curve:
        """Return a key as a curve.

        Args:
            key: Which.
            axis: What x is, for a key of the history.
            window: The part of x that is shown, None for all of it. What lies outside may come too.
            most: Buckets that the part needs to be sharp; if it has fewer, it is read by itself.
        """
        buckets, place = self._buckets(key), self._place(key, axis)
        if not buckets or place is None:
            return NOTHING
        if window is not None:
            buckets = self._sharpened(key, buckets, self._span(key, axis, window), most)
        return curve_of(buckets, place)

    def span(self, key: Key, axis: Axis, window: tuple[float, float]) -> tuple[float, float]:
        """Return a part of x as steps, or for a system metric as seconds since the epoch."""
        first, last = self._span(key, axis, window)
        return (first / _MICROSECONDS, last / _MICROSECONDS) if key.system else (first, last)

    def infos(self, keys: Sequence[Key]) -> dict[Key, SeriesInfo]:
        """Return what these keys came to."""
        found: dict[Key, SeriesInfo] = {}
        for system in (False, True):
            names = [key.name for key in keys if key.system == system]
            infos = self._follower.infos(names, stats=system)
            found.update((Key(name, system), info) for name, info in infos.items())
        return found

    def scaled(self, axis: Axis) -> Scaled | None:
        """Return where steps lie on an axis; None when this run cannot tell."""
        names = self._placing[axis]
        traces = [self._traces.get(Key(name)) for name in names]
        known = tuple((id(trace), trace.seen) if trace else None for trace in traces)
        before = self._scaled.get(axis)
        if before is None or before[0] != known:
            before = self._scaled[axis] = (known, self._make_scaled(axis, names))
        return before[1]

    def close(self) -> None:
        """Let go of the file."""
        self._follower.close()

    def _trace(self, key: Key, limit: int) -> Trace:
        trace = self._traces.get(key)
        if trace is None or trace.limit != limit:
            trace = Trace(key.name, limit, stats=key.system)
        return trace

    def _buckets(self, key: Key) -> Sequence[Bucket]:
        trace = self._traces.get(key)
        return trace.buckets if trace is not None else ()

    def _make_scaled(self, axis: Axis, names: Sequence[str]) -> Scaled | None:
        if axis is Axis.STEP:
            return None
        if axis is Axis.EPOCH:
            return self._milestones(names[-1]) if names and is_epoch(names[-1]) else None
        if _RUNTIME in names:
            return self._milestones(_RUNTIME)
        return self._milestones(_TIMESTAMP, since_first=True) if names else None

    def _milestones(self, name: str, *, since_first: bool = False) -> Scaled | None:
        pairs: list[tuple[float, float]] = []
        for bucket in self._buckets(Key(name)):
            if isfinite(bucket.minimum):
                pairs.append((bucket.first_step, bucket.minimum))
            if isfinite(bucket.maximum) and bucket.last_step > bucket.first_step:
                pairs.append((bucket.last_step, bucket.maximum))
        if not pairs:
            return None
        start = pairs[0][1] if since_first else 0.0
        # A key that falls (an attempt that began anew) cannot be looked up; it stands still.
        xs = [value - start for value in accumulate((value for _, value in pairs), max)]
        return Scaled([step for step, _ in pairs], xs)

    def _place(self, key: Key, axis: Axis) -> Callable[[Sequence[float]], Sequence[float]] | None:
        """Return what gives the x of steps, None when this run cannot tell."""
        if key.system:
            began = self._began()
            return lambda steps: [step / _MICROSECONDS - began for step in steps]
        if axis is Axis.STEP:
            return lambda steps: steps
        scaled = self.scaled(axis)
        if scaled is None:
            return None
        return lambda steps: [scaled.x_of(step) for step in steps]

    def _began(self) -> float:
        """Return when the run began, in seconds since the epoch, as well as its metrics tell."""
        stamps, runtimes = self._buckets(Key(_TIMESTAMP)), self._buckets(Key(_RUNTIME))
        if stamps and isfinite(stamps[0].minimum):
            ran = runtimes[0].minimum if runtimes and isfinite(runtimes[0].minimum) else 0.0
            return stamps[0].minimum - ran
        firsts = [t.buckets[0].first_step for k, t in self._traces.items() if k.system and t.seen]
        return min(firsts, default=0) / _MICROSECONDS

    def _span(self, key: Key, axis: Axis, window: tuple[float, float]) -> tuple[float, float]:
        """Return a part of x as steps; nothing where the axis is not known."""
        left, right = window
        if key.system:
            began = self._began()
            left, right = ((x + began) * _MICROSECONDS for x in window)
        elif (scaled := self.scaled(axis)) is not None:
            left, right = scaled.step_of(left), scaled.step_of(right)
        return (left, right) if isfinite(left) and isfinite(right) else (0.0, -1.0)

    def _sharpened(
        self, key: Key, buckets: Sequence[Bucket], span: tuple[float, float], most: int
    ) -> Sequence[Bucket]:
        """Return buckets of which those between two steps are as fine as they are drawn."""
        first, last = floor(span[0]), ceil(span[1])
        inside = [b for b in buckets if b.last_step >= first and b.first_step <= last]
        if len(inside) >= most or all(b.count < 2 for b in inside):
            return buckets
        if key.system:
            found = self._follower.stats_chart(
                key.name, most, first / _MICROSECONDS, last / _MICROSECONDS
            )
        else:
            found = self._follower.chart(key.name, most, first, last)
        before = [b for b in buckets if b.last_step < first]
        return [*before, *found, *(b for b in buckets if b.first_step > last)]


class Curves:
    """The curves of the runs that are shown together.

    Args:
        place_of: Where the file of metrics of a run is.
    """

    def __init__(self, place_of: Callable[[str], Path]) -> None:
        self._place_of = place_of
        self._known: object = None
        self.runs: dict[str, RunCurves] = {}
        self.keys: tuple[Key, ...] = ()
        """All keys: losses, accuracies, the rest by name, and then system metrics."""
        self.axes: tuple[Axis, ...] = (Axis.STEP,)
        """What x may be, for one run at least."""

    def follow(self, run_ids: Sequence[str]) -> None:
        """Show other runs."""
        for run_id in [run_id for run_id in self.runs if run_id not in run_ids]:
            self.runs.pop(run_id).close()
        self.runs = {
            run_id: self.runs.get(run_id) or RunCurves(self._place_of(run_id)) for run_id in run_ids
        }
        self.look_at_names()

    def changed(self) -> bool:
        """Say whether there may be something that was not read."""
        # Each is asked: what was seen of one must not wait for another.
        changed = [run.changed() for run in self.runs.values()]
        return any(changed)

    def look_at_names(self) -> None:
        """Read which keys there are."""
        for run in self.runs.values():
            run.look_at_names()
        known = tuple(run.keys for run in self.runs.values())
        if known != self._known:
            self._known = known
            every = {key for keys in known for key in keys}
            self.keys = tuple(sorted(every, key=lambda key: (key.system, rank(key.name))))
            found = {axis for run in self.runs.values() for axis in run.axes}
            self.axes = tuple(axis for axis in Axis if axis in found)

    def look(self, keys: Sequence[Key], limit: int, axis: Axis) -> None:
        """Read what is new; what does not fit into one look comes with the next."""
        budget = LOOK_BUDGET // max(len(self.runs), 1)
        for run in self.runs.values():
            run.look(keys, limit, axis, budget)

    def converted(self, x: float, own: Axis, other: Axis) -> float | None:
        """Return an x of one axis on another, as the first run that knows both has it."""
        if own == other:
            return x
        for run in self.runs.values():
            one, two = run.scaled(own), run.scaled(other)
            if (one is None and own is not Axis.STEP) or (two is None and other is not Axis.STEP):
                continue
            step = x if one is None else one.step_of(x)
            found = step if two is None else two.x_of(step)
            return found if isfinite(found) else None
        return None

    def close(self) -> None:
        """Let go of all files."""
        self.follow(())


def _state_of(path: Path) -> object:
    """Return what differs when a file of metrics has changed."""
    states = []
    for name in (path, path.with_name(path.name + "-wal")):
        try:
            found = name.stat()
        except OSError:
            states.append((0, 0))
        else:
            # An empty log is as good as none, and readers make one.
            states.append((found.st_mtime_ns if found.st_size else 0, found.st_size))
    return tuple(states)


def _interpolated(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    if not xs:
        return nan
    after = bisect_right(xs, x)
    if after == 0 or after == len(xs):
        return ys[0] if after == 0 else ys[-1]
    one, two = xs[after - 1], xs[after]
    return ys[after - 1] + (ys[after] - ys[after - 1]) * (x - one) / (two - one)
