"""The persistent loop that claims runs, carries them out and settles them."""

from __future__ import annotations
