"""How far a job is, from what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.progress import (
    Bar,
    Sample,
    bar_in,
    bar_left,
    epoch_in,
    epochs_done,
    time_left,
    wholes,
)

TQDM = "Training:  45%|████▌     | 450/1000 [02:00<02:26, 3.75it/s, loss=0.31]"


def test_the_bar_that_was_drawn_last_is_found_whatever_drew_over_it():
    text = f"start\n  0%|          | 0/1000 [00:00<?, ?it/s]\r{TQDM}\r\x1b[32m{TQDM}\x1b[0m"
    bar = bar_in(text.encode())
    assert (bar.at, bar.of, bar.elapsed, bar.left) == (450, 1000, 120, 146)
    assert bar.share == 0.45
    assert not bar.repeats


@pytest.mark.parametrize(
    ("line", "at", "of"),
    [
        (" 12%|█▏        | 1.20M/10.0M [00:10<01:13, 120kB/s]", 1.2e6, 1e7),
        (" 10%|#         | 3/30 [1:02:03<?, 4.1s/epoch]", 3, 30),
        ("450/1000 [=====>........] - ETA: 12s - loss: 0.3", 450, 1000),
        (" 450/1000 ━━━━━━━━━━━━━━━━━━━━ 12s 25ms/step - loss: 0.3", 450, 1000),
        ("Epoch 3:  45%|████▌     | 450/1000 [00:12<00:15, 35.9it/s]", 450, 1000),
    ],
)
def test_bars_of_many_kinds(line, at, of):
    bar = bar_in(line.encode())
    assert (bar.at, bar.of) == (at, of)


@pytest.mark.parametrize(
    "text",
    ["", "epoch 3 loss 0.3", "50% of 100", "12/40 apples", "  0%|   | 0/0 [00:00<?, ?it/s]"],
)
def test_what_is_no_bar(text):
    assert bar_in(text.encode()) is None


def test_a_bar_that_was_full_before_counts_a_part_only():
    full = "100%|██████████| 1000/1000 [00:30<00:00, 33.3it/s]"
    assert bar_in(f"{full}\n{TQDM}".encode()).repeats
    assert not bar_in(f"100%|██████████| 60/60 [00:01<00:00, 60it/s]\n{TQDM}".encode()).repeats


@given(st.binary(max_size=300))
def test_any_bytes_have_a_bar_or_none(data):
    bar = bar_in(data)
    assert bar is None or 0 <= bar.share <= 1
    epoch = epoch_in(data)
    assert epoch is None or 0 <= epoch.share <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Epoch 3/10\n", "3/10"),
        ("[epoch: 3/10] loss 1", "3/10"),
        ("epoch 1/10 done\nepoch 2 of 10\n", "2/10"),
        ("EPOCH [  7/200 ]", "7/200"),
    ],
)
def test_an_epoch_in_words(text, shown):
    assert epoch_in(text.encode()).shown == shown


@pytest.mark.parametrize("text", ["epoch 12/10", "epoch 3", "epochs 0/0", "step 3/10"])
def test_what_is_no_epoch(text):
    assert epoch_in(text.encode()) is None


def test_the_wholes_that_a_configuration_says():
    config = {"train": {"num-epochs": 10}, "max_steps": -1, "total_steps": 500, "amp": True}
    assert wholes(config) == {"epoch": 10, "step": 500}
    assert wholes({"epochs": True, "max_iters": "many", "n_steps": 2048}) == {}


@pytest.mark.parametrize(
    ("at", "least", "rows", "shown", "share"),
    [
        (3, 1, 1, "3/10", 0.3),
        (2, 0, 1, "3/10", 0.3),
        (2, 0, 50, "3/10", 0.2),
        (3, 1, 50, "3/10", 0.2),
        (2.35, 0.1, 9, "3/10", 0.235),
        (9, 0, 1, "10/10", 1.0),
        (10, 1, 1, "10/10", 1.0),
    ],
)
def test_epochs_are_counted_as_the_script_counts(at, least, rows, shown, share):
    done = epochs_done(at, 10, least=least, rows=rows)
    assert done.shown == shown
    assert done.share == pytest.approx(share)


def steady(number, *, seconds=10.0, start=1000.0):
    return [Sample(start + n * seconds, float(n)) for n in range(number)]


def test_time_that_is_left_follows_from_a_steady_pace():
    samples = steady(11)
    assert time_left(samples, 100, now=1100) == pytest.approx(900)
    assert time_left(samples, 100, now=1105) == pytest.approx(895)


@pytest.mark.parametrize(
    ("samples", "whole", "now", "why"),
    [
        (steady(3), 100, 1020, "three observations"),
        (steady(11, seconds=0.5), 100, 1005, "five seconds"),
        (steady(11), 1000, 1100, "one part in a hundred"),
        (steady(11), 100, 1200, "nothing for ten distances"),
        (
            [*steady(6), *(Sample(1050 + n * 100, 5.0 + n) for n in range(1, 6))],
            100,
            1550,
            "slower",
        ),
        ([Sample(1000 + n * 10, 5.0) for n in range(11)], 100, 1100, "no advance"),
        (steady(11, seconds=1e5), 1e5, 1000 + 1e6, "too far"),
    ],
)
def test_nothing_is_foretold_without_good_evidence(samples, whole, now, why):
    assert time_left(samples, whole, now) is None, why


@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e6)), max_size=12),
    st.floats(1, 1e6),
    st.floats(0, 1e9),
)
def test_what_is_foretold_is_never_negative(pairs, whole, now):
    samples = [Sample(time, done) for time, done in sorted(pairs)]
    left = time_left(samples, whole, now)
    assert left is None or left >= 0


def bar(**changes):
    given = {"about": "", "at": 450.0, "of": 1000.0, "elapsed": 120.0, "left": 146.0, **changes}
    return Bar(**given)


def test_a_bar_of_the_whole_job_foretells_its_end():
    assert bar_left(bar(), ran=130, age=2) == 144


@pytest.mark.parametrize(
    ("changes", "ran", "age"),
    [
        ({"repeats": True}, 130, 0),
        ({"left": None}, 130, 0),
        ({"elapsed": 5.0}, 8, 0),
        ({"at": 5.0}, 130, 0),
        ({}, 500, 0),
        ({}, 130, 61),
    ],
)
def test_a_bar_of_a_part_or_of_long_ago_foretells_nothing(changes, ran, age):
    assert bar_left(bar(**changes), ran=ran, age=age) is None
