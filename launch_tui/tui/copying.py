"""What of a run can be copied: by the menu of ``y``, and by name from the palette."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.environment import looks_secret
from launch_tui.domain.text import log_line, plain
from launch_tui.errors import LaunchError
from launch_tui.sdk.request import LaunchRequest, command_line
from launch_tui.store.logs import tail_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch

TAIL_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Copyable:
    """One thing that can be copied: the letter that chooses it, what it is called, what it gives.

    ``text`` may read files, and gives an empty text where there is nothing.
    """

    id: str
    key: str
    label: str
    text: Callable[[Launch, Run], str]


def launch_command(launch: Launch, run: Run) -> str:
    """Return the command that launches a run like this one; without the values of secrets."""
    spec = launch.runs.spec(run.id)
    try:
        launch.jobs.get(f"{run.job}:{run.version}")
    except LaunchError:
        # In a folder as it was, or of a job that is gone: only the run itself can be run again.
        return f"launch-tui rerun {run.id}"
    return command_line(
        LaunchRequest(
            job=f"{run.job}:{run.version}",
            queue=run.queue,
            config=launch.runs.given_config(run.id),
            name="" if run.name == run.job else run.name,
            project="" if run.project == run.job else run.project,
            tags=run.tags,
            note=run.note,
            priority="" if run.priority == "medium" else run.priority,
            setenv={k: v for k, v in spec.setenv.items() if not looks_secret(k)},
            pass_env=(*spec.pass_env, *(k for k in spec.setenv if looks_secret(k))),
            secrets=spec.secrets,
            resource_args=spec.resource_args,
            template_variables=spec.template_variables,
        )
    )


def log_tail(launch: Launch, run: Run) -> str:
    """Return the last lines of a run's log, as a terminal would have shown them."""
    lines = tail_lines(launch.runs.log_path(run.id), TAIL_LINES)
    return "\n".join(plain(log_line(line)) for line in lines)


def _page(launch: Launch, run: Run) -> str:
    from launch_tui.sdk.pages import page_of

    return page_of(launch, run.id).url


def _config(_: Launch, run: Run) -> str:
    return json.dumps(dict(run.config), indent=2, ensure_ascii=False)


def _cause(_: Launch, run: Run) -> str:
    return ". ".join(filter(None, (run.cause, run.next_step)))


COPYABLE: tuple[Copyable, ...] = (
    Copyable(id="id", key="i", label="id", text=lambda _, run: run.id),
    Copyable(id="url", key="u", label="URL", text=_page),
    Copyable(id="config", key="c", label="config JSON", text=_config),
    Copyable(id="command", key="m", label="CLI command", text=launch_command),
    Copyable(id="rerun", key="r", label="command that runs it again",
             text=lambda _, run: f"launch-tui rerun {run.id}"),
    Copyable(id="log", key="l", label="log path",
             text=lambda launch, run: str(launch.runs.log_path(run.id))),
    Copyable(id="tail", key="t", label=f"log tail {TAIL_LINES}", text=log_tail),
    Copyable(id="directory", key="d", label="directory", text=lambda _, run: run.directory),
    Copyable(id="cause", key="e", label="cause and next step", text=_cause),
)  # fmt: skip
BY_ID: dict[str, Copyable] = {one.id: one for one in COPYABLE}
