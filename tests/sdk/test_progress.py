"""How far runs are, from real files of metrics and logs."""

from __future__ import annotations

import os

import pytest

from launch_tui.domain.run import RunState
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.progress import progress_of, stamp
from launch_tui.store import write
from launch_tui.store.clock import iso
from launch_tui.store.series import SeriesWriter

START = 1_800_000_000.0


@pytest.fixture
def make(launch, job):
    """Returns ``make(state, config) -> Run``: a run that has been running since ``START``."""

    def made(state=RunState.RUNNING, config=None, summary=None):
        run_id = launch.launch(LaunchRequest(job=job.name, config=config or {})).id
        ended = None if state is RunState.RUNNING else iso(START + 500)
        launch.db.execute(
            "UPDATE runs SET state = ?, started_at = ?, ended_at = ? WHERE id = ?",
            (state, iso(START), ended, run_id),
        )
        if summary is not None:
            write.observe(launch.db, run_id, {"summary": summary})
        launch.home.attempt(run_id, 1).mkdir(parents=True)
        return launch.runs.get(run_id)

    return made


def log_rows(launch, run, rows, *, seconds=20.0, steps=None):
    """Log rows ``seconds`` apart, as wandb does."""
    writer = SeriesWriter(launch.home.metrics(run.id))
    numbers = steps or range(len(rows))
    writer.append_history(
        (step, {**row, "_timestamp": START + at * seconds})
        for at, (step, row) in enumerate(zip(numbers, rows, strict=True))
    )
    writer.commit()
    writer.close()


def write_log(launch, run, text, at):
    path = launch.home.attempt(run.id, 1) / "output.log"
    path.write_text(text)
    os.utime(path, (at, at))


def test_a_run_that_has_said_nothing(launch, make):
    found = progress_of(launch, make(), START)
    assert (found.key, found.value, found.curve, found.done, found.ends_at) == (
        "", None, (), None, None,
    )  # fmt: skip


def test_the_telling_metric_with_its_curve(launch, make):
    run = make(summary={"loss": 0.5, "acc": 0.9})
    log_rows(launch, run, [{"loss": 1.0 - n / 100, "acc": n / 100} for n in range(51)])
    found = progress_of(launch, run, START)
    assert (found.key, found.value) == ("loss", 0.5)
    assert len(found.curve) == 8
    assert list(found.curve) == sorted(found.curve, reverse=True)


def test_the_metric_that_the_job_declares(launch, make, job):
    launch.jobs.declare_metric(job.name, "acc", "max")
    run = make()
    log_rows(launch, run, [{"loss": 1.0, "acc": n / 10} for n in range(5)])
    found = progress_of(launch, run, START)
    assert (found.key, found.value) == ("acc", 0.4)


def test_epochs_of_the_configuration_and_the_time_that_is_left(launch, make):
    run = make(config={"epochs": 20})
    log_rows(launch, run, [{"loss": 1.0, "epoch": n} for n in range(8)])
    now = START + 7 * 20 + 5
    found = progress_of(launch, run, now)
    assert found.done.shown == "8/20"
    assert found.ends_at == pytest.approx(START + 19 * 20)


