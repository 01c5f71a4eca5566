"""The command line: parses, composes the parts, prints. One module per noun."""

from __future__ import annotations
