from __future__ import annotations

import math

from launch_tui.agent.watching import without, worth_knowing


def test_a_loss_is_worth_knowing_before_anything_else():
    assert worth_knowing({"epoch": 3, "accuracy": 0.5, "loss": 0.31234567}) == "loss 0.3123"
    assert worth_knowing({"epoch": 3, "train/loss": 0.5}) == "train/loss 0.5"
    assert worth_knowing({"val_loss": 0.4, "loss": 0.5}) == "loss 0.5"


def test_accuracy_comes_before_the_rest():
    assert worth_knowing({"epoch": 3, "val/acc": 0.91}) == "val/acc 0.91"


def test_a_loss_that_is_not_a_number_is_told():
    assert worth_knowing({"loss": math.nan}) == "loss nan"


def test_wandbs_own_keys_and_texts_are_not_worth_knowing():
    assert worth_knowing({"_step": 1, "_runtime": 2.0, "text": "hello"}) == ""
    assert worth_knowing({}) == ""


def test_what_a_launch_gave_is_left_out_of_what_the_script_set_itself():
    config = {"lr": 0.5, "bs": 8, "model": {"layers": 5, "name": "a"}, "all": {"x": 1}}
    given = {"lr": 0.5, "model": {"layers": 5}, "all": {"x": 1}}
    assert without(config, given) == {"bs": 8, "model": {"name": "a"}}
