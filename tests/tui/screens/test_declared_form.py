"""The launch form of a job that declares files and secrets."""

from __future__ import annotations

import pytest

from launch_tui.tui.screens.launch_form import LaunchForm
from launch_tui.tui.widgets.field_row import FieldRow
from tests.tui.conftest import settle, until
from tests.tui.frames import frame

DECLARED = {
    "type": "object",
    "properties": {
        "token": {"type": "string", "format": "secret"},
        "model.yaml:": {
            "type": "object",
            "properties": {"layers": {"type": "integer", "maximum": 9, "default": 4}},
            "declaredBy": "script",
        },
    },
    "declaredBy": "script",
}


@pytest.fixture
def declaring(world):
    world.queue("gpu", max_running=2)
    world.job("declared", inputs=DECLARED)
    return world


def row(app, key):
    return next(one for one in app.screen.query(FieldRow) if one.field.key == key)


async def test_files_and_secrets_are_fields(declaring, make_app):
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_form(job="declared")
        await settle(pilot)
        assert "model.yaml:layers" in frame(app)
        row(app, "config.token").set_text("hf_abcdef")
        row(app, "config.model.yaml:.layers").set_text("12")
        await pilot.pause()
        assert "hf_abcdef" not in frame(app)
        assert "given by reference" in frame(app)
        assert "at most 9" in frame(app)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, LaunchForm))
        await until(pilot, lambda: app.launch.drafts.load("declared"))
        assert app.launch.drafts.load("declared") == {"config.model.yaml:.layers": "12"}
        app.open_form(job="declared")
        await settle(pilot)
        row(app, "config.token").set_text("${secret:HF_TOKEN}")
        row(app, "config.model.yaml:.layers").set_text("8")
        await pilot.pause()
        await pilot.press("f5")
        await until(pilot, lambda: app.launch.runs.count() == 1)
        (run,) = app.launch.runs.list(limit=1)
        assert app.launch.runs.given_config(run.id) == {
            "token": "${secret:HF_TOKEN}",
            "model.yaml:": {"layers": 8},
        }
