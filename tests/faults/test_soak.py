"""The soak and the figures of docs/crash-safety.md, at counts that fit into every test run."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import soak

SEED = 20261122


@pytest.mark.timeout(300)
def test_some_rounds_at_random():
    assert soak.soak(0.3, SEED) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("figure", "counts"),
    [
        (soak.acknowledged_launches, {"launches": 60, "kills": 8}),
        (soak.starts_and_outcomes, {"runs": 30, "kills": 12}),
        (soak.supervisors, {"kills": 6}),
        (soak.peers, {"launches": 5}),
        (soak.memory, {"runs": 250, "every": 50}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_figure_at_a_small_count(figure, counts):
    assert list(figure(random.Random(SEED), **counts)) == []
