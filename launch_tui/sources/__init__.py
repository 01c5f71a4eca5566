"""A job version becomes a directory of files."""

from __future__ import annotations
