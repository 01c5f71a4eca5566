from __future__ import annotations

import shlex
import sys

import pytest
from textual.widgets import Button, Input, RadioSet, Select, Switch, TextArea

from launch_tui.domain.run import RunState
from launch_tui.tui.screens.launch_form import LaunchForm
from launch_tui.tui.screens.new_job import NewJob
from launch_tui.tui.widgets.field_row import FieldRow
from launch_tui.tui.widgets.plan_pane import PlanPane
from launch_tui.tui.widgets.window_table import WindowTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, escapes, frame

GIVEN = {
    "type": "object",
    "required": ["dataset", "optimizer"],
    "properties": {
        "lr": {"type": "number", "minimum": 1e-6, "maximum": 1, "default": 0.001,
               "description": "peak learning rate"},
        "epochs": {"type": "integer", "default": 30},
        "dataset": {"type": "string", "description": "which data to train on"},
        "optimizer": {"enum": ["adam", "sgd", "lion"], "default": "adam"},
        "scheduler": {"enum": [f"schedule-{n}" for n in range(9)]},
        "amp": {"type": "boolean", "default": True},
        "layers": {"type": "array", "items": {"type": "integer"}, "default": [64, 64]},
        "model": {"type": "object", "properties": {"depth": {"type": "integer", "default": 18}}},
        "augment": {"oneOf": [{"type": "null"}, {"type": "object"}]},
    },
}  # fmt: skip
LEARNT = {
    "type": "object",
    "properties": {
        "lr": {"type": "number", "default": 0.001},
        "name": {"type": "string", "default": "digits"},
        "optimizer": {
            "type": "object",
            "properties": {"betas": {"type": "array", "default": [0.9, 0.99]}},
        },
    },
}


@pytest.fixture
def schooled(world):
    """A queue, a job with a schema that a person gave, and one with a schema learnt from runs."""
    world.queue("gpu", max_running=2)
    world.job("given", inputs=GIVEN)
    world.job("learnt", inputs=LEARNT)
    world.job("bare")
    return world


def rows(app):
    return {row.field.key: row for row in app.screen.query(FieldRow)}


def put(app, key, text):
    rows(app)[key].set_text(text)


def plan_text(app):
    return app.screen.query_one(PlanPane)._body.visual.plain


async def planned(pilot, word):
    await until(pilot, lambda: word in plan_text(pilot.app))


async def sent(pilot):
    """Launch and return the newest run, once the form is gone."""
    app = pilot.app
    await pilot.press("f5")
    await until(pilot, lambda: not isinstance(app.screen, LaunchForm))
    return app.launch.runs.list(limit=1)[0]


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_looks_as_it_did(schooled, make_app, size, monkeypatch):
    captured = {"CUDA_VISIBLE_DEVICES": "0", "PATH": "/bin", "LANG": "C"}
    monkeypatch.setattr("launch_tui.sdk.launching.capture", lambda _: captured)
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        app.open_form(job="given")
        await settle(pilot)
        put(app, "config.dataset", "digits")
        put(app, "config.lr", "3")
        await pilot.pause()
        await assert_frame(pilot, GOLDEN / f"launch-form-{size[0]}x{size[1]}.txt")
        put(app, "config.lr", "0.3")
        await planned(pilot, "python train.py")
        if size[0] < 110:
            await pilot.press("f2")
        await settle(pilot)
        await assert_frame(pilot, GOLDEN / f"launch-form-plan-{size[0]}x{size[1]}.txt")


async def test_every_kind_of_input_has_its_editor(schooled, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="given")
        await settle(pilot)
        kinds = {key: type(row.editor) for key, row in rows(app).items()}
        assert kinds["config.lr"] is Input
        assert kinds["config.optimizer"] is RadioSet
        assert kinds["config.scheduler"] is Select
        assert kinds["config.amp"] is Switch
        assert kinds["config.augment"] is TextArea
        assert kinds["config.model.depth"] is Input
        needed = [key for key in rows(app) if key.startswith("config.")][:2]
        assert needed == ["config.dataset", "config.optimizer"]
        cursors = [w.cursor_blink for w in app.screen.query("Input, TextArea")]
        assert cursors == [False] * len(cursors)


