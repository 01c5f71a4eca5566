"""How it stands with a webhook, in a few words, as the command line and the UI say it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch_tui.store.outbox import Subscriber


def told(hook: Subscriber) -> str:
    """Return how it stands: what was delivered, what waits and why, what was given up."""
    parts = [f"of {', '.join(hook.on)}", f"{hook.delivered:,} delivered"]
    if hook.pending:
        parts.append(f"{hook.pending:,} waiting{_next(hook)}")
    if hook.given_up:
        parts.append(f"{hook.given_up:,} given up")
    if hook.error:
        parts.append(f"last try: {hook.error}")
    return "; ".join(parts)


def _next(hook: Subscriber) -> str:
    if not hook.next_at:
        return ""
    at = datetime.fromisoformat(hook.next_at).astimezone()
    return f", next try {at:%H:%M:%S}"
