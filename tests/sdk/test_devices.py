from __future__ import annotations

import pytest

from launch_tui.devices import record
from launch_tui.devices.record import Devices
from launch_tui.domain.run import RunState
from launch_tui.domain.slots import Machine
from launch_tui.sdk.devices import DevicesFile, Slots, slots_held
from tests.tui.world import World


@pytest.fixture
def world(private_home, monkeypatch):
    made = World(private_home, monkeypatch)
    made.queue("gpu")
    yield made
    made.close()


def test_the_record_is_read_again_only_when_it_was_replaced(world, monkeypatch):
    file = DevicesFile(world.home)
    assert not file.look()
    assert file.devices is None
    record.write(world.home, Devices(sampled_at=1.0, machine=Machine(cpus=4)))
    assert file.look()
    assert file.devices.machine.cpus == 4
    reads = []
    monkeypatch.setattr(record, "read", lambda home: reads.append(home))
    assert not file.look()
    assert reads == []
    record.path_of(world.home).unlink()
    assert file.look()
    assert file.devices is None


def test_a_record_that_cannot_be_read_is_none(world):
    record.path_of(world.home).write_text("{")
    file = DevicesFile(world.home)
    assert file.look()
    assert file.devices is None


def test_what_the_active_runs_hold(world):
    world.run(RunState.RUNNING, spec={"resources": {"cpus": 1.5, "memory": "2G"}})
    world.run(RunState.BUILDING, spec={"resources": {"cpus": 2}})
    world.run(RunState.QUEUED, spec={"resources": {"cpus": 8}})
    world.run(RunState.FINISHED, spec={"resources": {"cpus": 16}})
    assert slots_held(world.launch) == Slots(cpus=3.5, memory=2 * 1024**3)