async def test_defaults_are_shown_and_not_submitted(schooled, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        assert rows(app)["config.lr"].editor.placeholder == "0.001"
        assert rows(app)["config.lr"].text == ""
        run = await sent(pilot)
        assert app.launch.runs.given_config(run.id) == {}


async def test_what_is_typed_is_launched_and_the_cursor_is_on_it(schooled, make_app):
    older = schooled.run(RunState.FINISHED, job="learnt", ago=500)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("2")
        app.open_form(job="given")
        await settle(pilot)
        put(app, "config.dataset", "digits")
        put(app, "config.lr", "3e-4")
        put(app, "config.layers", "8, 16")
        put(app, "config.augment", '{"flip": true}')
        put(app, "config.model.depth", "34")
        put(app, "more", "note='a b' n=3")
        put(app, "tags", "first, second")
        put(app, "setenv", "DEBUG=1 NAME='x y'")
        put(app, "entry_point", "python other.py --fast")
        await pilot.pause()
        run = await sent(pilot)
        assert app.launch.runs.given_config(run.id) == {
            "dataset": "digits", "lr": 3e-4, "layers": [8, 16], "augment": {"flip": True},
            "model": {"depth": 34}, "optimizer": "adam", "note": "a b", "n": 3,
        }  # fmt: skip
        assert run.tags == ("first", "second")
        spec = app.launch.runs.spec(run.id)
        assert spec.setenv == {"DEBUG": "1", "NAME": "x y"}
        assert spec.command == ("python", "other.py", "--fast")
        await until(pilot, lambda: app.current_mode == "runs")
        table = app.screen.query_one("#runs", WindowTable)
        await until(pilot, lambda: table.cursor_key == run.id)
        assert older != run.id


async def test_what_is_wrong_is_told_at_its_field_and_counted_on_the_button(schooled, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="given")
        await settle(pilot)
        put(app, "config.lr", "many")
        put(app, "config.augment", "{nope")
        await pilot.pause()
        assert "Launch (3 to fix)" in str(app.screen.query_one("#submit", Button).label)
        assert "is not a number" in frame(app)
        assert "line 1, column 2" in frame(app)
        assert "is required" not in frame(app)
        await pilot.press("f5")
        await pilot.pause()
        assert "is required" in frame(app)
        assert rows(app)["config.dataset"].editor.has_focus
        assert app.launch.runs.count() == 0
        put(app, "config.lr", "2")
        await pilot.pause()
        assert "at most 1" in frame(app)


async def test_the_command_of_the_plan_launches_the_same(schooled, make_app, private_home):
    app = make_app()
    copied = []
    app.copy = copied.append
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        put(app, "config.lr", "5e-3")
        put(app, "config.name", "007")
        put(app, "config.optimizer.betas", "[0.5, 1]")
        put(app, "more", "a.b=1")
        put(app, "note", "it's 50% done")
        put(app, "tags", "x y")
        await planned(pilot, "0.005")
        app.screen.query_one(PlanPane).focus()
        await pilot.press("y")
        assert copied == [app.screen.query_one(PlanPane).command]
        run = await sent(pilot)
        by_form = app.launch.runs.given_config(run.id)
    assert by_form["name"] == "007"
    words = shlex.split(copied[0])
    assert words[:3] == ["launch-tui", "launch", "learnt"]
    again = await _run_command(words[1:], private_home)
    assert schooled.launch.runs.given_config(again.id) == by_form
    assert (again.note, again.tags, again.queue) == (run.note, run.tags, run.queue)


async def test_a_rerun_is_prefilled_marks_changes_and_keeps_the_rest(
    schooled, make_app, private_home
):
    config = {"lr": 0.5, "extra": {"a": 1}, "name": "x"}
    first = schooled.run(RunState.FAILED, job="learnt", config=config, cause="no")
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("r")
        await settle(pilot)
        assert isinstance(app.screen, LaunchForm)
        assert rows(app)["config.lr"].text == "0.5"
        assert "hunter2" not in frame(app)
        assert "•" not in frame(app).replace("••••", "")
        put(app, "config.lr", "0.25")
        await pilot.pause()
        assert "• lr" in frame(app)
        await planned(pilot, f"launch-tui rerun {first} lr=0.25")
        command = app.screen.query_one(PlanPane).command
        run = await sent(pilot)
        assert app.launch.runs.given_config(run.id) == {**config, "lr": 0.25}
        assert app.launch.runs.spec(run.id).setenv["HF_TOKEN"] == "hunter2"
    again = await _run_command(shlex.split(command)[1:], private_home)
    assert schooled.launch.runs.given_config(again.id) == {**config, "lr": 0.25}


async def test_a_job_without_a_schema_has_one_json_field_with_the_last_runs_values(
    schooled, make_app
):
    schooled.run(RunState.FINISHED, job="bare", config={"lr": 1, "deep": {"er": [1]}})
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="bare")
        await settle(pilot)
        area = rows(app)["config"].editor
        assert isinstance(area, TextArea)
        assert '"er"' in area.text
        put(app, "config", "[1]")
        await pilot.pause()
        assert "is no JSON object" in frame(app)
        put(app, "config", '{"lr": 2}')
        await pilot.pause()
        run = await sent(pilot)
        assert app.launch.runs.given_config(run.id) == {"lr": 2}


