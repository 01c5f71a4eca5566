"""The tabs of a run that are text: its config with all that decides it, and what happened to it."""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.content import Content

from launch_tui.domain.environment import looks_secret
from launch_tui.domain.job import CodeSource, GitSource
from launch_tui.domain.managed_files import path_of
from launch_tui.domain.quantities import write_duration, write_size
from launch_tui.domain.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from launch_tui.domain.output import Output
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.store.read import Event

MASK = "••••"
LONGEST = 400
"""Characters of a value that are shown; the whole is one copy away."""

MOST_FILES = 12
"""Files of an artifact that are shown."""

Pair = tuple[str, str]


def config_page(
    run: Run,
    spec: RunSpec,
    gpus: Mapping[str, str] | None = None,
    outputs: Sequence[Output] = (),
) -> Content:
    """Return config, summary, outputs, command, order, resources and environment of a run.

    Args:
        run: The run.
        spec: Its request. Values of secrets are masked.
        gpus: What each GPU that is known here is called, by its UUID.
        outputs: The artifacts that it has logged.
    """
    sections: list[tuple[str, list[Pair]]] = [
        ("Config", list(flattened(run.config))),
        ("Summary", [p for p in flattened(run.summary) if not p[0].startswith("_wandb")]),
        ("Outputs", list(_outputs(outputs))),
        ("W&B", _wandb(run)),
        ("Launch", _launch(run, spec)),
        ("Order", _order(run, spec)),
        ("Resources", _resources(run, spec, gpus or {})),
        ("Environment set by the launch", _set_by_launch(spec)),
        ("Environment captured at the launch", [(k, v) for k, v in spec.captured.items()]),
    ]
    shown = [_section(title, pairs) for title, pairs in sections if pairs]
    return Content("\n\n").join(shown)


def events_page(events: Sequence[Event], width: int) -> Content:
    """Return one line for each event: when, what became of it, who, and what was said."""
    if not events:
        return Content("Nothing has happened yet")
    lines = []
    for event in events:
        when = datetime.fromisoformat(event.at).astimezone().strftime("%m-%d %H:%M:%S")
        actor = printable(event.actor.split(":")[0])
        lines.append(
            Content.assemble(
                (f"{when}  ", "$foreground 60%"),
                (f"{event.state or '':<10}", "bold"),
                (f"{actor:<10.10}" if width > 60 else "", "$foreground 60%"),
                printable(event.message),
            )
        )
    return Content("\n").join(lines)


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[Pair]:
    """Yield dotted keys and their values as text."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from flattened(value, name if path_of(key) else f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _outputs(outputs: Sequence[Output]) -> Iterator[Pair]:
    """Yield each artifact, with its first files below it."""
    for output in outputs:
        aliases = f" ({', '.join(output.aliases)})" if output.aliases else ""
        number = f"{len(output.files):,} file{'s' * (len(output.files) != 1)}"
        yield output.full_name, f"{output.type}{aliases}, {number}, {write_size(output.size)}"
        for file in output.files[:MOST_FILES]:
            told = f"-> {file.reference}" if file.reference else write_size(file.size)
            yield f"  {file.path}", told
        if len(output.files) > MOST_FILES:
            yield "  …", f"{len(output.files) - MOST_FILES:,} more: launch-tui files"


def _wandb(run: Run) -> list[Pair]:
    """Return how far it has been sent to a W&B server."""
    sync = run.sync
    pairs = [
        ("sync", str(sync.state)),
        ("page", sync.url or ""),
        ("since", sync.at or ""),
        ("cause", sync.cause or ""),
        ("next step", (sync.next_step or "") if sync.cause else ""),
        ("next try", sync.next_at or ""),
    ]
    return [(name, value) for name, value in pairs if value] if sync.state else []


def _launch(run: Run, spec: RunSpec) -> list[Pair]:
    environment = spec.environment
    pairs = [
        ("command", shlex.join((*spec.command, *(spec.arguments or ())))),
        ("source", _source(spec)),
        ("image", run.image or ""),
        ("digest", run.image_digest or ""),
        ("python", " ".join(filter(None, (environment.mode, environment.python_version,
                                          environment.interpreter)))),
        ("directory", run.directory),
        ("tracking", spec.tracking),
        ("links", ", ".join(spec.links)),
        ("tags", ", ".join(run.tags)),
        ("note", run.note),
        ("created", run.created_at),
        ("started", run.started_at or ""),
        ("ended", run.ended_at or ""),
    ]  # fmt: skip
    return [(name, value) for name, value in pairs if value]


def _order(run: Run, spec: RunSpec) -> list[Pair]:
    """Return what decides when it runs and whether it is tried again."""
    retries = ""
    if spec.retries:
        backoff = f", back-off {write_duration(spec.backoff)}" if spec.backoff else ""
        retries = f"{run.retried} of {spec.retries} on {', '.join(spec.retry_on)}{backoff}"
    pairs = [
        ("priority", "" if run.priority == "medium" else run.priority),
        ("group", run.group),
        ("after", ", ".join(run.after)),
        ("not before", run.not_before or ""),
        ("attempt", str(run.attempt) if run.attempt > 1 else ""),
        ("retries", retries),
        ("failure", run.failure or ""),
    ]
    return [(name, value) for name, value in pairs if value]


def _resources(run: Run, spec: RunSpec, gpus: Mapping[str, str]) -> list[Pair]:
    """Return the queue's settings with those of the launch over them, and the GPUs given."""
    given = {name for name, _ in flattened(spec.resource_args)}
    pairs = []
    for name, value in flattened(spec.resources):
        shown = MASK if looks_secret(name.rpartition(".")[2]) else value
        pairs.append((name, f"{shown}  (this launch)" if name in given else shown))
    pairs += [(f"{{{{{name}}}}}", str(value)) for name, value in spec.template_variables.items()]
    return pairs + [("on GPU", gpus.get(uuid, uuid)) for uuid in run.gpus]


def _source(spec: RunSpec) -> str:
    source = spec.source
    if spec.in_place:
        return f"{spec.in_place}, in place"
    if isinstance(source, GitSource):
        ref = f" ({source.ref})" if source.ref else ""
        return f"{source.url} at {source.commit[:12]}{ref}"
    if isinstance(source, CodeSource):
        return f"{source.path}, snapshot {source.digest[:12]}, {source.files} files"
    return source.image


def _set_by_launch(spec: RunSpec) -> list[Pair]:
    pairs = [(k, MASK if looks_secret(k) else v) for k, v in spec.setenv.items()]
    pairs += [(name, f"{MASK}  of the agent's environment") for name in spec.pass_env]
    return pairs + [(name, f"{MASK}  secret") for name in spec.secrets]


def _section(title: str, pairs: Iterable[Pair]) -> Content:
    shown = [(printable(name), printable(value[:LONGEST])) for name, value in pairs]
    width = min(max(len(name) for name, _ in shown), 40)
    lines = [Content.styled(title, "bold $primary")]
    lines += [
        Content.assemble((f"  {name:<{width}}  ", "$foreground 60%"), value)
        for name, value in shown
    ]
    return Content("\n").join(lines)
