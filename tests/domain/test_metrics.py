from __future__ import annotations

import math

from launch_tui.domain.metrics import most_telling


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
