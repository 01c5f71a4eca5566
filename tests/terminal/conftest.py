from __future__ import annotations

import contextlib
import os
import signal

import pytest

from launch_tui.cli.ui import start_headless
from launch_tui.domain.run import ACTIVE
from launch_tui.errors import LaunchError
from launch_tui.sdk import Launch, LaunchRequest
from tests.terminal.terminals import Terminal


class Box:
    """A data directory with one queue, and terminals on it."""

    def __init__(self, root, folder):
        self.root = root
        self.folder = folder
        self.launch = Launch(root)
        self.terminals = []
        self.launch.queues.create("gpu", "local-process", tracking="optional")

    def run(self, shell="true", **fields):
        request = LaunchRequest(
            queue="gpu", in_place=str(self.folder), entry_point=["sh", "-c", shell], **fields
        )
        return self.launch.launch(request).id

    def state(self, run_id):
        return str(self.launch.runs.get(run_id).state)

    def open(self, *arguments, **settings):
        terminal = Terminal(*arguments, home=self.root, **settings)
        self.terminals.append(terminal)
        return terminal

    def agent_pid(self):
        status = self.launch.agents.status()
        return status.pid if status is not None and status.running else None

    def end(self, wait_until):
        """End every job, which takes an agent, then the agent and the terminals."""
        for run in self.launch.runs.every():
            with contextlib.suppress(LaunchError):
                self.launch.runs.stop(run.id, now=True)
        if self._active() and self.agent_pid() is None:
            start_headless(self.launch.home)
        wait_until(lambda: not self._active(), what="the end of all jobs")
        for terminal in self.terminals:
            terminal.end()
        if (pid := self.agent_pid()) is not None:
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: self.agent_pid() is None, what="the end of the agent")
        self.launch.close()

    def _active(self):
        return self.launch.runs.count(states=tuple(ACTIVE))


@pytest.fixture
def box(private_home, tmp_path, wait_until):
    made = Box(private_home, tmp_path)
    yield made
    made.end(wait_until)
