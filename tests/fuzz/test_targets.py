"""Every fuzzer over its seeds, over broken copies of them, and over what it has ever found."""

from __future__ import annotations

import random

import pytest

from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS, run

MUTANTS = 60


def broken(seed, rng):
    """A copy of a seed with a few bytes changed, cut, doubled or put in."""
    data = bytearray(seed[:4_096])
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(data))
        match rng.randint(0, 3):
            case 0 if data:
                data[min(at, len(data) - 1)] = rng.randint(0, 255)
            case 1:
                del data[at : at + rng.randint(1, 9)]
            case 2:
                data[at:at] = data[at : at + rng.randint(1, 40)] * rng.randint(1, 9)
            case _:
                data[at:at] = rng.randbytes(rng.randint(1, 5))
    return bytes(data)


def test_every_target_has_seeds():
    assert set(SEEDS) == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_over_seeds_and_broken_copies(name):
    rng = random.Random(name)
    for seed in SEEDS[name]:
        run(name, seed)
        for _ in range(MUTANTS // len(SEEDS[name]) + 1):
            run(name, broken(seed, rng))
