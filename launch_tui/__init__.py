"""W&B Launch for your own machines, in the terminal."""

from __future__ import annotations

__version__ = "0.1.0"