async def test_a_draft_survives_escape_and_the_end_of_the_ui_and_ends_with_the_launch(
    schooled, make_app
):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        put(app, "config.lr", "0.125")
        put(app, "note", "half done")
        await pilot.press("escape")
        await until(pilot, lambda: schooled.launch.drafts.load("learnt"))
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        assert rows(app)["config.lr"].text == "0.125"
        run = await sent(pilot)
        assert run.note == "half done"
        assert schooled.launch.drafts.load("learnt") == {}


async def test_a_draft_is_kept_while_one_types(schooled, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        put(app, "config.lr", "0.25")
        await until(pilot, lambda: schooled.launch.drafts.load("learnt").get("config.lr") == "0.25")
        put(app, "config.lr", "")
        await until(pilot, lambda: schooled.launch.drafts.load("learnt") == {})


async def test_what_the_sdk_refuses_stays_in_the_form(schooled, make_app):
    schooled.queue("going")
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        rows(app)["queue"].editor.value = "going"
        put(app, "note", "precious")
        await planned(pilot, "run on going")
        schooled.launch.queues.delete("going")
        await pilot.press("f5")
        await until(pilot, lambda: "there is no queue called" in frame(app))
        assert isinstance(app.screen, LaunchForm)
        assert rows(app)["note"].text == "precious"
        assert app.launch.runs.count() == 0
        rows(app)["queue"].editor.value = "gpu"
        await pilot.pause()
        run = await sent(pilot)
        assert (run.queue, run.note) == ("gpu", "precious")


async def test_another_job_is_another_form_and_the_draft_stays(schooled, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        put(app, "config.lr", "0.75")
        await pilot.pause()
        rows(app)["job"].editor.value = "bare"
        await until(pilot, lambda: "config" in rows(app))
        await until(pilot, lambda: schooled.launch.drafts.load("learnt"))
        assert app.screen._model.reference == "bare"


async def test_enter_goes_from_field_to_field_and_a_click_launches(schooled, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        rows(app)["config.lr"].editor.focus()
        await pilot.press("1", "enter", "a", "b", "enter")
        assert (rows(app)["config.lr"].text, rows(app)["config.name"].text) == ("1", "ab")
        assert rows(app)["config.optimizer.betas"].editor.has_focus
        await pilot.click("#submit")
        await until(pilot, lambda: not isinstance(app.screen, LaunchForm))
        newest = app.launch.runs.list(limit=1)[0]
        assert app.launch.runs.given_config(newest.id) == {"lr": 1, "name": "ab"}


async def test_without_a_job_the_first_is_made_and_then_launched(world, make_app, tmp_path):
    (tmp_path / "train.py").write_text("print('hello')\n")
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NewJob))
        put(app, "place", str(tmp_path))
        put(app, "name", "first")
        await pilot.press("f5")
        await until(pilot, lambda: world.launch.jobs.list())
        if isinstance(app.screen, NewJob):
            await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, LaunchForm))
        run = await sent(pilot)
        assert (run.job, run.queue) == ("first", "default")


