"""SQLite and files: the only package that knows SQL, and where everything lives on disk."""

from __future__ import annotations
