"""Editing settings in ``$EDITOR`` as YAML: what was changed is applied, a bad edit is kept."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

from launch_tui.cli.documents import dump_yaml, parse_document
from launch_tui.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def edit_values(
    before: dict[str, Any],
    *,
    title: str,
    folder: Path,
    apply: Callable[[Mapping[str, Any]], object],
    told: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """Let the person edit values and apply those that were changed.

    Args:
        before: The values as they are.
        title: What is edited, as a comment above them.
        folder: Where the file for the editor may lie.
        apply: Takes what was changed; its UsageError means that the edit is bad.
        told: What to say about a value, as comments above it, a line each.

    Returns:
        The names of what was changed.

    Raises:
        UsageError: For a bad edit, which is kept in a file that the error names.
        LaunchError: When the editor fails.
    """
    from launch_tui.store.durable import unique_name

    path = folder / f"{unique_name('edit')}.yaml"
    path.write_text(_document(before, title, told or {}), encoding="utf-8")
    try:
        _run_editor(path)
        changes = _changes(before, path.read_text(encoding="utf-8"))
        if changes:
            apply(changes)
    except UnicodeDecodeError:
        raise UsageError("edit", f"is not UTF-8 text; it is kept in {path}") from None
    except UsageError as error:
        raise UsageError("edit", f"{error.cause}; it is kept in {path}") from error
    path.unlink(missing_ok=True)
    return list(changes)


def _document(before: dict[str, Any], title: str, told: Mapping[str, Sequence[str]]) -> str:
    parts = [f"# {title}\n"]
    for key, value in before.items():
        parts += [f"# {line}\n" for line in told.get(key, ())]
        parts.append(dump_yaml({key: value}))
    return "".join(parts)


def _run_editor(path: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        status = subprocess.run([*shlex.split(command), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        path.unlink(missing_ok=True)
        raise LaunchError(
            f"the editor {command!r} does not start: {error}", next_step="Set EDITOR to another."
        ) from error
    if status != 0:
        path.unlink(missing_ok=True)
        raise LaunchError(f"the editor ended with status {status}: nothing was changed")


def _changes(before: dict[str, Any], text: str) -> dict[str, Any]:
    after = parse_document(text, where="the text", field="YAML")
    if not isinstance(after, dict):
        raise UsageError("YAML", "holds no keys", allowed=", ".join(before))
    for key in after:
        if key not in before:
            raise UsageError(key, "is no setting", allowed=", ".join(before))
    for key in before:
        if key not in after:
            raise UsageError(key, "is missing")
        if after[key] is None and isinstance(before[key], dict | list):
            # What is left of a key when all lines under it were taken out.
            after[key] = type(before[key])()
        _check_kind(key, before[key], after[key])
    return {key: value for key, value in after.items() if _text(value) != _text(before[key])}


def _text(value: object) -> str:
    # Python has it that 1, 1.0 and true are equal; to a job they are not.
    return json.dumps(value, sort_keys=True, default=str)


def _check_kind(key: str, old: object, new: object) -> None:
    kinds: dict[type, str] = {
        bool: "true or false", str: "text", int: "a whole number", list: "a list", dict: "an object"
    }  # fmt: skip
    if type(new) is not type(old):
        raise UsageError(key, f"{new!r} is not {kinds[type(old)]}")
    if isinstance(new, list) and not all(isinstance(item, str) for item in new):
        raise UsageError(key, "is no list of texts")
