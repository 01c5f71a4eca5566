from __future__ import annotations

import pytest

from launch_tui.devices import history
from launch_tui.devices.history import GpuLook, HistoryWriter, HostLook, parse, path_of
from launch_tui.sdk.devices import HostFile
from launch_tui.store.paths import Home


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path)
    made.create()
    return made


def look(number, **more):
    values = {
        "at": float(number), "cpu": 0.5, "cpus": 2.0, "load": 1.0, "memory_used": 1,
        "memory_total": 2, "disk_free": 3, "disk_total": 4, **more,
    }  # fmt: skip
    return HostLook(**values)


def times(home):
    file = HostFile(home)
    file.look()
    return [each.at for each in file.looks]


def test_what_is_added_can_be_read(home):
    full = look(1, gpus={"GPU-a": GpuLook(busy=None, memory=5)}, folders={"runs": 7})
    writer = HistoryWriter(home)
    writer.add(full)
    writer.add(look(2))
    file = HostFile(home)
    assert file.look()
    assert list(file.looks) == [full, look(2)]
    assert not file.look()
    writer.add(look(3))
    assert file.look()
    assert file.last == look(3)
    assert HistoryWriter(home).last == look(3)


def test_what_another_version_has_noted_besides_is_passed_over(home):
    line = history.dump(look(1))
    assert parse(line.replace(b"{", b'{"more":2,', 1)) == look(1)


def test_the_file_is_bounded_and_a_reader_follows(home):
    writer = HistoryWriter(home, kept=10)
    file = HostFile(home)
    for number in range(100):
        writer.add(look(number))
        file.look()
        assert len(path_of(home).read_bytes().splitlines()) <= 20
        assert file.last == look(number)
    assert times(home)[-10:] == list(range(90, 100))
    assert [each.at for each in file.looks][-10:] == list(range(90, 100))


def test_a_line_that_a_dead_agent_has_torn_is_passed_over(home):
    writer = HistoryWriter(home)
    writer.add(look(1))
    writer.add(look(2))
    whole = path_of(home).read_bytes()
    path_of(home).write_bytes(whole[:-20])
    assert times(home) == [1.0]
    HistoryWriter(home).add(look(3))
    assert times(home) == [1.0, 3.0]


def test_half_a_line_is_read_once_it_is_whole(home):
    HistoryWriter(home).add(look(1))
    file = HostFile(home)
    file.look()
    line = history.dump(look(2))
    with path_of(home).open("ab") as out:
        out.write(line[:30])
        out.flush()
        assert not file.look()
        out.write(line[30:])
    assert file.look()
    assert file.last == look(2)


def test_a_failed_write_is_made_good_by_the_next(home, monkeypatch):
    writer = HistoryWriter(home)
    writer.add(look(1))
    writer.add(look(2))

    def half(descriptor, data):
        import os

        os.write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(history, "write_all", half)
        with pytest.raises(Exception, match="no space left"):
            writer.add(look(3))
    writer.add(look(4))
    assert times(home) == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"gpus": 5}', b"\xff"])
def test_what_cannot_be_read_is_none(line):
    assert parse(line) is None


def test_without_a_file_there_is_nothing_and_one_that_goes_is_noticed(home):
    file = HostFile(home)
    assert not file.look()
    assert file.last is None
    HistoryWriter(home).add(look(1))
    assert file.look()
    path_of(home).unlink()
    assert file.look()
    assert file.last is None
