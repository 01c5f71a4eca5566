from __future__ import annotations

import stat
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.document import read_document
from launch_tui.errors import UsageError
from launch_tui.sdk import LaunchRequest
from launch_tui.tui.editing import read_changes, run_document, write_yaml
from tests.tui.conftest import settle, until

TEXTS = st.text() | st.sampled_from(
    ["1e-3", "no", "0o17", "017", "2026-11-22", "~", "null", "1_000", "1:30", ".5", "=", "a: b",
     "line\nline\n", "x\n\n", " y\n z", "True", "0x1F", "<<", "\u0085", "{{n}}"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_for_a_person_reads_as_the_same(values):
    assert read_document(write_yaml(values) + "\n", "text") == values


@pytest.fixture
def document(world):
    """The document of a run that waits, and the world."""
    config = {"cpus": "{{n}}"}
    variables = {"n": {"type": "integer", "minimum": 1, "default": 1}}
    world.queue("box", config=config, template_variables=variables, prioritized=True)
    world.job("train")
    request = LaunchRequest(
        job="train", queue="box", config={"lr": 1e-3}, template_variables={"n": 1},
        resource_args={"memory": "2M"}, priority="low", begin="2099-01-01T00:00Z",
    )  # fmt: skip
    world.run_id = world.launch.launch(request).id
    return _document(world)


def _document(world):
    launch = world.launch
    run = launch.runs.get(world.run_id)
    return run_document(run, launch.runs.spec(run.id), launch.queues.get(run.queue))


def test_what_is_changed_of_a_waiting_run_and_nothing_else_is_applied(world, document):
    assert "#   gpus " in document
    assert "#   n: a whole number" in document
    assert read_changes(document, document) == {}
    edited = document.replace("priority: low", "priority: high").replace("2M", "3M")
    edited = edited.replace("2099-01-01T00:00:00.000000Z", "")
    changes = read_changes(edited, document)
    assert changes == {"priority": "high", "resource_args": {"memory": "3M"}, "begin": ""}
    world.launch.runs.edit(world.run_id, changes)
    run = world.launch.runs.get(world.run_id)
    assert (run.priority, run.not_before) == ("high", None)
    assert world.launch.runs.spec(run.id).resources == {"cpus": 1, "memory": "3M"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("priority: low", "colour: red", "colour.*cannot be edited"),
        ("tags: []", "tags: 3", "tags.*a list"),
        ("tags: []", "tags: [3]", "tags.*list of texts"),
        ("name: train", "name: [", "cannot be read"),
    ],
)
def test_a_document_of_another_shape_is_refused_by_name(document, old, new, told):
    assert old in document
    with pytest.raises(UsageError, match=told):
        read_changes(document.replace(old, new), document)


async def test_a_waiting_run_is_edited_in_the_editor(
    world, document, make_app, tmp_path, monkeypatch
):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/memory: 2M/memory: 4M/; s/: low/: high/" "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        monkeypatch.setattr(app, "suspend", nullcontext)
        await pilot.press("e")
        await until(pilot, lambda: world.launch.runs.get(world.run_id).priority == "high")
        assert world.launch.runs.spec(world.run_id).resources["memory"] == "4M"
