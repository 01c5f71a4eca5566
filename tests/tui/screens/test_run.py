from __future__ import annotations

import json

import pytest

from launch_tui.domain.run import RunState
from launch_tui.tui.screens.home import HomeScreen
from launch_tui.tui.screens.run import RunScreen
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.devices import four_gpus
from tests.tui.frames import assert_frame, frame

FAILED, BUILD_FAILED, RUNNING = "run00002", "run00003", "run00006"


async def opened(pilot, run_id, *keys):
    await settle(pilot)
    pilot.app.push_screen(RunScreen(run_id))
    await settle(pilot)
    await pilot.press(*keys)
    await settle(pilot)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "run_id", "keys"),
    [
        ("log", RUNNING, ()),
        ("metrics", RUNNING, ("]",)),
        ("config", FAILED, ("]", "]", "]")),
        ("events", FAILED, ("[",)),
        ("failed", BUILD_FAILED, ()),
    ],
)
async def test_a_run_looks_as_it_did(busy_world, make_app, monkeypatch, size, name, run_id, keys):
    busy_world.log(BUILD_FAILED, "resolving\nno version of torchh is known\n", name="build.log")
    # The directory is another one in every test run.
    monkeypatch.setattr("launch_tui.tui.run_pages._launch", lambda run, spec: [("run", run.id)])
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await opened(pilot, run_id, *keys)
        await assert_frame(pilot, GOLDEN / f"run-{name}-{size[0]}x{size[1]}.txt")


async def test_a_failure_says_phase_cause_and_next_step_above_the_log(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, FAILED)
        top = "\n".join(frame(app).split("\n")[:8])
        assert "launch: failed in run after 6m 02s, exit 137: killed by SIGKILL" in top
        assert "Next: use a smaller batch" in top


async def test_a_failed_build_opens_on_its_log(busy_world, make_app):
    busy_world.log(BUILD_FAILED, "no version of torchh is known\n", name="build.log")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, BUILD_FAILED)
        assert app.screen.query_one("#build").has_focus
        assert "no version of torchh is known" in frame(app)


async def test_the_log_grows_and_the_state_changes_while_it_is_open(world, make_app):
    world.queue("gpu")
    run_id = world.run(RunState.RUNNING)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id)
        assert "No output yet" in frame(app)
        world.log(run_id, "epoch 1\n")
        await until(pilot, lambda: "epoch 1" in frame(app))
        world._step(run_id, RunState.RUNNING, RunState.FAILED, "gpubox:1:test",
                    {"phase": "run", "cause": "exit 3", "exit_code": 3})  # fmt: skip
        await until(pilot, lambda: "failed in run: exit 3" in frame(app))


async def test_metrics_grow_while_they_are_shown(world, make_app):
    world.queue("gpu")
    run_id = world.run(RunState.RUNNING)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id, "]")
        assert "No metrics yet" in frame(app)
        world.metrics(run_id, [{"loss": 1.0 - n / 10, "lr": 0.1} for n in range(5)])
        await until(pilot, lambda: "loss 0.6" in frame(app) and "lr 0.1" in frame(app))


async def test_many_metrics_come_in_pages(world, make_app):
    world.queue("gpu")
    run_id = world.run(RunState.RUNNING)
    world.metrics(run_id, [{f"layer{k:03d}": float(n) for k in range(40)} for n in range(5)])
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id, "]")
        await until(pilot, lambda: "1-9 of 40" in frame(app))
        await pilot.press("]")
        await until(pilot, lambda: "10-18 of 40" in frame(app) and "layer009" in frame(app))
        await pilot.press("[", "[")
        await until(pilot, lambda: app.screen.query_one("#log").has_focus)


async def test_secrets_are_masked(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 50)) as pilot:
        await opened(pilot, FAILED, "]", "]", "]")
        assert "HF_TOKEN" in frame(app)
        assert "hunter2" not in frame(app)


async def test_tabs_can_be_clicked(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, FAILED)
        line = next(n for n, text in enumerate(frame(app).split("\n")) if "Metrics   Build" in text)
        column = frame(app).split("\n")[line].index("Events")
        await pilot.click(offset=(column + 1, line))
        await settle(pilot)
        assert "enqueued on gpu" in frame(app)


async def test_escape_goes_back_and_deleting_does_too(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, FAILED, "escape")
        assert isinstance(app.screen, HomeScreen)
        await opened(pilot, FAILED, "D", "d")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        assert FAILED not in frame(app)


async def test_copying_names_what_it_copied(busy_world, make_app):
    app = make_app()
    copied = []
    app.copy = copied.append
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, FAILED, "y", "i")
        await pilot.press("y", "c")
        await pilot.press("y", "e")
        await settle(pilot)
    assert copied[0] == FAILED
    assert '"lr": 0.001' in copied[1]
    assert copied[2].startswith("killed by SIGKILL")


