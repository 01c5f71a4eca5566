"""A directory of files becomes something executable: an interpreter or an image."""

from __future__ import annotations
