from __future__ import annotations

from dataclasses import replace

import pytest

from launch_tui.care import disk
from launch_tui.devices.history import GpuLook, HistoryWriter, HostLook
from launch_tui.tui.screens.agent import AgentScreen
from launch_tui.tui.widgets.gpu_table import GpuTable
from tests.tui.conftest import GOLDEN, SIZES, settle, until
from tests.tui.devices import GIB, four_gpus
from tests.tui.frames import assert_frame, frame
from tests.tui.world import NOW


def write_history(home, gpus=(), *, looks=120, until=NOW - 2, **more):
    """Ten minutes in which everything rises."""
    writer = HistoryWriter(home)
    for number in range(looks):
        part = number / looks
        values = {
            "at": until - 5.0 * (looks - 1 - number), "cpu": part, "cpus": 32.0,
            "load": 32 * part, "memory_used": int(240 * GIB * part), "memory_total": 256 * GIB,
            "disk_free": 700 * GIB, "disk_total": 3000 * GIB,
            "gpus": {gpu.uuid: GpuLook(busy=int(100 * part), memory=0) for gpu in gpus},
            "folders": {"runs": 120 * GIB, "artifacts": 3 * GIB, "envs": 12 * GIB},
            **more,
        }  # fmt: skip
        writer.add(HostLook(**values))
    return writer


@pytest.mark.parametrize("size", SIZES)
async def test_the_machine_looks_as_it_did(busy_world, make_app, size):
    write_history(busy_world.home, four_gpus(busy_world.home))
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await until(pilot, lambda: "cpu" in frame(app))
        await assert_frame(pilot, GOLDEN / f"agent-machine-{size[0]}x{size[1]}.txt")


async def test_it_is_in_ascii_where_there_is_no_more(busy_world, make_app):
    write_history(busy_world.home, four_gpus(busy_world.home))
    app = make_app(ascii_only=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await until(pilot, lambda: "__...--===++***##@@@" in frame(app))
        assert frame(app).isascii()


async def test_it_follows_what_the_agent_sees(busy_world, make_app):
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        assert "Machine  seen" not in frame(app)
        writer = write_history(busy_world.home, looks=2)
        await until(pilot, lambda: "cpu 50% of 32" in frame(app))
        writer.add(
            HostLook(at=NOW - 1, cpu=0.97, cpus=32, load=60, memory_used=1, memory_total=2,
                     disk_free=1, disk_total=100)
        )  # fmt: skip
        await until(pilot, lambda: "cpu 97% of 32" in frame(app))
        assert "sizes are being counted" in frame(app)


async def test_what_is_old_says_so(busy_world, make_app):
    write_history(busy_world.home, until=NOW - 60)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await until(pilot, lambda: "nobody looks now" in frame(app))


async def test_the_palette_goes_to_the_gpus(busy_world, make_app):
    four_gpus(busy_world.home)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("colon", *"go: gpus", "enter")
        await until(pilot, lambda: isinstance(app.screen, AgentScreen))
        await until(pilot, lambda: app.screen.query_one(GpuTable).has_focus)


async def test_the_palette_goes_there_without_any_gpu_too(busy_world, make_app):
    write_history(busy_world.home)
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("colon", *"go: gpus", "enter")
        await until(pilot, lambda: "cpu 99% of 32" in frame(app))


async def test_the_agent_says_what_copies_and_caches_take_and_when_a_disk_is_nearly_full(
    busy_world, make_app
):
    kinds = {"working copies": 3 * GIB, "git caches": GIB, "environments": 0, "build contexts": 0}
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        assert "Copies and caches" not in frame(app)
        disk.write(busy_world.home, disk.Record(at=NOW, kinds=kinds, budget=50 * GIB))
        writer = write_history(busy_world.home, looks=2)
        await until(pilot, lambda: "4G of 50G" in frame(app))
        assert "copies       3G" in frame(app)
        assert "nearly full" not in frame(app)
        disk.write(busy_world.home, disk.Record(at=NOW, kinds=kinds, budget=2 * GIB))
        writer.add(replace(writer.last, at=NOW, disk_free=5 * GIB, disk_total=500 * GIB))
        await until(pilot, lambda: "launch-tui prune makes room" in frame(app))
        assert "4G of 2G, all of it needed" in frame(app)
