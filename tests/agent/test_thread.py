"""The agent beside a UI: what it loads, and what becomes of wrong settings."""

from __future__ import annotations

import subprocess
import sys

from launch_tui.agent.thread import AgentThread
from launch_tui.errors import UsageError
from launch_tui.sdk import Launch
from launch_tui.store.paths import Home

WITHOUT_A_FILE = """
import sys, time
from launch_tui.agent.thread import AgentThread
from launch_tui.sdk import Launch

with Launch() as launch:
    agent = AgentThread(launch.home, report=lambda event: None)
    agent.start()
    while not ((found := launch.agents.status()) and found.running and found.state == "active"):
        time.sleep(0.01)
    agent.leave()
    agent.join()
assert agent.error is None, agent.error
print([name for name in ("watchfiles", "anyio", "yaml") if name in sys.modules])
"""


def test_without_a_file_of_settings_nothing_is_loaded_to_read_or_watch_one(private_home):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_FILE], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_wrong_settings_end_it_with_the_reason(private_home):
    with Launch(private_home):
        (private_home / "agent.yaml").write_text("max_jobs: 0")
    agent = AgentThread(Home(private_home), report=lambda event: None)
    agent.start()
    agent.join(20)
    assert not agent.is_alive()
    assert isinstance(agent.error, UsageError)
    assert "agent.yaml: max_jobs: 0 is no number of jobs" in str(agent.error)
    agent.leave()


def test_the_file_of_the_data_directory_is_its_settings_and_followed(private_home, wait_until):
    with Launch(private_home) as launch:
        file = private_home / "agent.yaml"
        file.write_text("max_jobs: 3")
        agent = AgentThread(launch.home, report=lambda event: None)
        agent.start()
        try:
            for limit in (3, 4):
                file.write_text(f"max_jobs: {limit}")
                wait_until(lambda limit=limit: _limit(launch) == limit, what=f"max_jobs {limit}")
        finally:
            agent.leave()
            agent.join(20)
        assert agent.error is None


def _limit(launch):
    found = launch.agents.status()
    return found.max_jobs if found is not None and found.running else None
