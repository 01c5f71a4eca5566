from __future__ import annotations

import os
import signal


def open_with_work(box, shell="sleep 0.5", runs=3):
    """A UI whose agent has the first of some runs."""
    ids = [box.run(shell) for _ in range(runs)]
    terminal = box.open()
    terminal.wait_for("Runs")
    terminal.wait_until(lambda: box.state(ids[0]) == "running", what="the first run")
    assert box.agent_pid() == terminal.pid
    return terminal, ids


def test_a_closed_terminal_hands_over_and_the_queue_goes_on(box):
    terminal, ids = open_with_work(box, "sleep 1", runs=3)
    terminal.close()
    terminal.wait_until(lambda: box.agent_pid() != terminal.pid, what="the agent leaving")
    terminal.wait_until(box.agent_pid, what="another agent")
    assert terminal.exit_status() == 0
    terminal.wait_until(lambda: all(box.state(i) == "finished" for i in ids), what="all runs")


def test_a_closed_terminal_without_work_leaves_nothing_behind(box):
    terminal = box.open()
    terminal.wait_for("Runs")
    terminal.wait_until(lambda: box.agent_pid() == terminal.pid, what="the agent")
    terminal.close()
    assert terminal.exit_status() == 0
    assert box.agent_pid() is None


def test_leave_hands_over_and_says_so(box):
    terminal, ids = open_with_work(box)
    terminal.press("q")
    terminal.wait_for("Stop all and quit")
    terminal.press("l")
    assert terminal.exit_status() == 0
    assert "the queue goes on without a screen: agent" in terminal.text.split("\n", 1)[-1]
    terminal.wait_until(lambda: all(box.state(i) == "finished" for i in ids), what="all runs")


def test_stop_all_stops_what_runs_and_leaves_the_queue(box):
    terminal, ids = open_with_work(box, "sleep 60", runs=2)
    terminal.press("q")
    terminal.wait_for("Stop all and quit")
    terminal.press("s")
    assert terminal.exit_status(40) == 0
    assert [box.state(i) for i in ids] == ["stopped", "queued"]
    assert box.agent_pid() is None


def test_sigterm_is_leaving(box):
    terminal, ids = open_with_work(box)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.exit_status() == 0
    terminal.wait_until(lambda: all(box.state(i) == "finished" for i in ids), what="all runs")


def test_a_killed_ui_costs_no_run_and_the_next_one_shows_everything(box):
    terminal, ids = open_with_work(box, "echo marker-of-the-log; sleep 2", runs=1)
    terminal.kill()
    assert terminal.exit_status() == -signal.SIGKILL
    assert box.state(ids[0]) == "running"
    again = box.open()
    again.wait_for(ids[0])
    again.wait_for("marker-of-the-log")
    again.wait_until(lambda: box.state(ids[0]) == "finished", what="the end of the run")
    again.wait_for("finished")


def test_a_ui_attaches_and_takes_over_when_the_agent_ends(box):
    first, ids = open_with_work(box, "sleep 60", runs=1)
    second = box.open()
    second.wait_for(f"pid {first.pid} attached")
    first.kill()
    second.wait_until(lambda: box.agent_pid() == second.pid, what="the takeover")
    assert box.state(ids[0]) == "running"
    second.press("q")
    second.wait_for("goes on without a screen")
    second.press("s")
    assert second.exit_status(40) == 0
