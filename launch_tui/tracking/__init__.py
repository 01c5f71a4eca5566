"""What a job tells through ``wandb``, read from where wandb writes it."""

from __future__ import annotations