async def test_config_tells_order_resources_and_gpus(busy_world, make_app):
    gpus = four_gpus(busy_world.home)
    first = busy_world.run(RunState.QUEUED)
    run_id = busy_world.run(
        RunState.QUEUED,
        group="g-sweep1",
        spec={
            "resources": {"gpus": 2, "env": {"API_KEY": "hunter2"}},
            "resource_args": {"gpus": 2},
            "template_variables": {"size": "large"},
            "retries": 3,
            "retry_on": ("oom",),
            "backoff": 90.0,
        },
    )
    busy_world.launch.runs.edit(run_id, {"after": [f"{first}:any"]})
    busy_world.launch.db.execute(
        "UPDATE runs SET gpus = ?, attempt = 2, retried = 1, failure = 'oom' WHERE id = ?",
        (json.dumps([gpus[1].uuid]), run_id),
    )
    app = make_app()
    async with app.run_test(size=(140, 60)) as pilot:
        await opened(pilot, run_id, "]", "]", "]")
        text = frame(app)
        for told in (f"{first}:any", "1 of 3 on oom, back-off 1m30s", "2  (this launch)",
                     "{{size}}", "g-sweep1", gpus[1].uuid, "GPU 1", "attempt 2"):  # fmt: skip
            assert told in text
        assert "hunter2" not in text


async def test_the_kind_of_a_failure_stands_before_its_cause(busy_world, make_app):
    run_id = busy_world.run(RunState.FAILED, phase="run", failure="gpu-oom", cause="out of memory")
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id)
        assert "failed in run after 1m: gpu-oom: out of memory" in frame(app)


async def test_outputs_and_how_far_they_were_sent_are_on_the_page_of_the_config(world, make_app):
    from launch_tui.domain.output import Output, OutputFile
    from launch_tui.store import syncing
    from launch_tui.tracking.outputs import note

    world.queue("gpu")
    run_id = world.run(RunState.FINISHED)
    attempt = world.home.attempt(run_id, 1)
    attempt.mkdir(parents=True, exist_ok=True)
    files = tuple(OutputFile(path=f"w{n}\x1b[31m", size=2048) for n in range(13))
    note(
        attempt,
        [Output(name="model", type="model", attempt=1, aliases=("best",), files=files)],
        working_directory=attempt,
    )
    db = world.launch.db
    db.execute("UPDATE runs SET sync = 'unsynced' WHERE id = ?", (run_id,))
    app = make_app()
    async with app.run_test(size=(120, 60)) as pilot:
        await opened(pilot, run_id, "]", "]", "]")
        shown = frame(app)
        assert "model:v0" in shown
        assert "model (best, latest), 13 files, 26K" in shown
        assert "1 more: launch-tui files" in shown
        assert "unsynced" in shown
        syncing.ask(db, [run_id])
        syncing.failed(db, run_id, "no route", "find one", None)
        await until(pilot, lambda: "no route" in frame(app) and "find one" in frame(app))
        assert "1 not sent" in frame(app).split("\n")[58]
        app.screen.action_run_sync()
        await until(pilot, lambda: "once an agent works here" in said(app))
        await until(pilot, lambda: "1 to send" in frame(app).split("\n")[58])
        syncing.synced(db, run_id, "http://wandb.test/me/p/runs/x")
        await until(pilot, lambda: "http://wandb.test/me/p/runs/x" in frame(app))
        app.action_app_sync_finished()
        await until(pilot, lambda: "nothing to send" in said(app))


async def test_a_mark_in_a_log_outlasts_its_view(busy_world, make_app):
    run_id = busy_world.running
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(pilot, run_id)
        await pilot.press("m")
        busy_world.log(run_id, "after the mark\n")
        lines = ("──── 11:06:40 ─", "after the mark")
        await until(pilot, lambda: in_order(frame(app), lines))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, RunScreen))
        # Also in the log below the runs, which was there before.
        app.screen.query_one("#runs", WindowTable).select(run_id)
        await until(pilot, lambda: in_order(frame(app), lines))
        await opened(pilot, run_id)
        await until(pilot, lambda: in_order(frame(app), lines))
        # Another attempt has a log of its own.
        assert app.log_marks.of(app.launch.runs.log_path(run_id))
        assert not app.log_marks.of(busy_world.home.attempt(run_id, 2) / "output.log")


def in_order(shown, lines):
    """Whether lines follow each other directly on the screen."""
    found = [number for number, line in enumerate(shown.split("\n")) if lines[0] in line]
    return any(lines[1] in shown.split("\n")[number + 1] for number in found)


def said(app):
    """What the toasts say that are to be seen."""
    return " ".join(note.message for note in app._notifications)
