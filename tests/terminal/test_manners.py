"""What reaches a real terminal: its title, colours, notices, and whether they reach it at all."""

from __future__ import annotations

import contextlib
import re

import pytest

FOCUSED, BLURRED = "\x1b[I", "\x1b[O"
NOTICE = b"\x1b]9;launch-tui: run "


def test_the_title_tells_how_things_stand_and_is_given_back(box, wait_until):
    run = box.run("exit 3")
    terminal = box.open()
    wait_until(lambda: box.state(run) == "failed")
    terminal.wait_until(lambda: b"\x1b]2;launch \xe2\x9c\x971\x07" in terminal.raw)
    assert terminal.raw.index(b"\x1b[22;2t") < terminal.raw.index(b"\x1b]2;launch")
    terminal.press("q")
    assert terminal.exit_status() == 0
    assert b"\x1b[23;2t" in terminal.raw[terminal.raw.rindex(b"\x1b]2;") :]


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({"COLORTERM": "truecolor"}, {"38;2", "48;2"}),
        ({"COLORTERM": ""}, {"38;5", "48;5"}),
        ({"TERM": "xterm", "COLORTERM": ""}, set()),
        ({"NO_COLOR": "1", "COLORTERM": "truecolor"}, set()),
    ],
)
def test_colours_are_those_that_the_terminal_has(box, environment, colours):
    terminal = box.open(environment=environment)
    terminal.wait_for("Nothing here yet")
    codes = {c for m in re.findall(rb"\x1b\[([0-9;]*)m", bytes(terminal.raw))
             for c in re.findall(r"[34]8;[25]", m.decode())}  # fmt: skip
    assert codes == colours
    if "NO_COLOR" in environment:
        numbers = {
            int(n) for m in re.findall(rb"\x1b\[([0-9;]*)m", bytes(terminal.raw))
            for n in m.split(b";") if n
        }  # fmt: skip
        assert not numbers & {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)}


@pytest.mark.parametrize("environment", [{"LANG": "C", "LC_ALL": "C"}, {"TERM": "linux"}])
def test_ascii_is_drawn_where_there_is_no_more(box, environment):
    terminal = box.open(environment=environment)
    terminal.wait_for("Nothing here yet")
    terminal.press("?")
    terminal.wait_for("esc closes")
    assert terminal.text.isascii(), {c for c in terminal.text if not c.isascii()}


def test_an_end_is_told_while_one_looks_elsewhere(box, wait_until):
    (box.launch.home.root / "ui.yaml").write_text("notify: {on: finished, by: [desktop, bell]}")
    terminal = box.open()
    terminal.wait_for("Nothing here yet")
    terminal.press(FOCUSED)
    box.run()
    # Whoever draws the end would have told of it before.
    terminal.wait_for("finished")
    assert NOTICE not in terminal.raw
    terminal.press(BLURRED)

    def told():
        run = box.run()
        wait_until(lambda: box.state(run) == "finished")
        # Not at once the next: of two that end between two looks one notice tells.
        with contextlib.suppress(AssertionError):
            terminal.wait_until(lambda: NOTICE in terminal.raw, 2)
        return NOTICE in terminal.raw

    terminal.wait_until(told, 30)
    notice = bytes(terminal.raw).partition(NOTICE)[2]
    assert re.match(rb"\w{8} \S+ finished\x07\x1b]777;notify;launch-tui;run ", notice), notice[:99]
