from __future__ import annotations

import pytest

from launch_tui.tui.screens.new_queue import NewQueue
from launch_tui.tui.widgets.field_row import FieldRow
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.frames import assert_frame, frame


async def opened(pilot):
    await settle(pilot)
    pilot.app.push_screen(NewQueue())
    await settle(pilot)
    return {row.field.key: row for row in pilot.app.screen.query(FieldRow)}


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_looks_as_it_did(busy_world, make_app, size):
    app = make_app()
    async with app.run_test(size=size) as pilot:
        rows = await opened(pilot)
        rows["max_running"].set_text("0")
        await pilot.pause()
        await assert_frame(pilot, GOLDEN / f"new-queue-{size[0]}x{size[1]}.txt")


async def test_bad_input_is_told_at_its_field_and_nothing_is_lost(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(100, 34)) as pilot:
        rows = await opened(pilot)
        rows["name"].set_text("no/slash")
        rows["max_running"].set_text("many")
        await pilot.press("f5")
        await settle(pilot)
        assert "cannot be a queue's name" in frame(app)
        assert "is no whole number" in frame(app)
        assert "(2 to fix)" in frame(app)
        rows["name"].set_text("gpu")
        rows["max_running"].set_text("3")
        await pilot.pause()
        await pilot.press("f5")
        await until(pilot, lambda: "there is a queue called 'gpu' already" in frame(app))
        assert rows["max_running"].text == "3"
        rows["name"].set_text("gpu2")
        await pilot.pause()
        await pilot.press("ctrl+enter")
        await until(pilot, lambda: not isinstance(app.screen, NewQueue))
        assert busy_world.launch.queues.get("gpu2").max_running == 3


async def test_the_first_queue_has_a_name_already(world, make_app):
    app = make_app()
    async with app.run_test(size=(100, 34)) as pilot:
        await opened(pilot)
        await pilot.press("alt+enter")
        await until(pilot, lambda: [q.name for q in world.launch.queues.list()] == ["default"])


async def test_a_queue_is_made_with_configuration_variables_and_priorities(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(100, 40)) as pilot:
        rows = await opened(pilot)
        rows["name"].set_text("box")
        for config, variables, key, told in (
            ("gpuz: 1", "", "config", "gpuz is not a key of local-process, did you mean gpus?"),
            ("gpus: {", "", "config", "cannot be read"),
            ("env: {A: [1]}", "", "config", "env.A "),
            ("cpus: '{{n}}'", "", "config", "cpus {{n}} is not declared"),
            ("cpus: '{{n}}'", "n: {type: int, min: 1}", "template_variables", "did you mean min"),
            ("cpus: 1", "n: {type: integer}", "template_variables", "is used by no hole"),
        ):
            rows["config"].set_text(config)
            rows["template_variables"].set_text(variables)
            await pilot.pause()
            assert told in app.screen.errors[key]
            assert len(app.screen.errors) == 1
        rows["config"].set_text('{"resource_args": {"local-process": {"cpus": "{{n}}"}}}')
        rows["template_variables"].set_text("n: {type: integer, default: 1}")
        rows["prioritized"].editor.value = True
        await pilot.pause()
        assert app.screen.errors == {}
        await pilot.press("f5")
        await until(pilot, lambda: not isinstance(app.screen, NewQueue))
        queue = busy_world.launch.queues.get("box")
        assert queue.config == {"cpus": "{{n}}"}
        assert queue.template_variables == {"n": {"schema": {"type": "integer", "default": 1}}}
        assert queue.prioritized


async def test_the_editor_tells_the_keys_and_the_field_does_not_keep_them(
    busy_world, make_app, tmp_path, monkeypatch
):
    import stat
    from contextlib import nullcontext

    seen, editor = tmp_path / "seen", tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\ncp "$1" {seen}\nprintf "cpus: 1\\n# mine\\n" >> "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    app = make_app()
    async with app.run_test(size=(100, 40)) as pilot:
        rows = await opened(pilot)
        monkeypatch.setattr(app, "suspend", nullcontext)
        rows["config"].editor.focus()
        await pilot.press("ctrl+e")
        await until(pilot, lambda: rows["config"].text)
        assert "#   gpu_sharing " in seen.read_text()
        assert rows["config"].text == "cpus: 1\n# mine\n"
        assert "config" not in app.screen.errors
