"""``wandb login`` gets the terminal once that is wanted; what is told of a key is where it is."""

from __future__ import annotations

import contextlib

import pytest

from launch_tui.tui.screens.confirm import Confirm
from tests.tui.conftest import settle, until
from tests.tui.frames import frame

KEY = "k" * 40
PYTHON = """#!/bin/sh
[ "$1" = -c ] && exit 0
[ -n "$WANDB_MODE" ] && exit 3
echo "$@" > "$CALLED"
printf 'machine wandb.test:8080\\n  login user\\n  password %s\\n' "$KEY" > "$NETRC"
exit $STATUS
"""


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    """A wandb of the newest run's own, which writes the test's netrc."""
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    given = {
        "NETRC": tmp_path / "netrc", "WANDB_CONFIG_DIR": tmp_path, "CALLED": tmp_path / "called",
        "KEY": KEY, "STATUS": "0", "WANDB_MODE": "offline",
        "WANDB_BASE_URL": "http://wandb.test:8080/",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    return tmp_path


@pytest.fixture
def app(busy_world, make_app, surroundings, monkeypatch):
    newest = busy_world.launch.runs.list(limit=1)[0]
    for run_id in (busy_world.running, newest.id):
        folder = busy_world.home.attempt(run_id, max(busy_world.launch.runs.get(run_id).attempt, 1))
        folder.mkdir(parents=True, exist_ok=True)
    (busy_world.home.attempt(busy_world.running, 1) / "python").write_text(
        f"{surroundings / 'python'}\n"
    )
    made = make_app()
    monkeypatch.setattr(made, "suspend", contextlib.nullcontext)
    return made


def said(app):
    return " ".join(note.message for note in app._notifications)


async def palette(pilot, words):
    await pilot.press("colon", *words, "enter")


async def chosen(pilot, world):
    await settle(pilot)
    pilot.app.screen.query_one("#runs").select(world.running)
    await settle(pilot)


async def test_logging_in_is_explained_then_done_by_the_wandb_of_the_run(
    app, busy_world, surroundings
):
    async with app.run_test(size=(120, 34)) as pilot:
        await chosen(pilot, busy_world)
        await palette(pilot, "wandb: log in")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        shown = " ".join(frame(app).split())
        assert "asks for your API key for wandb.test:8080" in shown
        assert "neither sees nor keeps it" in shown
        await pilot.press("escape")
        await settle(pilot)
        assert not (surroundings / "called").exists()
        await palette(pilot, "wandb: log in")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("l")
        await until(pilot, lambda: "logged in: the key for wandb.test:8080 is in" in said(app))
    called = (surroundings / "called").read_text().strip()
    assert called == "-m wandb login --relogin --host http://wandb.test:8080"
    assert KEY not in said(app)


async def test_a_login_that_fails_says_so(app, busy_world, surroundings, monkeypatch):
    monkeypatch.setenv("STATUS", "1")
    async with app.run_test(size=(120, 34)) as pilot:
        await chosen(pilot, busy_world)
        await palette(pilot, "wandb: log in")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("l")
        await until(pilot, lambda: "wandb login ended with status 1" in said(app))


async def test_without_any_wandb_it_says_what_to_do(app, busy_world, monkeypatch):
    monkeypatch.setattr("launch_tui.sdk.wandb_login.python_with_wandb", lambda *_: ())
    async with app.run_test(size=(120, 34)) as pilot:
        await chosen(pilot, busy_world)
        await palette(pilot, "wandb: log in")
        await until(pilot, lambda: "no Python here has wandb" in said(app))
        assert "WANDB_API_KEY (mode 0600)" in said(app)
        assert not isinstance(app.screen, Confirm)


async def test_what_is_no_address_is_told(app, busy_world, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "http://[x")
    async with app.run_test(size=(120, 34)) as pilot:
        await chosen(pilot, busy_world)
        await palette(pilot, "wandb: log in")
        await until(pilot, lambda: "is no address" in said(app))


async def test_logging_out_takes_the_key_out_of_netrc_once_that_is_wanted(app, surroundings):
    other = "machine a.test login me password p\n"
    netrc = surroundings / "netrc"
    netrc.write_text(f"{other}machine wandb.test:8080\n  login user\n  password {KEY}\n")
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await palette(pilot, "wandb: log out")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "It stays valid" in frame(app)
        await pilot.press("enter")
        await settle(pilot)
        assert KEY in netrc.read_text()
        await palette(pilot, "wandb: log out")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("l")
        await until(pilot, lambda: "logged out" in said(app))
        assert netrc.read_text() == other
        await palette(pilot, "wandb: log out")
        await until(pilot, lambda: "not logged in" in said(app))


async def test_a_key_that_is_elsewhere_is_named(app, busy_world, surroundings, monkeypatch):
    secret = busy_world.home.root / "secrets" / "WANDB_API_KEY"
    secret.parent.mkdir()
    secret.write_text(KEY)
    async with app.run_test(size=(120, 34)) as pilot:
        await chosen(pilot, busy_world)
        await palette(pilot, "wandb: log out")
        await until(pilot, lambda: "it is yours to take away" in said(app))
        assert str(secret) in said(app)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        await palette(pilot, "wandb: log in")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        shown = " ".join(frame(app).split())
        assert "In force stays WANDB_API_KEY of this program's environment" in shown
        assert KEY not in shown + said(app)
