"""Screens over the store; whatever does something goes through ``launch_tui.sdk``."""

from __future__ import annotations