def test_many_rows_of_an_epoch_are_one_observation(launch, make):
    run = make(config={"trainer": {"max_epochs": 10}})
    log_rows(launch, run, [{"loss": 1.0, "epoch": n // 10} for n in range(55)], seconds=2.0)
    found = progress_of(launch, run, START + 110)
    assert found.done.shown == "6/10"
    assert found.done.share == pytest.approx(0.5)
    assert found.ends_at == pytest.approx(START + 200, abs=10)


def test_steps_that_a_metric_counts(launch, make):
    run = make(config={"max_steps": 1000})
    log_rows(launch, run, [{"loss": 1.0, "train/global_step": n * 10} for n in range(1, 31)])
    now = START + 29 * 20
    found = progress_of(launch, run, now)
    assert found.done.shown == "30%"
    assert found.ends_at == pytest.approx(now + 70 * 20, rel=0.05)


def test_steps_that_wandb_counts_foretell_only_if_they_were_given(launch, make):
    given = make(config={"max_steps": 1000})
    log_rows(launch, given, [{"loss": 1.0}] * 30, steps=[n * 10 for n in range(30)])
    found = progress_of(launch, given, START + 29 * 20)
    assert found.done.shown == "29%"
    assert found.ends_at is not None
    counted = make(config={"max_steps": 1000})
    log_rows(launch, counted, [{"loss": 1.0}] * 30)
    found = progress_of(launch, counted, START + 29 * 20)
    assert found.done.shown == "3%"
    assert found.ends_at is None


def test_rows_are_epochs_only_where_they_come_slowly(launch, make):
    slow = make(config={"epochs": 20})
    log_rows(launch, slow, [{"loss": 1.0}] * 8)
    assert progress_of(launch, slow, START + 150).done.shown == "8/20"
    quick = make(config={"epochs": 20})
    log_rows(launch, quick, [{"loss": 1.0}] * 8, seconds=0.5)
    assert progress_of(launch, quick, START + 5).done is None


def test_a_run_that_stands_still_foretells_nothing(launch, make):
    run = make(config={"epochs": 20})
    log_rows(launch, run, [{"loss": 1.0, "epoch": n} for n in range(8)])
    assert progress_of(launch, run, START + 7 * 20 + 3600).ends_at is None


BAR = "\r 45%|████▌     | 450/1000 [02:00<02:26, 3.75it/s]"


def test_the_bar_in_the_end_of_the_log(launch, make):
    run = make()
    write_log(launch, run, "x" * 20_000 + "\n" + BAR, START + 122)
    found = progress_of(launch, run, START + 125)
    assert found.done.shown == "45%"
    assert found.ends_at == pytest.approx(START + 125 + 143)


def test_a_bar_of_a_part_of_the_run_foretells_nothing(launch, make):
    run = make()
    write_log(launch, run, BAR, START + 3600)
    found = progress_of(launch, run, START + 3601)
    assert found.done.shown == "45%"
    assert found.ends_at is None


def test_a_bar_of_each_epoch_is_not_that_of_the_run(launch, make):
    run = make()
    full = "100%|██████████| 1000/1000 [02:00<00:00, 8.33it/s]\n"
    write_log(launch, run, f"Epoch 2/5\n{full}Epoch 3/5\n{BAR}", START + 300)
    found = progress_of(launch, run, START + 301)
    assert found.done.shown == "3/5"
    assert found.ends_at is None


def test_what_the_metrics_say_goes_before_the_log(launch, make):
    run = make(config={"epochs": 10})
    log_rows(launch, run, [{"loss": 1.0, "epoch": n} for n in range(3)])
    write_log(launch, run, BAR, START + 60)
    assert progress_of(launch, run, START + 61).done.shown == "3/10"


def test_what_has_ended_tells_its_metric_alone(launch, make):
    run = make(RunState.FINISHED, {"epochs": 10}, {"loss": {"min": 0.1}, "acc": 0.5})
    log_rows(launch, run, [{"acc": n / 10, "epoch": n} for n in range(10)])
    write_log(launch, run, BAR, START + 60)
    found = progress_of(launch, run, START + 600)
    assert (found.key, found.value) == ("loss.min", 0.1)
    assert (found.done, found.ends_at) == (None, None)


def test_a_damaged_file_leaves_the_summary(launch, make):
    run = make(summary={"loss": 0.25})
    launch.home.metrics(run.id).write_bytes(b"no database" * 100)
    found = progress_of(launch, run, START)
    assert (found.key, found.value, found.curve) == ("loss", 0.25, ())


def test_a_stamp_differs_when_a_file_does(launch, make):
    run = make()
    seen = [stamp(launch, run)]
    write_log(launch, run, "a", START)
    seen.append(stamp(launch, run))
    log_rows(launch, run, [{"loss": 1.0}])
    seen.append(stamp(launch, run))
    assert len(set(seen)) == 3
    assert stamp(launch, run) == seen[-1]
