"""``-c`` of a launch: a file, stdin or text, with a configuration or W&B's launch spec."""

from __future__ import annotations

from typing import Any

from launch_tui.cli.documents import read_object
from launch_tui.cli.output import notes
from launch_tui.sdk.launch_spec import read_spec


def read_config(given: str, *, field: str = "-c") -> dict[str, Any]:
    """Return what ``-c`` gives, in the shape of W&B's launch spec.

    Args:
        given: A path, ``-`` for stdin, or an object as text.
        field: How an error names it.

    Raises:
        UsageError: When it cannot be read, or is a spec that asks for what there is not.
    """
    spec, unused = read_spec(read_object(given, field=field), field=field)
    notes(unused)
    return spec
