"""The agent keeps to its disk budget, off its loop, and follows a budget that changes."""

from __future__ import annotations

from launch_tui.agent.space import SpaceWatch
from launch_tui.care import disk
from launch_tui.sdk import Launch
from tests.care.test_budget import environment


def test_a_budget_that_changes_is_kept_to_at_once(wait_until):
    said = []
    with Launch() as sdk:
        path = environment(sdk, "e", days=9)
        watch = SpaceWatch(sdk.home, None, said.append, first=0.0, every=600.0)
        watch.start()
        try:
            wait_until(lambda: disk.read(sdk.home).record, what="the first look")
            assert path.exists()
            watch.configure(10)
            wait_until(lambda: disk.read(sdk.home).record.budget == 10, what="the second look")
            assert not path.exists()
            assert disk.read(sdk.home).record.freed == 1000
            wait_until(lambda: said, what="a word about it")
            assert said[0].startswith("made room: ")
        finally:
            watch.close()


def test_what_is_over_and_needed_is_told_once(wait_until):
    said = []
    with Launch() as sdk:
        environment(sdk, "e", days=0)
        watch = SpaceWatch(sdk.home, 10, said.append, first=0.0, every=0.01)
        watch.start()
        try:
            wait_until(lambda: said, what="a word about it")
            first = disk.read(sdk.home).record.at
            wait_until(lambda: disk.read(sdk.home).record.at > first + 0.1, what="more looks")
        finally:
            watch.close()
    (line,) = said
    assert line.startswith("over disk_budget by ")
