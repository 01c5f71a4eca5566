from __future__ import annotations

import pytest

from launch_tui.domain.error_lines import ERROR_LINE, looks_like_error
from launch_tui.store import log_scan

ERRORS = """\
2026-11-28 12:00:00 ERROR worker 3 has died
[rank0]: RuntimeError: CUDA error: device-side assert triggered
Traceback (most recent call last):
torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB
KeyboardInterrupt
AssertionError
ValueError: bad batch 3
/bin/sh: 1: foo: not found
bash: foo: command not found
cat: x.txt: No such file or directory
Killed
Segmentation fault (core dumped)
src/a.cpp:3:1: error: expected ';'
error[E0308]: mismatched types
fatal: not a git repository
panic: runtime error: index out of range
FAILED tests/test_a.py::test_b - assert 1 == 2
CRITICAL:root:disk full
ERROR: 3 of 4 shards are missing"""

NONE = """\
step 3 val_error=0.12 loss=0.3
error: 0.034
0 errors, 2 warnings
mean error 0.4 after epoch 3
raise ValueError(x)
log_level=ERROR
on_error: ignore
Loading model (max_errors 3)
100%|██████████| 6/6 [00:07<00:00, 1.25s/it]"""


@pytest.mark.parametrize("line", ERRORS.split("\n"))
def test_an_error_is_one(line):
    assert looks_like_error(line)


@pytest.mark.parametrize("line", NONE.split("\n"))
def test_what_only_sounds_like_an_error_is_none(line):
    assert not looks_like_error(line)


def test_a_large_log_is_searched_for_errors_by_words():
    words = log_scan._required(ERROR_LINE, 0, ascii_only=False)
    assert words is not None
    for line in ERRORS.split("\n"):
        assert any(word in line.encode() for word in words)
