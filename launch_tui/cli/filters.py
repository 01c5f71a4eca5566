"""``filter``: filters with a name, as the screens have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.cli.output import line, print_json, say, table

if TYPE_CHECKING:
    from launch_tui.cli.parsing import Arguments


def list_filters(arguments: Arguments) -> int:
    """Print the saved filters."""
    with arguments.open() as sdk:
        found = sdk.filters.list()
    if arguments.json:
        print_json(dict(found))
        return 0
    if not found:
        say("no filters")
    table(("FILTER", "EXPRESSION"), list(found.items()))
    return 0


def save(arguments: Arguments) -> int:
    """Give a filter a name."""
    name, text = arguments.words
    with arguments.open() as sdk:
        sdk.filters.save(name, text)
    line(f"{name}  saved")
    return 0


def delete(arguments: Arguments) -> int:
    """Forget filters."""
    with arguments.open() as sdk:
        for name in arguments.words:
            sdk.filters.delete(name)
            line(f"{name}  deleted")
    return 0
