from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from launch_tui.tracking.offline import STRIPPED, job_environment, why_untracked
from launch_tui.tracking.variables import CONFIG_PIECE


def test_the_whole_environment():
    assert job_environment(
        run_id="abc12345",
        directory=Path("/r/1/wandb"),
        project="p",
        name="n",
        entity="e",
        config={"lr": math.inf, "d": {"x": [1, None]}},
        tags=("a", "b"),
        notes="a note",
        queue="gpu",
        attempt=2,
    ) == {
        "WANDB_MODE": "offline",
        "WANDB_DIR": "/r/1/wandb",
        "WANDB_DATA_DIR": "/r/1/wandb",
        "WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL": "0.5",
        "WANDB_LAUNCH": "true",
        "WANDB_RUN_ID": "abc12345",
        "WANDB_PROJECT": "p",
        "WANDB_NAME": "n",
        "WANDB_ENTITY": "e",
        "WANDB_TAGS": "a,b",
        "WANDB_NOTES": "a note",
        "WANDB_LAUNCH_QUEUE_NAME": "gpu",
        "WANDB_RESUME": "allow",
        "WANDB_CONFIG": '{"lr": Infinity, "d": {"x": [1, null]}}',
    }


def test_what_is_not_given_is_left_to_the_script():
    assert sorted(job_environment(run_id="abc12345", directory=Path("/w"))) == [
        "WANDB_DATA_DIR",
        "WANDB_DIR",
        "WANDB_LAUNCH",
        "WANDB_MODE",
        "WANDB_RUN_ID",
        "WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL",
    ]


@pytest.mark.parametrize("size", [CONFIG_PIECE - 9, CONFIG_PIECE - 8, 100_000])
def test_a_long_config_goes_in_pieces_that_join(size):
    config = {"k": "x" * size}
    variables = job_environment(run_id="a", directory=Path("/w"), config=config)
    pieces = [variables[name] for name in variables if name.startswith("WANDB_CONFIG")]
    assert json.loads("".join(pieces)) == config
    assert all(len(piece) <= CONFIG_PIECE for piece in pieces)
    assert ("WANDB_CONFIG" in variables) == (size == CONFIG_PIECE - 9)
    if size == 100_000:
        assert [f"WANDB_CONFIG_{n}" in variables for n in range(5)] == [True] * 4 + [False]


def test_everything_that_is_set_is_first_stripped():
    ours = job_environment(
        run_id="a", directory=Path("/w"), tags=("t",), queue="q", config={"k": "x" * 99_999}
    )
    assert set(ours) - {"WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL"} <= set(STRIPPED)
    assert {"WANDB_SERVICE", "WANDB_ARTIFACTS", "WANDB_SWEEP_ID", "WANDB_RUN_ID"} <= set(STRIPPED)


@pytest.mark.parametrize(
    ("tail", "environment", "reason"),
    [
        (b"", {"WANDB_MODE": "disabled"}, "wandb is disabled (WANDB_MODE=disabled)"),
        (b"", {"WANDB_DISABLED": "true"}, "wandb is disabled (WANDB_DISABLED=true)"),
        (b"fine\n", {"WANDB_MODE": "offline", "WANDB_DISABLED": ""}, None),
        (
            b"Traceback\n  import wandb\nModuleNotFoundError: No module named 'wandb'\n",
            {},
            "wandb is not installed (ModuleNotFoundError: No module named 'wandb')",
        ),
        (b"ModuleNotFoundError: No module named 'wandbx'", {}, None),
        (b"wandb: W&B disabled.\n", {}, "wandb is disabled (W&B disabled.)"),
        (
            b"UsageError: No API key configured. Use `wandb login` to log in.",
            {},
            "the script sets mode='online' and wandb has no API key (No API key configured)",
        ),
    ],
)
def test_why_a_job_was_not_tracked(tail, environment, reason):
    assert why_untracked(tail, environment) == reason
