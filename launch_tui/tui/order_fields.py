"""The fields that say how many runs a launch makes, when they start, and what is tried again."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any

from launch_tui.domain.quantities import parse_duration, write_duration
from launch_tui.errors import UsageError
from launch_tui.tui.form_fields import Field, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.spec import RunSpec

PARAMS = "params"
FLAGS = {
    "--param": PARAMS,
    "--after": "after",
    "--begin": "begin",
    "--retries": "retries",
    "--retry-on": "retry_on",
    "--backoff": "backoff",
}
"""Flag that an error names -> key of the field."""


def params_field() -> Field:
    """Return the field for parameters: a run for each combination of their values."""
    return Field(
        key=PARAMS,
        label="params",
        hint="key=a,b,c …",
        description="a run for each: lr=1e-3,3e-4 seed=0..4",
        read=read_params,
    )


def order_fields(had: RunSpec | None) -> list[Field]:
    """Return the fields for when it starts and when it is tried again; ``had`` is a rerun's run."""
    retries = had.retries if had is not None else 0
    retry_on = " ".join(had.retry_on) if had is not None and retries else ""
    backoff = write_duration(had.backoff) if had is not None and retries else ""
    return [
        Field(key="after", label="after", hint="RUN:ok|failed|any", apart=True, read=_after),
        Field(key="begin", label="begin", hint="+2h, 22:30", read=_begin),
        Field(key="retries", label="retries", kind=Kind.INTEGER, hint="int · 0..100",
              begins=str(retries) if retries else "", shown_default=str(retries),
              read=_retries),
        Field(key="retry_on", label="retry on", hint="words", needs="retries",
              begins=retry_on, shown_default=retry_on or "failed lost preempted",
              read=_retry_on),
        Field(key="backoff", label="back-off", hint="such as 30s", needs="retries",
              begins=backoff, shown_default=backoff or "0s", read=_backoff),
    ]  # fmt: skip


def order_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what these fields ask for, as arguments of a ``LaunchRequest``."""
    return {
        "params": values.get(PARAMS, {}),
        "after": values.get("after", ()),
        "begin": values.get("begin", ""),
        "retries": values.get("retries"),
        "retry_on": values.get("retry_on", ()),
        "backoff": values.get("backoff"),
    }


def run_count(params: Mapping[str, Sequence[Any]]) -> int:
    """Return how many runs parameters make; one without any."""
    return math.prod(len(values) for values in params.values())


def read_params(text: str) -> dict[str, list[Any]]:
    """Return the values of each parameter."""
    from launch_tui.domain.params import parse_params

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(PARAMS, f"cannot be read: {error}") from None
    return parse_params(words, field=PARAMS)


def _after(text: str) -> tuple[str, ...]:
    from launch_tui.domain.dependency import parse_dependency

    words = tuple(text.replace(",", " ").split())
    for word in words:
        parse_dependency(word, field="after")
    return words


def _begin(text: str) -> str:
    from datetime import datetime

    from launch_tui.domain.begin import parse_begin

    parse_begin(text, now=datetime.now().astimezone(), field="begin")
    return text.strip()


def _retries(text: str) -> int:
    from launch_tui.sdk.launching import MAX_RETRIES

    allowed = f"0 to {MAX_RETRIES}"
    try:
        value = int(text.strip())
    except ValueError:
        raise UsageError("retries", "is no whole number", allowed=allowed) from None
    if not 0 <= value <= MAX_RETRIES:
        raise UsageError("retries", f"{value} is not possible", allowed=allowed)
    return value


def _retry_on(text: str) -> tuple[str, ...]:
    from launch_tui.domain.failure import parse_retry_on

    return parse_retry_on(text.replace(",", " ").split(), field="retry on")


def _backoff(text: str) -> float:
    return parse_duration(text.strip(), field="back-off")
