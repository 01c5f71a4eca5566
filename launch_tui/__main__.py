"""Entry point of ``python -m launch_tui`` and of the ``launch-tui`` command."""

from __future__ import annotations
