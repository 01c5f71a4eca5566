from __future__ import annotations

from dataclasses import replace

import pytest

from launch_tui.devices import record
from launch_tui.devices.record import Devices, RunUse
from launch_tui.domain.slots import Gpu, Machine, Stranger
from launch_tui.store.paths import Home

M = 1024**2
GPU = Gpu(
    uuid="GPU-a",
    index=0,
    name="RTX",
    memory_total=24 * 1024 * M,
    memory_used=640 * M,
    utilization=50,
    temperature=60,
    strangers=(Stranger(pid=4, user="eve", memory=640 * M, run_id=""),),
)
DEVICES = Devices(
    sampled_at=1.5,
    machine=Machine(gpus=(GPU,), cpus=8.0, memory=10),
    runs=(RunUse(run_id="r", uuid="GPU-a", assigned=0, used=64 * M),),
    trouble="none",
)


def test_what_is_written_is_read(tmp_path):
    home = Home(tmp_path)
    record.write(home, DEVICES)
    assert record.read(home) == DEVICES
    assert [path.name for path in tmp_path.iterdir()] == ["devices.json"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"machine": 1}', '{"machine": {"gpus": [{}]}}'])
def test_what_cannot_be_read_is_none(tmp_path, text):
    assert record.read(Home(tmp_path)) is None
    record.path_of(Home(tmp_path)).write_text(text)
    assert record.read(Home(tmp_path)) is None


def with_gpu(**changes):
    return replace(DEVICES, machine=replace(DEVICES.machine, gpus=(replace(GPU, **changes),)))


@pytest.mark.parametrize(
    "changes", [{"utilization": 51}, {"memory_used": 641 * M}, {"temperature": 60}]
)
def test_a_flicker_shows_nothing_new(changes):
    assert record.shown(replace(with_gpu(**changes), sampled_at=9.0)) == record.shown(DEVICES)


@pytest.mark.parametrize(
    "changes",
    [{"utilization": 60}, {"utilization": None}, {"memory_used": 0}, {"strangers": ()}],
)
def test_what_a_person_sees_is_news(changes):
    assert record.shown(with_gpu(**changes)) != record.shown(DEVICES)
