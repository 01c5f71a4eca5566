"""What widgets and screens share: the way to their application, titles that are safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content

from launch_tui.domain.text import printable

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.widget import Widget

    from launch_tui.tui.app import LaunchApp


def entitle(widget: Widget, title: str, subtitle: str | None = None) -> None:
    """Set the texts in a widget's border, when they differ: each new one draws the whole widget.

    Args:
        widget: The widget.
        title: Text at the top, as it is stored.
        subtitle: Text at the bottom; None leaves it as it is.
    """
    wanted = Content(printable(title))
    if _text(widget.border_title) != wanted.plain:
        widget.border_title = wanted
    if subtitle is not None and _text(widget.border_subtitle) != printable(subtitle):
        widget.border_subtitle = Content(printable(subtitle))


def _text(title: object) -> str:
    return title.plain if isinstance(title, Content) else str(title or "")


def fit_manners(screen: DOMNode) -> None:
    """Have a screen's classes say how it is drawn: in ASCII alone, without frames."""
    app = ui(screen)
    screen.set_class(app.ascii_only, "-ascii")
    screen.set_class(app.manners.compact, "-compact")


def ui(node: DOMNode) -> LaunchApp:
    """Return the application of a node, with its own type."""
    return cast("LaunchApp", node.app)
