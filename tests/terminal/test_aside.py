"""What is given the terminal has all of it: ``ctrl+c`` there is no key of the UI's."""

from __future__ import annotations

PAGER = """#!/bin/sh
trap 'echo heard; exit 0' INT
echo the pager has the terminal
while :; do sleep 0.05; done
"""


def test_an_interrupt_is_that_of_who_has_the_terminal(box, tmp_path):
    pager = tmp_path / "pager"
    pager.write_text(PAGER)
    pager.chmod(0o755)
    run_id = box.run("echo hello")
    terminal = box.open(environment={"PAGER": str(pager)})
    terminal.wait_until(lambda: box.state(run_id) == "finished", what="the end of the run")
    terminal.press("\r")
    terminal.wait_for("hello")
    terminal.press("|")
    terminal.wait_for("the pager has the terminal")
    since = len(terminal.raw)
    terminal.press("\x03")
    terminal.wait_for("heard", since=since)
    terminal.wait_for("hello", since=since)
    terminal.press("?")
    terminal.wait_for("esc closes", since=since)
    assert terminal.status is None
