"""The demo's training job and the configurations it is launched with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB_DIRECTORY = Path(__file__).with_name("job")
"""The folder of the job: train.py and its requirements.txt."""

CONFIGURATIONS: Mapping[str, Mapping[str, int | float]] = {
    "small-network": {"hidden_size": 32, "learning_rate": 0.002},
    "wide-network": {"hidden_size": 192, "learning_rate": 0.001},
    "fast-learner": {"hidden_size": 96, "learning_rate": 0.02},
}
"""Name of a run -> what it changes in the job's defaults."""
