"""``prune`` on a terminal: it says what would go, asks, and takes only yes for yes."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(("answer", "left"), [("y\r", 0), ("\r", 1), ("n\r", 1)])
def test_it_asks_before_it_removes(box, answer, left):
    with box.launch.db.transaction():
        run = box.run("true")
        box.launch.db.execute(
            "UPDATE runs SET state = 'finished', ended_at = '2020-01-01T00:00:00Z'"
        )
    terminal = box.open("prune")
    terminal.wait_for("[y/N]")
    assert "runs" in terminal.text
    assert box.launch.runs.get(run).id == run
    terminal.press(answer)
    assert terminal.exit_status() == 0
    assert box.launch.runs.count() == left


def test_it_does_not_ask_when_told_so_or_when_there_is_nothing(box):
    assert box.launch.runs.count() == 0
    nothing = box.open("prune")
    assert nothing.exit_status() == 0
    assert "there is nothing to remove" in nothing.text
    box.run("true")
    box.launch.db.execute("UPDATE runs SET state = 'finished', ended_at = '2020-01-01T00:00:00Z'")
    told = box.open("prune", "--yes")
    assert told.exit_status() == 0
    assert "[y/N]" not in told.text
    assert box.launch.runs.count() == 0
