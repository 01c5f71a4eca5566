from __future__ import annotations

from pathlib import Path

import pytest

from launch_tui.errors import UsageError
from launch_tui.tui import settings, theme
from launch_tui.tui.settings import News, UiSettings, load, parse


def test_without_a_file_everything_is_as_it_fits(world):
    assert load(world.home) == UiSettings()


def test_an_empty_file_and_nulls_are_no_settings():
    assert parse("", "ui.yaml") == UiSettings()
    assert parse("theme:\nkeymap: null\n", "ui.yaml") == UiSettings()


def test_what_stands_in_it_is_taken(world):
    settings.path_of(world.home).write_text(
        "theme: launch-contrast\nascii: true\nmotion: false\n"
        "notify: {on: [failed, lost], by: bell, always: true}\nkeymap: {run.stop: X}\n"
    )
    found = load(world.home)
    assert (found.theme, found.ascii, found.motion) == ("launch-contrast", True, False)
    assert found.notify == News(
        on=frozenset({"failed", "lost"}), by=frozenset({"bell"}), always=True
    )
    assert found.keymap.overlay() == {"run.stop": "X"}


def test_news_have_a_way_where_none_is_named():
    assert parse("notify: {on: finished}", "f").notify.by == {"desktop"}
    assert parse("notify: {by: [bell]}", "f").notify.on == {"finished", "failed", "lost"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("themes: dark", "f: themes: there is no such key; did you mean theme?"),
        (
            "x: 1",
            "f: x: there is no such key (allowed: keymap, theme, ascii, compact, motion, notify)",
        ),
        ("theme: blue", "f: theme: 'blue' is no theme (allowed: auto, launch-dark"),
        ("ascii: 1", "f: ascii: 1 is neither (allowed: true, false)"),
        ("motion: off!", "f: motion: 'off!' is neither"),
        ("notify: yes", "f: notify: is no section"),
        ("notify: {on: [queued]}", "f: notify.on: 'queued' is not one (allowed: finished"),
        ("notify: {by: mail}", "f: notify.by: 'mail' is not one (allowed: bell, desktop)"),
        ("notify: {to: me}", "f: notify.to: there is no such key"),
        ("- a", "f: is a list"),
        ("a: [", "f: "),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_key(text, told):
    with pytest.raises(UsageError) as error:
        parse(text, "f")
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_a_file_that_is_too_large_or_none_is_told(world):
    path = settings.path_of(world.home)
    path.write_text("#" * 70_000)
    with pytest.raises(UsageError, match="more than 64 KiB"):
        load(world.home)
    path.unlink()
    path.mkdir()
    with pytest.raises(UsageError, match=r"ui\.yaml"):
        load(world.home)


def test_the_documents_have_every_key_and_theme():
    text = (Path(__file__).resolve().parents[2] / "docs" / "ui.md").read_text()
    for key in settings._READERS:
        assert f"`{key}`" in text or f"`{key}." in text
    for key in settings._NEWS_READERS:
        assert f"`notify.{key}`" in text
    for name in theme.names():
        assert f"`{name}`" in text
    for word in (*settings.OUTCOMES, *settings.MEANS):
        assert word in text
