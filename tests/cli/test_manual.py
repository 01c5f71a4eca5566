"""``docs/verbs.md``: what the table of verbs has, all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from launch_tui.cli import verb_page
from launch_tui.cli.parsing import AGENT_ONLY, UI_FLAGS
from launch_tui.cli.verbs import GLOBAL_FLAGS, VERBS, offered

PAGE = Path(__file__).resolve().parents[2] / "docs" / "verbs.md"


def test_the_page_of_verbs_is_current():
    assert PAGE.read_text() == verb_page.page(), "run `just verbs`"


@pytest.mark.parametrize("verb", offered(), ids=lambda verb: verb.name)
def test_the_page_has_every_verb_with_its_flags(verb):
    text = PAGE.read_text().replace("\\|", "|")
    assert f"`{verb.name}`" in text
    assert verb.help in text
    section = re.search(rf"^## {verb.name}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert (section is not None) == bool(verb.flags or verb.more)
    for flag in verb.flags:
        assert f"| `{', '.join(flag.names)}" in section[1]
        assert flag.help in section[1]


def test_the_page_has_what_stands_without_a_verb():
    text = PAGE.read_text()
    flags = [name for flag in GLOBAL_FLAGS for name in flag.names]
    assert [name for name in (*flags, *UI_FLAGS, AGENT_ONLY) if name not in text] == []


def test_the_page_keeps_what_is_the_programs_own():
    own = [verb for verb in VERBS if verb not in offered()]
    assert own
    assert not any(verb.name in PAGE.read_text() for verb in own)
