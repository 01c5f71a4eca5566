from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.store import log_copy
from launch_tui.store.log_copy import copy_lines, copy_part
from launch_tui.store.log_scan import bitmap


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([b"", b"a", b"x" * 30, b"\x1b[31mred"]), max_size=20),
    st.sets(st.integers(0, 22)),
    st.booleans(),
    st.booleans(),
    st.integers(1, 40),
)
def test_lines_are_written_as_they_are(tmp_path, lines, wanted, others, ended, chunk):
    log, out = tmp_path / "log", tmp_path / "out"
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    log.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_copy, "_CHUNK", chunk)
        size = copy_lines(log, out, bitmap(wanted), others=others)
    kept = [
        line for n, line in enumerate(data.splitlines(keepends=True)) if (n in wanted) != others
    ]
    assert out.read_bytes() == b"".join(kept)
    assert size == len(out.read_bytes())


def test_a_part_is_written_and_replaces_what_was_there(tmp_path):
    log, out = tmp_path / "log", tmp_path / "out"
    log.write_bytes(b"one\ntwo\nthree\n")
    out.write_text("old")
    assert copy_part(log, out, 4, 8) == 4
    assert out.read_bytes() == b"two\n"
    assert copy_part(log, out, 0, 99) == 14


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    out = tmp_path / "out"
    out.write_text("old")
    with pytest.raises(FileNotFoundError):
        copy_part(tmp_path / "absent", out, 0, 9)
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
