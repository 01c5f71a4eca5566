"""How a widget or screen reaches the application that it is part of."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from textual.dom import DOMNode

    from launch_tui.tui.app import LaunchApp


def ui(node: DOMNode) -> LaunchApp:
    """Return the application of a node, with its own type."""
    return cast("LaunchApp", node.app)
