"""What the runner of the fuzzers says: a fuzzer that did not fuzz to its end has not passed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import run

FIGURES = (
    "import sys; print('stat::number_of_executed_units: 12', 'Done 12 runs in 3 second(s)',"
    " sep=chr(10), file=sys.stderr);"
)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (FIGURES, "12 executions in    3 s      ? MB  nothing found"),
        ("", "NOT FUZZED TO THE END: it exited with 0"),
        (FIGURES + "sys.exit(1)", "NOT FUZZED TO THE END: it exited with 1"),
        (FIGURES + "sys.exit(70)", "FINDING: an input takes too long"),
        (FIGURES + "sys.exit(71)", "FINDING: an input takes too much memory"),
        (FIGURES + "sys.exit(77)", "FINDING: a crash"),
        ("import os; os.kill(os.getpid(), 14)", "NOT FUZZED TO THE END: killed by SIGALRM"),
        (FIGURES + "import os; os.abort()", "NOT FUZZED TO THE END: killed by SIGABRT"),
    ],
)
def test_every_end_is_told_as_what_it_is(does, said, capsys):
    bad = run.told("filters", 1, (sys.executable, "-c", does))
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("filters ")
    assert first.endswith(said)
    assert bad == ("nothing found" not in said)


ATHERIS = """
import contextlib, os, signal

def instrument_imports(include):
    return contextlib.nullcontext()

def Setup(arguments, one_input):
    global call
    call = one_input

def Fuzz():
    os.kill(os.getpid(), signal.SIGALRM)
    signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
    call(b"x")
    os.kill(os.getpid(), signal.SIGALRM)
    print("end")
"""


def test_an_alarm_before_there_is_a_handler_is_kept_for_it(tmp_path):
    """As on a machine that stands still between libFuzzer's timer and its handler."""
    (tmp_path / "atheris.py").write_text(ATHERIS)
    (tmp_path / "corpus").mkdir()
    done = subprocess.run(
        [sys.executable, run.__file__, "--one", "filters", str(tmp_path / "corpus")],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path)},
        cwd=Path(run.__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, ["alarm", "alarm", "end"]), done.stderr
