"""The widgets that live data needs and no library does well enough."""

from __future__ import annotations
