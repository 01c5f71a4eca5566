from __future__ import annotations

import math

import pytest

from launch_tui.domain.metrics import (
    Telling,
    badness,
    declared,
    declaring,
    find_telling,
    is_epoch,
    metric_of,
    most_telling,
    smoothed,
    telling_text,
)
from launch_tui.errors import UsageError


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


def test_what_only_counts_is_told_last():
    assert most_telling({"epoch": 3, "reward": 7.0}) == "reward 7"
    assert most_telling({"epoch": 3}) == "epoch 3"


def test_a_declared_metric_is_told_before_any_other_where_the_run_has_it():
    f1 = Telling(key="f1", goal="max")
    assert most_telling({"loss": 0.5, "f1": 0.75}, f1) == "f1 0.75"
    assert most_telling({"loss": 0.5}, f1) == "loss 0.5"
    assert find_telling({"text": "x"}, f1) is None


def test_outputs_declare_a_metric_and_keep_the_rest():
    outputs = {"type": "object", "properties": {"f1": {"type": "number"}}}
    said = declaring(outputs, Telling(key="f1", goal="max"))
    assert said == {**outputs, "metric": {"name": "f1", "goal": "max"}}
    assert declared(said) == Telling(key="f1", goal="max")
    assert declaring(said, None) == outputs
    assert declared(outputs) is None
    assert declared({"metric": "f1"}) is None
    with pytest.raises(UsageError, match="min, max"):
        declaring(outputs, Telling(key="f1", goal="upwards"))


@pytest.mark.parametrize(
    ("telling", "better", "worse"),
    [
        (Telling(key="val/loss"), 0.1, 0.2),
        (Telling(key="acc"), 0.9, 0.8),
        (Telling(key="acc", goal="min"), 0.8, 0.9),
        (Telling(key="f1", goal="max"), 0.9, 0.8),
    ],
)
def test_the_better_of_two_sorts_first(telling, better, worse):
    assert badness(telling, better) < badness(telling, worse)


def test_what_is_no_number_sorts_nowhere():
    assert metric_of({"loss": math.nan}) == ("loss", None)
    assert metric_of({"text": "x"}) == ("", None)
    assert metric_of({"acc": 0.5, "n": 10**400}) == ("acc", -0.5)


def test_a_metrics_text_is_known_whatever_its_value():
    assert telling_text("train/loss 0.31", "train/loss")
    assert telling_text("loss nan", "loss")
    assert not telling_text("loss of power", "loss of")
    assert not telling_text("loss 0.31", "acc")
    assert not telling_text("0.31", "")


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