async def test_hostile_names_and_values_do_nothing(world, make_app):
    bad = "\x1b]0;pwned\x07[/b]\x9b2J"
    world.queue("gpu")
    schema = {
        "type": "object",
        "properties": {
            bad: {"type": "string", "default": bad, "description": bad},
            "pick": {"enum": [bad, "b"], "default": bad},
            "many": {"enum": [f"{bad}{n}" for n in range(9)]},
        },
    }
    world.job("job", inputs=schema, description=bad)
    run = world.run(RunState.FAILED, job="job", config={bad: bad, "pick": bad}, cause=bad, name=bad)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        for form in ({"job": "job"}, {"rerun": run}):
            await settle(pilot)
            app.open_form(**form)
            await settle(pilot)
            await planned(pilot, "python train.py")
            assert escapes(app) == set()
            await pilot.press("escape")


async def _run_command(words, home):
    """Run the command line as a process of its own and return the run that it made."""
    import asyncio

    from launch_tui.sdk import Launch

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "launch_tui", "--home", str(home), *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    with Launch(home) as launch:
        return launch.runs.list(limit=1)[0]


VARIABLES = {
    "size": {"schema": {"type": "string", "enum": ["small", "large"]}, "description": "how big"},
    "workers": {"schema": {"type": "integer", "minimum": 1, "maximum": 8, "default": 2}},
    "rate": {"schema": {"type": "number", "maximum": 0.5, "default": 0.1}},
    "fast": {"schema": {"type": "boolean", "default": False}},
    "sure": {"schema": {"type": "boolean"}},
    "word": {"schema": {"type": "string"}},
}
TEMPLATE = {
    "cpus": "{{workers}}",
    "memory": "1M",
    "env": {"SIZE": "{{size}}", "RATE": "{{rate}}", "FAST": "{{fast}}", "SURE": "{{sure}}",
            "WORD": "{{word}}", "MY_TOKEN": "abcdefghijkl"},
}  # fmt: skip


@pytest.fixture
def templated(schooled):
    """Also a queue with variables, priorities and a configuration."""
    schooled.queue("box", config=TEMPLATE, template_variables=VARIABLES, prioritized=True)
    return schooled


async def on_queue(pilot, name):
    """Choose a queue and wait for its fields."""
    rows(pilot.app)["queue"].editor.value = name
    wanted = {one.key for one in pilot.app.screen._model.of_queue(name)}
    await until(pilot, lambda: wanted <= set(rows(pilot.app)))
    await pilot.pause()


