from __future__ import annotations

import os

import pytest

from launch_tui.devices.folders import Count, Sizes


@pytest.fixture
def clock():
    class Clock:
        now = 100.0
        step = 0.0

        def __call__(self):
            self.now += self.step
            return self.now

    return Clock()


@pytest.fixture
def folders(tmp_path):
    made = {name: tmp_path / name for name in ("runs", "artifacts", "envs")}
    for folder in made.values():
        folder.mkdir()
    return made


def counted(count):
    assert count.go_on(60.0)
    return count.sizes


def blocks(*paths):
    return sum(os.lstat(path).st_blocks * 512 for path in paths)


def test_what_lies_there_is_counted_by_folder(folders, clock):
    deep = folders["runs"] / "r1" / "1" / "wandb"
    deep.mkdir(parents=True)
    (deep / "x.bin").write_bytes(b"x" * 100_000)
    (folders["envs"] / "y.bin").write_bytes(b"y" * 50_000)
    sizes = counted(Count(folders, rest_s=600, clock=clock))
    assert sizes.bytes["runs"] == blocks(
        deep / "x.bin", deep, deep.parent, deep.parent.parent
    )  # fmt: skip
    assert sizes.bytes["envs"] == blocks(folders["envs"] / "y.bin")
    assert sizes.bytes["artifacts"] == 0


def test_a_file_of_several_names_is_counted_once_and_links_are_not_followed(folders, clock):
    first = folders["artifacts"] / "blob"
    first.write_bytes(b"x" * 1_000_000)
    for number in range(3):
        os.link(first, folders["runs"] / f"name{number}")
    (folders["runs"] / "away").symlink_to("/usr")
    sizes = counted(Count(folders, rest_s=600, clock=clock))
    together = sizes.bytes["artifacts"] + sizes.bytes["runs"]
    assert together == pytest.approx(blocks(first), abs=2048)


def test_it_is_counted_a_little_at_a_time_and_then_rests(folders, clock):
    for number in range(1000):
        (folders["runs"] / str(number)).write_bytes(b"x")
    count = Count(folders, rest_s=600, clock=clock)
    clock.step = 0.01
    steps = 0
    while not count.go_on(0.02):
        steps += 1
        assert count.sizes is None
    assert steps > 3
    first = count.sizes
    clock.step = 0.0
    (folders["runs"] / "more").write_bytes(b"x" * 100_000)
    assert not count.go_on(60.0)
    assert count.sizes is first
    clock.now += 601
    assert count.go_on(60.0)
    assert count.sizes.bytes["runs"] > first.bytes["runs"]


def test_what_goes_away_meanwhile_is_passed_over(folders, clock, tmp_path):
    for number in range(200):
        (folders["runs"] / f"d{number}").mkdir()
        (folders["runs"] / f"d{number}" / "x").write_bytes(b"x")
    count = Count(folders, rest_s=600, clock=clock)
    clock.step = 1.0
    assert not count.go_on(0.5)
    for number in range(200):
        (folders["runs"] / f"d{number}" / "x").unlink()
        (folders["runs"] / f"d{number}").rmdir()
    clock.step = 0.0
    assert count.go_on(60.0)
    gone = Count({"runs": tmp_path / "nowhere"}, rest_s=1, clock=clock)
    assert counted(gone) == Sizes(bytes={"runs": 0})
