"""Lets a person edit a document in their own editor, the UI standing aside meanwhile."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.run import Run
    from launch_tui.tui.app import LaunchApp
    from launch_tui.tui.form_fields import Field

FIELDS = ("name", "project", "config", "tags", "note")


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
            with app.suspend():
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


def run_document(run: Run) -> str:
    """Return what of a waiting run can be changed, as YAML."""
    import yaml

    values = {field: getattr(run, field) for field in FIELDS}
    values["tags"] = list(run.tags)
    values["config"] = dict(run.config)
    head = f"# Run {run.id} of {run.job} waits in {run.queue}. Save and close to change it.\n"
    return head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def read_document(text: str) -> Mapping[str, Any]:
    """Return the changes that an edited document asks for.

    Raises:
        LaunchError: When it is no YAML, or not of that shape.
    """
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise LaunchError(f"not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict) or not set(values) <= set(FIELDS):
        raise LaunchError("not the document of a run", next_step=f"keep {', '.join(FIELDS)}")
    if not isinstance(values.get("config", {}), dict):
        raise LaunchError("config: is not a mapping")
    if not isinstance(values.get("tags", []), list):
        raise LaunchError("tags: is not a list")
    return {
        **{key: str(values[key] or "") for key in ("name", "project", "note") if key in values},
        **({"config": values["config"]} if "config" in values else {}),
        **({"tags": [str(tag) for tag in values["tags"]]} if "tags" in values else {}),
    }
