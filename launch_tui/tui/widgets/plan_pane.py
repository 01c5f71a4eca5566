"""The plan of a launch: exactly what will happen, and the command that does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content
from textual.widgets import Static

from launch_tui.domain.quantities import write_duration
from launch_tui.domain.resource_config import shown
from launch_tui.domain.text import printable
from launch_tui.domain.why import local_clock
from launch_tui.domain.words import write_value
from launch_tui.store.clock import now
from launch_tui.tui import keys
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.bar import clickable
from launch_tui.tui.widgets.scrolled import Scrolled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual.binding import BindingType

    from launch_tui.sdk.plan import Plan

SHOWN_VARIABLES = 8
"""Variables of the environment that are shown; the others are counted."""
MOST_LINED_UP = 16
"""Cells of a value behind which remarks stand in one column."""
_TELLING = ("CUDA_", "VIRTUAL_ENV", "CONDA_", "HF_", "NCCL_")


class PlanPane(Scrolled):
    """Shows a plan. ``command`` is the command that would do the same."""

    SCOPES: ClassVar[tuple[str, ...]] = ("plan",)
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("plan"))

    def __init__(self) -> None:
        super().__init__(id="plan", classes="pane")
        self.border_title = "Plan"
        self.command = ""
        self._body = Static("", markup=False)

    def compose(self) -> Iterable[Static]:
        """Compose the text."""
        yield self._body

    def show_plan(self, plan: Plan, command: str, given: Mapping[str, str]) -> None:
        """Show what will happen.

        Args:
            plan: The plan.
            command: The command that does the same.
            given: What this launch adds to the environment, as the plan shows it.
        """
        self.command = command
        self._body.update(plan_content(plan, command, given))

    def show_words(self, text: str) -> None:
        """Show why there is no plan."""
        self.command = ""
        self._body.update(Content.styled(printable(text), "$foreground-muted"))

    def action_plan_copy(self) -> None:
        """Copy the command."""
        if self.command:
            ui(self).copy(self.command)
        else:
            ui(self).tell_nothing_to_copy()


def plan_content(plan: Plan, command: str, given: Mapping[str, str]) -> Content:
    """Return a plan as text."""
    title = f"{plan.job}:{plan.version}" if plan.version else plan.job
    lines: list[Content] = [
        Content.assemble(
            (printable(title), "bold"), (f"  {printable(plan.name)}", "$foreground-muted")
        ),
        Content(""),
    ]
    lines += [
        Content.assemble((f"{number} ", "$primary"), printable(step))
        for number, step in enumerate(plan.steps, 1)
    ]
    lines += [Content.styled(f"! {printable(text)}", "$warning") for text in plan.warnings]
    if plan.runs > 1:
        words = f"makes {plan.runs:,} runs, one group; this is the first"
        lines += [Content(""), Content.styled(words, "bold $accent")]
    lines += _section("config", {k: write_value(v) for k, v in plan.config.items()})
    lines += _resources(plan)
    lines += _section("order", _order(plan))
    lines += _section("project", {plan.project: ""})
    lines += _environment(plan.environment, given)
    lines += [
        Content(""),
        Content.assemble(
            ("the same by command  ", "$foreground-muted"),
            ("copy", clickable("$primary underline", "screen.plan_copy()")),
        ),
        Content(printable(command)),
    ]
    return Content("\n").join(lines)


def _resources(plan: Plan) -> list[Content]:
    """Return the resource configuration that holds, each value with who set it."""
    values = {key: write_value(value) for key, value in plan.template_variables.items()}
    return [
        *_section("variables", values),
        *_section("resources", shown(plan.resources), plan.origins),
    ]


def _order(plan: Plan) -> dict[str, str]:
    """Return what decides when it starts, as far as that is not just its place in line."""
    order = {"priority": plan.priority, "after": ", ".join(plan.after)}
    if plan.not_before is not None:
        order["not before"] = local_clock(plan.not_before, now())
    if plan.retries:
        order["retries"] = f"{plan.retries}, on {', '.join(plan.retry_on)}"
    if plan.retries and plan.backoff:
        order["back-off"] = f"{write_duration(plan.backoff)}, doubled each time"
    return {name: value for name, value in order.items() if value}


def _section(
    title: str, values: Mapping[str, str], remarks: Mapping[str, str] | None = None
) -> list[Content]:
    if not values:
        return []
    width = max(len(name) for name in values)
    told = remarks or {}
    column = max((len(v) for v in values.values() if len(v) <= MOST_LINED_UP), default=0)
    rows = [
        Content.assemble(
            "  ", (printable(name.ljust(width) if value else name), ""),
            (f"  {printable(value).ljust(column if told else 0)}", "bold") if value else "",
            (f"  {told[name]}" if name in told else "", "$foreground-muted"),
        )
        for name, value in values.items()
    ]  # fmt: skip
    return [Content(""), Content.styled(title, "$foreground-muted"), *rows]


def _environment(environment: Mapping[str, str], given: Mapping[str, str]) -> list[Content]:
    telling = [name for name in environment if name in given or name.startswith(_TELLING)]
    shown = {name: environment[name] for name in telling[:SHOWN_VARIABLES]}
    rest = len(environment) - len(shown)
    lines = _section("environment", shown)
    if rest:
        words = (
            f"  and {rest} more that are captured"
            if shown
            else f"  {rest} variables that are captured"
        )
        head = [] if lines else [Content(""), Content.styled("environment", "$foreground-muted")]
        lines += [*head, Content.styled(words, "$foreground-muted")]
    return lines
