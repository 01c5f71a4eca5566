"""What somebody who helps needs to know of this installation, in one text, without secrets.

Everything in it is on the screens or in the store; it only spares a person the collecting.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from launch_tui import __version__
from launch_tui.domain.hiding import without_secrets

if TYPE_CHECKING:
    from launch_tui.sdk import Launch
    from launch_tui.tui.app import LaunchApp

EVENTS = 200
_TERMINAL = ("TERM", "COLORTERM", "TERM_PROGRAM", "LANG", "LC_ALL", "LC_CTYPE")
_SAID_ONLY = ("SSH_CONNECTION", "TMUX", "NO_COLOR", "EDITOR")
"""Variables of which only is told whether they are set."""


def debug_bundle(app: LaunchApp) -> str:
    """Return the text, as JSON that can be read."""
    told = {
        "versions": _versions(),
        "terminal": _terminal(app),
        "settings": {"problem": app.manners.problem, "theme": app.theme,
                     "keymap": app.keymap.overlay()},
        "said": [words for _, words in app.agent_words],
        **_stored(app.launch),
    }  # fmt: skip
    last = app.host_file.last
    told["host"] = None if last is None else asdict(last)
    return json.dumps(without_secrets(told), indent=1, ensure_ascii=False, default=str)


def _versions() -> dict[str, str]:
    return {
        "launch_tui": __version__,
        "python": platform.python_version(),
        "textual": version("textual"),
        "system": platform.platform(),
    }


def _terminal(app: LaunchApp) -> dict[str, Any]:
    return {
        **{name: os.environ[name] for name in _TERMINAL if name in os.environ},
        **{name: name in os.environ for name in _SAID_ONLY},
        "size": f"{app.size.width}x{app.size.height}",
        "ascii": app.ascii_only,
        "read_only": app.read_only,
        "browser": app.is_web,
        "skipped_frames": app.pulse.skipped,
    }


def _stored(launch: Launch) -> dict[str, Any]:
    agent = launch.agents.status()
    return {
        "home": str(launch.home.root),
        "runs": launch.queues.state_counts(),
        "agent": None if agent is None else asdict(agent),
        "webhooks": [asdict(each) for each in launch.agents.webhooks()],
        "queues": [asdict(queue) for queue in launch.queues.list()],
        "events": [asdict(event) for event in launch.agents.events(limit=EVENTS)],
    }
