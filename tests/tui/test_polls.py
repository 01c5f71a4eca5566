from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from launch_tui.devices.history import HostLook
from launch_tui.store.agents import AgentStatus
from launch_tui.tui.polls import polled
from tests.tui.world import NOW

AGENT = AgentStatus(
    id="a", running=True, pid=1, host="h", state="active", queues=None, max_jobs=None,
    since=datetime.fromtimestamp(NOW - 7200, tz=UTC).isoformat(),
)  # fmt: skip
DRAINS = replace(AGENT, state="draining")
ENDED = replace(AGENT, state="ended", running=False)
ONLY_CPU = replace(AGENT, queues=("cpu",))


def look(ago):
    return HostLook(
        at=NOW, cpu=0, cpus=1, load=0, memory_used=0, memory_total=1, disk_free=1, disk_total=1,
        polled_at=None if ago is None else NOW - ago,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("agent", "ago", "expected"),
    [
        (AGENT, 0, "just now"),
        # The clock was set back a little since.
        (AGENT, -3, "just now"),
        (AGENT, 30, "under 1m ago"),
        (AGENT, 150, "2m ago"),
        (AGENT, None, "not yet"),
        # By an agent before this one.
        (AGENT, 7300, "not yet"),
        (ENDED, None, "not known"),
        (ENDED, 7300, "not known"),
        (ENDED, 3700, "1h ago, no agent now"),
        (DRAINS, 90, "1m ago, drains now"),
        (ONLY_CPU, 0, "not by this agent"),
        (replace(ONLY_CPU, running=False), 0, "not by the last agent"),
        (None, 0, "never"),
    ],
)
def test_when_a_queue_was_polled_last(agent, ago, expected):
    assert polled(agent, look(ago), NOW, "gpu") == expected


def test_a_machine_that_nobody_has_looked_at():
    assert polled(AGENT, None, NOW) == "not yet"
    assert polled(ONLY_CPU, look(0), NOW, "cpu") == polled(ONLY_CPU, look(0), NOW) == "just now"
