"""Lets a person edit a document in their own editor, the UI standing aside meanwhile."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.errors import LaunchError, UsageError
from launch_tui.tui.aside import standing_aside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.config_keys import Key
    from launch_tui.domain.queue import Queue
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.tui.app import LaunchApp
    from launch_tui.tui.form_fields import Field


def editor() -> list[str]:
    """Return the command of the person's editor: VISUAL, EDITOR, else vi."""
    return shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")


def edit_text(app: LaunchApp, text: str, *, suffix: str = ".yaml") -> str | None:
    """Show a text in the person's editor.

    Args:
        app: The application, which leaves the terminal to the editor. The agent goes on.
        text: What to edit.
        suffix: The file's ending, by which editors know the language.

    Returns:
        The text as the person saved it; None when nothing was changed.

    Raises:
        LaunchError: When the editor cannot be run or fails.
    """
    with tempfile.TemporaryDirectory(prefix="launch-tui-") as folder:
        path = Path(folder, f"edit{suffix}")
        path.write_text(text, "utf-8")
        try:
            with standing_aside(app):
                status = subprocess.run([*editor(), str(path)], check=False).returncode
        except OSError as error:
            raise LaunchError(f"{editor()[0]}: {error.strerror}", next_step="set EDITOR") from error
        if status:
            raise LaunchError(f"{editor()[0]} ended with status {status}; nothing was changed")
        edited = path.read_text("utf-8", "replace")
    return None if edited == text else edited


def edit_field(app: LaunchApp, field: Field, text: str) -> str | None:
    """Show what a field holds in the person's editor, below what can be said of it.

    Returns:
        What it is to hold, None when nothing was changed. A field of one line gets one line.

    Raises:
        LaunchError: When the editor cannot be run or fails.
    """
    from launch_tui.tui.form_fields import Kind

    told = [f"# {line}".rstrip() for line in field.told]
    suffix = {Kind.JSON: ".json", Kind.DOCUMENT: ".yaml"}.get(field.kind, ".txt")
    edited = edit_text(app, "".join(f"{line}\n" for line in told) + text, suffix=suffix)
    if edited is None:
        return None
    if not field.is_text_of_lines:
        return " ".join(edited.split("\n")).strip()
    return "\n".join(line for line in edited.split("\n") if line not in told)


def write_yaml(values: Mapping[str, Any]) -> str:
    """Return an object as YAML for a person: texts stay texts, several lines stay lines."""
    import yaml

    from launch_tui.domain.words import parse_value

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    def write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        lines = text.split("\n")
        style = None if text.isprintable() else '"'
        if len(lines) > 1 and all(line.isprintable() and line == line.rstrip() for line in lines):
            style = "|"
        elif style is None and (text.startswith("0o") or parse_value(text) != text):
            # YAML 1.1, by which PyYAML writes, has 1e-3 as text.
            style = "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, write_text)
    dumped = yaml.dump(dict(values), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return str(dumped) if values else ""


def key_lines(keys: Sequence[Key]) -> tuple[str, ...]:
    """Return the keys of a resource configuration with what they take, a line each."""
    width = max((len(key.name) for key in keys), default=0)
    return tuple(f"  {key.name:<{width}}  {key.allowed}: {key.help}" for key in keys)


def variable_lines(variables: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a queue's template variables with what they take, a line each."""
    from launch_tui.domain.template import allowed

    return tuple(f"  {name}: {allowed(declaration)}" for name, declaration in variables.items())


def run_document(run: Run, spec: RunSpec, queue: Queue) -> str:
    """Return what of a waiting run can be changed, as YAML with what may stand there."""
    from launch_tui.domain.run import Priority
    from launch_tui.sdk.queues import launch_keys

    keys = launch_keys(queue.resource)
    told = {
        "priority": (", ".join(Priority),),
        "after": ("runs to wait for: RUN, RUN:ok, RUN:failed or RUN:any",),
        "begin": ("the earliest start: +2h, 22:30 or an ISO time",),
        "resource_args": (f"keys of {queue.resource}, over those of the queue:", *key_lines(keys)),
        "template_variables": variable_lines(queue.template_variables),
    }
    parts = [f"# Run {run.id} of {run.job} waits in {run.queue}. Save and close to change it.\n"]
    for name, value in _editable(run, spec, queue).items():
        parts += [f"# {line}\n" for line in told.get(name, ())]
        parts.append(write_yaml({name: value}))
    return "".join(parts)


def read_changes(text: str, document: str) -> dict[str, Any]:
    """Return the changes that an edited document asks for.

    Args:
        text: The document as the person saved it.
        document: As ``run_document`` gave it.

    Raises:
        UsageError: When it cannot be read, or a value is of another kind than it was.
    """
    from launch_tui.domain.document import read_document

    before, after = read_document(document, "YAML"), read_document(f"{text}\n", "YAML")
    for name, value in after.items():
        if name not in before:
            raise UsageError(name, "cannot be edited", allowed=", ".join(before))
        # What is left of a key when all that stood under it was taken out.
        after[name] = type(before[name])() if value is None else value
        if type(after[name]) is not type(before[name]):
            kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
            raise UsageError(name, "is of another kind", allowed=kinds[type(before[name])])
        if isinstance(value, list) and not all(isinstance(word, str) for word in value):
            raise UsageError(name, "is no list of texts", allowed="words, in quotes if numbers")
    return {name: value for name, value in after.items() if value != before[name]}


def _editable(run: Run, spec: RunSpec, queue: Queue) -> dict[str, Any]:
    values = {
        "name": run.name,
        "project": run.project,
        "config": dict(run.config),
        "tags": list(run.tags),
        "note": run.note,
        "after": list(run.after),
        "begin": run.not_before or "",
        "resource_args": dict(spec.resource_args),
    }
    if queue.prioritized:
        values["priority"] = str(run.priority)
    if queue.template_variables:
        values["template_variables"] = dict(spec.template_variables)
    return values