async def test_a_queue_gives_the_form_its_fields(templated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        assert not [key for key in rows(app) if key.startswith("var.") or key == "priority"]
        assert "args.cpus" in rows(app)
        await on_queue(pilot, "box")
        kinds = {key: type(row.editor) for key, row in rows(app).items()}
        assert kinds["var.size"] is RadioSet
        assert kinds["var.workers"] is Input
        assert kinds["var.fast"] is Switch
        assert kinds["var.sure"] is RadioSet
        assert kinds["priority"] is RadioSet
        assert kinds["resource_args"] is TextArea
        shown = frame(app)
        assert "int · 1..8" in shown
        assert "how big" in shown
        assert rows(app)["var.workers"].editor.placeholder == "2"
        assert rows(app)["args.memory"].editor.placeholder == "1M"
        # What the owner made a variable of is no field of its own.
        assert "args.cpus" not in rows(app)
        assert "Launch (3 to fix)" in str(app.screen.query_one("#submit", Button).label)


async def test_another_queue_keeps_what_was_typed(templated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        put(app, "args.memory", "2M")
        put(app, "args.cpus", "1")
        put(app, "note", "kept")
        await on_queue(pilot, "box")
        assert rows(app)["args.memory"].text == "2M"
        assert rows(app)["note"].text == "kept"
        put(app, "var.workers", "3")
        await pilot.pause()
        await on_queue(pilot, "gpu")
        assert "var.workers" not in rows(app)
        assert rows(app)["args.cpus"].text == "1"
        await until(pilot, lambda: schooled_draft(templated).get("var.workers") == "3")
        await on_queue(pilot, "box")
        assert rows(app)["var.workers"].text == "3"


def schooled_draft(world):
    return world.launch.drafts.load("learnt")


REFUSED = [
    ("var.workers", "9", "from 1 to 8"),
    ("var.workers", "1.5", "a whole number"),
    ("var.rate", "nan", "is not allowed"),
    ("args.memory", "much", "is not a size"),
    ("args.timeout", "soon", "is not a duration"),
    ("resource_args", "gpuz: 1", "did you mean gpus?"),
    ("resource_args", "gpu_sharing: true", "gpu_sharing is set by the queue's owner"),
    ("resource_args", "a: [", "cannot be read"),
    ("resource_args", "env: {X: [1]}", "env.X"),
    ("params", "lr", "has no '='"),
    ("params", "seed=0..100000", "at most 10,000"),
    ("after", "run:never", "RUN:failed"),
    ("begin", "soonish", "is no time"),
    ("retries", "101", "0 to 100"),
]


async def test_what_a_queue_or_its_target_cannot_take_is_told_in_the_field(templated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        await on_queue(pilot, "box")
        for key, text, told in REFUSED:
            put(app, key, text)
            await pilot.pause()
            assert told in app.screen.errors[key]
            assert "\n" not in app.screen.errors[key]
            put(app, key, "")
            await pilot.pause()
            assert key not in app.screen.errors


async def test_the_plan_shows_resources_with_their_origins_and_the_order(
    templated, make_app, private_home
):
    other = templated.run(RunState.QUEUED, job="learnt", queue="gpu")
    app = make_app()
    async with app.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        await on_queue(pilot, "box")
        row = rows(app)
        row["var.size"].query("RadioButton")[1].value = True
        row["var.sure"].query("RadioButton")[0].value = True
        row["priority"].query("RadioButton")[1].value = True
        for key, text in {
            "var.word": "a b", "var.workers": "1", "args.memory": "2M", "args.timeout": "1h",
            "resource_args": "nice: 5\nenv:\n  MORE: x\n", "after": f"{other}:any",
            "begin": "2099-01-01T00:00", "retries": "2", "params": "lr=0.1,0.2 name=a,b",
        }.items():  # fmt: skip
            put(app, key, text)
        await pilot.pause()
        assert rows(app)["retry_on"].display
        put(app, "retry_on", "oom lost")
        put(app, "backoff", "90s")
        await pilot.pause()
        assert "Launch 4 runs" in str(app.screen.query_one("#submit", Button).label)
        assert "makes 4 runs" in frame(app)
        await planned(pilot, "makes 4 runs")
        lines = [" ".join(line.split()) for line in plan_text(app).split("\n")]
        for line in (
            "memory 2M launch", "cpus 1 queue", "env.SIZE large queue", "env.MORE x launch",
            "nice 5 launch", "env.MY_TOKEN (hidden) queue", "word a b", "priority high",
            f"after {other}:any", "not before 2099-01-01 00:00", "retries 2, on oom, lost",
            "back-off 1m30s, doubled each time",
        ):  # fmt: skip
            assert line in lines
        assert "abcdefghijkl" not in frame(app)
        command = app.screen.query_one(PlanPane).command
        await sent(pilot)
    by_form = templated.launch.runs.list(limit=4)
    assert templated.launch.runs.count(job="learnt") == 5
    words = shlex.split(command)[1:]
    await _run_command(words, private_home)
    by_command = templated.launch.runs.list(limit=4)
    assert not {run.id for run in by_form} & {run.id for run in by_command}
    assert [said_of(templated, run) for run in by_form] == [
        said_of(templated, run) for run in by_command
    ]
    assert said_of(templated, by_form[0])["resources"]["env"]["WORD"] == "a b"


def said_of(world, run):
    """Return what a launch says of a run, apart from where it happened."""
    spec = world.launch.runs.spec(run.id)
    return {
        "resources": spec.resources, "own": spec.resource_args,
        "retries": (spec.retries, spec.retry_on, spec.backoff), "after": run.after,
        "not_before": run.not_before, "priority": run.priority, "queue": run.queue,
        "config": world.launch.runs.given_config(run.id),
    }  # fmt: skip


async def test_how_to_try_again_is_asked_once_it_is_tried_again(templated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        assert not rows(app)["retry_on"].display
        put(app, "retries", "1")
        await pilot.pause()
        assert rows(app)["retry_on"].display
        put(app, "retry_on", "oom")
        await pilot.pause()
        put(app, "retries", "0")
        await pilot.pause()
        assert not rows(app)["retry_on"].display
        run = await sent(pilot)
        spec = app.launch.runs.spec(run.id)
        assert (spec.retries, spec.retry_on) == (0, ("failed", "lost", "preempted"))


async def test_a_rerun_begins_with_what_the_run_was_given_for_its_queue(templated, make_app):
    from launch_tui.sdk import LaunchRequest

    request = LaunchRequest(
        job="learnt", queue="box", priority="high", retries=3, retry_on=("oom",), backoff=5.0,
        template_variables={"size": "large", "sure": True, "word": "w", "workers": 1},
        resource_args={"memory": "3M", "nice": 7, "env": {"OTHER_TOKEN": "mnopqrstuvwx"}},
    )  # fmt: skip
    first = templated.launch.launch(request).id
    app = make_app()
    async with app.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        app.open_form(rerun=first)
        await settle(pilot)
        texts = {key: row.text for key, row in rows(app).items()}
        assert texts["var.size"] == "large"
        assert texts["var.workers"] == "1"
        assert texts["args.memory"] == "3M"
        assert texts["resource_args"].strip() == "nice: 7"
        assert (texts["priority"], texts["retries"], texts["backoff"]) == ("high", "3", "5s")
        assert "params" not in texts
        assert "mnopqrstuvwx" not in frame(app)
        assert app.screen.errors == {}
        put(app, "resource_args", "umask: '027'")
        await pilot.pause()
        assert "nice stays as the run had it" in app.screen.errors["resource_args"]
        put(app, "resource_args", "{nice: null, umask: '027'}")
        put(app, "args.memory", "4M")
        await pilot.pause()
        await planned(pilot, f"launch-tui rerun {first}")
        run = await sent(pilot)
        spec = app.launch.runs.spec(run.id)
        assert spec.resources["memory"] == "4M"
        assert spec.resources["umask"] == "027"
        assert spec.resources.get("nice") is None
        assert spec.resources["env"]["OTHER_TOKEN"] == "mnopqrstuvwx"
        assert spec.template_variables == {"size": "large", "sure": True, "word": "w", "workers": 1}
        assert (run.priority, spec.retries, spec.backoff) == ("high", 3, 5.0)


async def test_a_refused_plan_tells_it_at_its_field_and_leaves_the_focus(templated, make_app):
    app = make_app()
    async with app.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        app.open_form(job="learnt")
        await settle(pilot)
        put(app, "after", "nosuchrun")
        rows(app)["note"].editor.focus()
        await until(pilot, lambda: "after" in app.screen.errors)
        assert rows(app)["note"].editor.has_focus
        put(app, "after", "")
        await pilot.pause()
        assert app.screen.errors == {}
