from __future__ import annotations

import math

import pytest

from launch_tui.domain.metrics import is_epoch, most_telling, smoothed


def test_a_loss_is_worth_knowing_before_anything_else():
    assert most_telling({"epoch": 3, "accuracy": 0.5, "loss": 0.31234567}) == "loss 0.3123"
    assert most_telling({"epoch": 3, "train/loss": 0.5}) == "train/loss 0.5"
    assert most_telling({"val_loss": 0.4, "loss": 0.5}) == "loss 0.5"


def test_accuracy_comes_before_the_rest():
    assert most_telling({"epoch": 3, "val/acc": 0.91}) == "val/acc 0.91"


def test_a_loss_that_is_not_a_number_is_told():
    assert most_telling({"loss": math.nan}) == "loss nan"


def test_wandbs_own_keys_and_texts_are_not_most_telling():
    assert most_telling({"_step": 1, "_runtime": 2.0, "text": "hello"}) == ""
    assert most_telling({}) == ""


def test_nested_numbers_are_joined_by_dots():
    assert most_telling({"best_accuracy": 0.9, "val": {"loss": 0.5}}) == "val.loss 0.5"
    assert most_telling({"ready": True}) == ""


def wandbs(xs, ys, smoothing):
    """The code of W&B's documentation, line by line."""
    weight = min(math.sqrt(smoothing or 0), 0.999)
    last_y, debias, result = 0.0, 0.0, []
    for index, y in enumerate(ys):
        before = index - 1 if index > 0 else 0
        change = (xs[index] - xs[before]) / (xs[-1] - xs[0]) * 1000
        adjusted = weight**change
        last_y = last_y * adjusted + y
        debias = debias * adjusted + 1
        result.append(last_y / debias)
    return result


@pytest.mark.parametrize("smoothing", [0.6, 0.9, 0.9999])
def test_smoothing_is_wandbs(smoothing):
    xs = [0, 1, 2, 5, 7, 50, 51, 400, 2_000]
    ys = [3.0, 1.0, 2.0, 5.0, -1.0, 0.5, 8.0, 2.0, 4.0]
    assert smoothed(xs, ys, smoothing) == pytest.approx(wandbs(xs, ys, smoothing))


def test_smoothing_leaves_gaps_and_a_smooth_line_alone():
    line = smoothed([0, 1, 2, 3], [1.0, math.nan, math.inf, 1.0], 0.9)
    assert line[0] == line[3] == 1.0
    assert math.isnan(line[1])
    assert line[2] == math.inf
    assert smoothed([0, 1], [1.0, 2.0], 0) == [1.0, 2.0]
    assert smoothed([5, 5, 5], [1.0, 2.0, 6.0], 0.6) == [1.0, 1.5, 3.0]
    assert smoothed([], [], 0.9) == []


def test_keys_that_count_epochs():
    assert all(map(is_epoch, ("epoch", "train/epoch", "trainer.Epoch", "epochs")))
    assert not any(map(is_epoch, ("epoch_loss", "epoch/loss", "step")))
