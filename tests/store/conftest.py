"""A fresh store, runs to put into it, and other processes that use it at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launch_tui.domain.job import CodeSource, Environment, JobKind, VenvMode
from launch_tui.domain.queue import Queue, Resource
from launch_tui.domain.spec import RunSpec
from launch_tui.store import queues
from launch_tui.store.database import Database
from launch_tui.store.enqueuing import NewRun
from launch_tui.store.paths import Home

REPOSITORY = Path(__file__).resolve().parent.parent.parent

PRELUDE = """
import os, sys
from pathlib import Path
from launch_tui.domain.job import CodeSource, Environment, JobKind, VenvMode
from launch_tui.domain.queue import Queue, Resource
from launch_tui.domain.run import RunState
from launch_tui.domain.spec import RunSpec
from launch_tui.errors import *
from launch_tui.store import agents, claiming, enqueuing, queues, read, write
from launch_tui.store.database import Database
from launch_tui.store.paths import Home
from launch_tui.store.enqueuing import NewRun

home = Home(Path(os.environ["LAUNCH_TUI_HOME"]))
spec = RunSpec(kind=JobKind.CODE, source=CodeSource(digest="d", path="/x"), command=("true",),
               environment=Environment(mode=VenvMode.NONE))

def new_run(**more):
    values = {"queue": "q", "job": "j", "version": "v0", "name": "n", "project": "p", "spec": spec}
    return NewRun(**{**values, **more})

def barrier():
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def home(private_home):
    return Home(private_home)


@pytest.fixture
def db(home):
    with Database(home) as db:
        yield db


@pytest.fixture
def queue(db):
    """A queue called q that lets everything run."""
    return queues.create(db, Queue(name="q", resource=Resource.LOCAL_PROCESS, max_running=10_000))


@pytest.fixture
def new_run():
    def make(**more):
        spec = RunSpec(
            kind=JobKind.CODE,
            source=CodeSource(digest="d", path="/x"),
            command=("true",),
            environment=Environment(mode=VenvMode.NONE),
        )
        values = {
            "queue": "q",
            "job": "j",
            "version": "v0",
            "name": "n",
            "project": "p",
            "spec": spec,
        }
        return NewRun(**{**values, **more})

    return make


@pytest.fixture
def run_script():
    """Returns ``run(script, **variables)``: a process that has ended, with its output."""

    def run(script, *, prefix=(), **variables):
        return subprocess.run(
            [*prefix, sys.executable, "-c", PRELUDE + script],
            capture_output=True,
            text=True,
            timeout=50,
            env=_environment(variables),
        )

    return run


@pytest.fixture
def together():
    """Returns ``run(script, count)``: outputs of processes that pass ``barrier()`` at one time."""
    started = []

    def run(script, count):
        started.extend(
            subprocess.Popen(
                [sys.executable, "-c", PRELUDE + script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=_environment({"NUMBER": str(number)}),
            )
            for number in range(count)
        )
        for process in started:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = []
        for process in started:
            out, err = process.communicate(timeout=50)
            assert process.returncode == 0, err
            outputs.append(out)
        return outputs

    yield run
    for process in started:
        process.kill()
        with process:
            process.wait()


def _environment(variables):
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
