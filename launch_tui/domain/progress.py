"""How far a job is, from what it says itself: its progress bar, its configuration, its metrics.

Scripts tell in many ways, and none of them promises anything. So what is read here is only ever as
much as was said: a bar that is drawn again and again is not taken for that of the whole job, and
when a job ends is foretold only from durations that it has shown (``time_left``).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch_tui.domain.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EPOCH, STEP = "epoch", "step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How much is done: ``at`` of ``of`` epochs or steps; ``share`` is the part, 0 to 1."""

    at: float
    of: float
    unit: str
    share: float

    @property
    def shown(self) -> str:
        """``3/10`` of epochs, else ``45%``."""
        if self.unit == EPOCH:
            return f"{self.at:.0f}/{self.of:.0f}"
        # Not rounded up: 100 % is for what is done.
        return f"{math.floor(self.share * 100 + 1e-9)}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A progress bar as a job drew it last. ``elapsed`` and ``left`` in seconds, where it says so.

    ``about`` is what it says that it counts. ``repeats`` says that another one of the same length
    was drawn to its end before it: it counts a part of the job, such as the batches of one epoch.
    """

    about: str
    at: float
    of: float
    elapsed: float | None = None
    left: float | None = None
    repeats: bool = False

    @property
    def share(self) -> float:
        """The part that is done, 0 to 1."""
        return min(max(self.at / self.of, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """At a time (seconds) so much was done."""

    time: float
    done: float


LEAST_SAMPLES = 4
LEAST_SECONDS = 10.0
LEAST_SHARE = 0.02
STEADY = 1.5
LATE = 3.0
FAR_S = 60 * 86400.0


def time_left(samples: Sequence[Sample], whole: float, now: float) -> float | None:
    """Return the seconds until all is done, None where the evidence is not good.

    Good is: at least four observations, over ten seconds and two parts in a hundred of the whole;
    a pace in their later half that is within one and a half times that of all of them; and no more
    than three usual distances since the last one, for what stands still foretells nothing. What
    would take more than sixty days is not foretold either.

    Args:
        samples: What was observed, oldest first.
        whole: How much there is to do.
        now: The time now, on the samples' clock.
    """
    if len(samples) < LEAST_SAMPLES:
        return None
    first, middle, last = samples[0], samples[len(samples) // 2], samples[-1]
    if last.time - first.time < LEAST_SECONDS or last.done - first.done < LEAST_SHARE * whole:
        return None
    if middle.time >= last.time or middle.done >= last.done:
        return None
    pace = (last.done - middle.done) / (last.time - middle.time)
    overall = (last.done - first.done) / (last.time - first.time)
    if not overall / STEADY <= pace <= overall * STEADY:
        return None
    usual = (last.time - first.time) / (len(samples) - 1)
    if now - last.time > LATE * usual:
        return None
    left = (whole - last.done) / pace - (now - last.time)
    return max(left, 0.0) if left < FAR_S else None


def bar_left(bar: Bar, ran: float, age: float) -> float | None:
    """Return the seconds that a job's own bar foretells, None where the evidence is not good.

    Good is: the bar says how long it took and how long it takes; it has done two parts in a hundred
    over ten seconds; it has been drawn for at least half of the time that the job runs, so that it
    is not that of a part; and it was drawn within the last minute.

    Args:
        bar: The bar.
        ran: How long the job has been running.
        age: How long ago the bar was drawn.
    """
    if bar.repeats or bar.elapsed is None or bar.left is None or not 0 <= age <= 60:
        return None
    if bar.elapsed < LEAST_SECONDS or bar.share < LEAST_SHARE or bar.elapsed < ran / 2:
        return None
    return max(bar.left - age, 0.0) if bar.left < FAR_S else None


_TQDM = re.compile(
    r"(?:(?P<about>[^|%]*?):?[ ]+)?(?P<percent>\d{1,3})%\|[^|]*\|[ ]*"
    r"(?P<at>[\d.]+)(?P<at_unit>[kKMGT]?)/(?P<of>[\d.]+)(?P<of_unit>[kKMGT]?)"
    r"[ ]*\[(?P<elapsed>[\d:]+)<(?P<left>[\d:?]+)(?P<pace>[^\]]*)"
)
_KERAS = re.compile(r"\A[ ]*(?P<at>\d+)/(?P<of>\d+)[ ]+(?:\[[=>.]*\]|[━╸╺ ]+)[ ]*(?P<rest>.*)\Z")
_EPOCH = re.compile(
    r"\bepochs?\b[ :=#\[(]{0,6}(?P<at>\d{1,6})[ ]*(?:/|of)[ ]*(?P<of>\d{1,6})\b", re.IGNORECASE
)
_SIZES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_LONGEST_PIECE = 2_000


def bar_in(text: bytes) -> Bar | None:
    """Return the bar that was drawn last in the end of a log; None when there is none."""
    last: Bar | None = None
    for piece in _pieces(text):
        found = _bar(piece)
        if found is None:
            continue
        if last is None:
            last = found
        elif found.of == last.of and found.share >= 1 > last.share:
            return Bar(
                about=last.about, at=last.at, of=last.of, elapsed=last.elapsed, left=last.left,
                repeats=True,
            )  # fmt: skip
    return last


def epoch_in(text: bytes) -> Done | None:
    """Return the last ``epoch 3/10`` of the end of a log; None when there is none."""
    for piece in _pieces(text):
        match = _EPOCH.search(piece)
        if match is None:
            continue
        at, of = float(match["at"]), float(match["of"])
        if 0 <= at <= of and of > 0:
            return Done(at=at, of=of, unit=EPOCH, share=max(at - 1, 0) / of)
    return None


def wholes(config: Mapping[str, Any]) -> dict[str, float]:
    """Return how many epochs and steps a configuration says there are, by unit."""
    found: dict[str, float] = {}
    for key, value in _leaves(config):
        unit = _WHOLES.get(key.rpartition(".")[2].lower().replace("-", "_"))
        if unit and isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            found.setdefault(unit, float(value))
    return found


COUNTERS: dict[str, tuple[str, ...]] = {
    EPOCH: ("epoch", "train/epoch", "train.epoch", "trainer/epoch", "epochs"),
    STEP: (
        "train/global_step", "trainer/global_step", "global_step", "train/step", "step", "steps",
        "iter", "iteration", "train/iter", "num_timesteps", "time/total_timesteps",
    ),
}  # fmt: skip
"""The metrics that count epochs or steps, the most trustworthy first."""

_WHOLES = {
    **dict.fromkeys(
        ("epochs", "num_epochs", "n_epochs", "nepochs", "max_epochs", "num_train_epochs",
         "total_epochs", "train_epochs"), EPOCH,
    ),
    **dict.fromkeys(
        ("max_steps", "total_steps", "train_steps", "num_train_steps", "max_train_steps",
         "max_iters", "num_iters", "total_iters", "max_iterations", "num_iterations",
         "training_steps", "total_timesteps"),
        STEP,
    ),
}  # fmt: skip


def epochs_done(at: float, of: float, *, least: float, rows: float) -> Done:
    """Return how far a metric that counts epochs is.

    Args:
        at: Its last value.
        of: How many epochs there are.
        least: Its least value: 0 where the script counts from there.
        rows: How many rows it logs for an epoch: with one, an epoch is over once it is logged.
    """
    if at != int(at) or least != int(least):
        # A fraction, as of the trainers that log several times in an epoch.
        return Done(at=min(math.ceil(at), of), of=of, unit=EPOCH, share=min(at / of, 1.0))
    shown = at + 1 if least == 0 else at
    over = shown if rows < _SEVERAL else shown - 1
    return Done(at=min(shown, of), of=of, unit=EPOCH, share=min(max(over / of, 0.0), 1.0))


_SEVERAL = 1.5


def _pieces(text: bytes) -> Iterator[str]:
    """Yield what was drawn, the last first: lines, and what a carriage return drew over."""
    for piece in reversed(re.split(rb"[\r\n]+", text)):
        if piece:
            yield plain(piece[-_LONGEST_PIECE:])


def _bar(piece: str) -> Bar | None:
    if match := _TQDM.search(piece):
        of = _size(match["of"], match["of_unit"])
        at = _size(match["at"], match["at_unit"])
        if of is None or at is None or of <= 0:
            return None
        return Bar(
            about=f"{match['about'] or ''} {match['pace']}".strip(), at=at, of=of,
            elapsed=_clock(match["elapsed"]), left=_clock(match["left"]),
        )  # fmt: skip
    if (match := _KERAS.match(piece)) and float(match["of"]) > 0:
        return Bar(about="", at=float(match["at"]), of=float(match["of"]))
    return None


def _size(digits: str, unit: str) -> float | None:
    try:
        return float(digits) * _SIZES[unit]
    except ValueError:
        return None


def _clock(text: str) -> float | None:
    """Return the seconds of ``1:02:03``; None for ``?``."""
    if not text.replace(":", "").isdecimal():
        return None
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part or 0)
    return seconds


def _leaves(tree: Mapping[str, Any], prefix: str = "", depth: int = 4) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            if depth:
                yield from _leaves(value, f"{prefix}{key}.", depth - 1)
        else:
            yield f"{prefix}{key}", value
