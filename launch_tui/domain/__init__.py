"""Pure values and rules: no I/O, no async, no third party."""

from __future__ import annotations
