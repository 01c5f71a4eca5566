"""Filters by bare names and by saved ones, the failure report, the metric of a job."""

from __future__ import annotations

import stat

import pytest

from launch_tui.domain.run import RunState
from launch_tui.sdk import LaunchRequest
from launch_tui.store import write


@pytest.fixture
def runs(sdk, job):
    """Three runs with lr 0.001, 0.01 and 0.1, and a loss each; the last has the tag debug."""
    ids = []
    for rate, loss in ((0.001, 0.5), (0.01, 0.2), (0.1, 0.3)):
        tags = ("debug",) if rate == 0.1 else ()
        run_id = sdk.launch(LaunchRequest(job=job, config={"lr": rate}, tags=tags)).id
        write.observe(sdk.db, run_id, {"summary": {"loss": loss}})
        ids.append(run_id)
    return ids


def ids(cli, *words):
    return [row["id"] for row in cli("runs", "--json", *words).json]


def test_bare_names_are_keys_and_metrics(cli, runs):
    assert ids(cli, "--filter", "lr>=1e-3 loss<=0.3 -tag:debug") == [runs[1]]
    assert ids(cli, "--filter", "lr>=1e-2", "-n", "1") == [runs[2]]
    assert ids(cli, "--filter", "state:waiting loss<0.25") == [runs[1]]
    assert ids(cli, "--filter", "q:default j:nosuch") == []


def test_a_filter_is_saved_applied_listed_and_deleted(cli, refused, runs):
    assert cli("filter", "list").err == "no filters\n"
    assert cli("filter", "save", "good", "loss<0.4").out == "good  saved\n"
    assert cli("filter", "save", "mine", "author=nobody or lr>1e-3").status == 0
    assert cli("filter", "list", "--json").json == {
        "good": "loss<0.4", "mine": "author=nobody or lr>1e-3",
    }  # fmt: skip
    assert ids(cli, "--saved", "good") == [runs[2], runs[1]]
    assert ids(cli, "--saved", "mine", "--filter", "loss<0.25 or loss>0.4") == [runs[1]]
    assert "no filter called 'nope' (allowed: good, mine)" in refused("runs", "--saved", "nope")
    assert "where a value was expected" in refused("filter", "save", "x", "lr>")
    assert cli("filter", "delete", "good", "mine").out == "good  deleted\nmine  deleted\n"
    assert "no filter called 'good'" in refused("filter", "delete", "good")


def test_the_help_tells_the_language(cli):
    out = cli("runs", "--help").out
    for told in ("lr>=1e-3 state:failed -tag:debug loss<0.3", "lr is config.lr", "--saved NAME"):
        assert told in out


def test_a_report_is_printed_or_written_for_ones_own_eyes(cli, sdk, runs, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "m4rk-value-99")
    write.settle(
        sdk.db, runs[0], RunState.QUEUED, RunState.FAILED, owner=None, actor="test",
        changes={"cause": "denied: m4rk-value-99", "phase": "run", "next_step": "log in"},
    )  # fmt: skip
    printed = cli("report", runs[0])
    assert printed.status == 0
    assert "next step   log in" in printed.out
    assert "m4rk" not in printed.out
    path = tmp_path / "report.txt"
    assert cli("report", runs[0], "-o", path).out == f"{path}\n"
    assert "next step   log in" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert cli("report", runs[0], "-o", "/nowhere/at/all").status == 1
    assert cli("report", "nosuch").status == 2


def test_the_metric_of_a_job_sorts_and_is_shown(cli, refused, sdk, job, runs):
    assert cli("job", "metric", job, "lr", "max").out.endswith("lr max\n")
    assert cli("job", "show", job, "--json").json["outputs"]["metric"] == {
        "name": "lr", "goal": "max",
    }  # fmt: skip
    assert "GOAL: 'up' is none (allowed: min, max)" in refused("job", "metric", job, "lr", "up")
    assert "one word too many" in refused("job", "metric", job, "lr", "max", "x")
    assert "no job called" in refused("job", "metric", "nosuch", "lr")
    assert cli("job", "metric", job).out.endswith("by the names of its metrics\n")
    assert "metric" not in cli("job", "show", job, "--json").json["outputs"]
