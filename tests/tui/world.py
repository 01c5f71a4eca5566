"""A data directory with runs in every state, made with the store's own writes at fixed times."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

from launch_tui.domain.job import CodeSource, Environment, JobKind, JobVersion, VenvMode
from launch_tui.domain.run import RunState
from launch_tui.domain.spec import RunSpec
from launch_tui.sdk import Launch
from launch_tui.store import enqueuing, jobs, write
from launch_tui.store.enqueuing import NewRun
from launch_tui.store.series import SeriesWriter

NOW = 1_795_000_000.0
OWNER = "gpubox:1:test"
PATH_TO = {
    RunState.CLAIMED: (RunState.CLAIMED,),
    RunState.SOURCING: (RunState.CLAIMED, RunState.SOURCING),
    RunState.BUILDING: (RunState.CLAIMED, RunState.SOURCING, RunState.BUILDING),
}
PATH_TO[RunState.STARTING] = (*PATH_TO[RunState.BUILDING], RunState.STARTING)
PATH_TO[RunState.RUNNING] = (*PATH_TO[RunState.STARTING], RunState.RUNNING)


class World:
    """Writes runs; ``now`` is the store's clock while they are written."""

    def __init__(self, root, monkeypatch):
        self.now = NOW
        self.launch = Launch(root)
        self.home = self.launch.home
        self._ids = (f"run{number:05d}" for number in itertools.count(1))
        clock = SimpleNamespace(time=lambda: self.now)
        monkeypatch.setattr("launch_tui.store.clock.time", clock)
        monkeypatch.setattr("launch_tui.store.enqueuing.new_id", lambda: next(self._ids))
        monkeypatch.setenv("TZ", "UTC")

    def queue(self, name, **settings):
        return self.launch.queues.create(name, "local-process", **settings)

    def job(self, name, **fields):
        job = JobVersion(
            name=name,
            version="",
            kind=JobKind.CODE,
            source=CodeSource(digest="0" * 64, path="/home/me/train", files=3, size=1024),
            entry_point=("python", "train.py"),
            environment=Environment(mode=VenvMode.NONE),
            **fields,
        )
        return jobs.save_version(self.launch.db, job).job

    def run(self, state=RunState.QUEUED, *, ago=0.0, queue="gpu", job="train", name="", **changes):
        """Enqueue a run ``ago`` seconds before now and bring it to a state; return its id."""
        db = self.launch.db
        self.now = NOW - ago
        observed = {k: changes.pop(k) for k in ("summary", "progress") if k in changes}
        config = changes.pop("config", {"lr": 0.001, "model": {"depth": 18}})
        given = {k: changes.pop(k) for k in ("group", "priority", "not_before") if k in changes}
        asked = changes.pop("spec", {})
        spec = RunSpec(
            kind=JobKind.CODE,
            source=CodeSource(digest="0" * 64, path="/home/me/train", files=3, size=1024),
            command=("python", "train.py"),
            environment=Environment(mode=VenvMode.NONE),
            setenv={"DEBUG": "1", "HF_TOKEN": "hunter2"},
            **asked,
        )
        new = NewRun(queue=queue, job=job, version="v0", name=name or job, project=job, spec=spec,
                     config=config, held=state is RunState.HELD, **given)  # fmt: skip
        run_id = enqueuing.enqueue(db, [new])[0].id
        self._advance(run_id, state, changes)
        if observed:
            write.observe(db, run_id, observed)
        self.now = NOW
        return run_id

    def log(self, run_id, text, *, name="output.log"):
        folder = self.home.attempt(run_id, 1)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def metrics(self, run_id, rows):
        self.home.metrics(run_id).parent.mkdir(parents=True, exist_ok=True)
        writer = SeriesWriter(self.home.metrics(run_id))
        writer.append_history(enumerate(rows))
        writer.commit()
        writer.close()

    def close(self):
        self.launch.close()

    def _advance(self, run_id, state, changes):
        if state in (RunState.QUEUED, RunState.HELD):
            return
        ended = state not in PATH_TO
        path = PATH_TO[RunState.RUNNING if ended else state]
        before = RunState.QUEUED
        for step in path:
            self.now += 1
            values = {"owner": OWNER} if step is RunState.CLAIMED else {}
            if step is RunState.RUNNING:
                values["started_at"] = write.now()
            owner = None if step is RunState.CLAIMED else OWNER
            self._step(run_id, before, step, owner, values)
            before = step
        if ended:
            self.now += changes.pop("lasted", 60)
            values = {"exit_code": 0, "ended_at": write.now(), **changes}
            self._step(run_id, before, state, OWNER, values)

    def _step(self, run_id, before, to, owner, values):
        write.transition(
            self.launch.db, run_id, before, to, owner=owner, actor=OWNER,
            message=str(values.get("cause", "")), changes=values,
        )  # fmt: skip


def busy(root, monkeypatch):
    """A world in which something of everything goes on."""
    world = World(root, monkeypatch)
    world.queue("gpu", max_running=2)
    world.queue("cpu", max_running=4)
    world.queue("nightly")
    world.job("train")
    world.job("evaluate")
    world.job("tokenise")
    world.run(RunState.FINISHED, ago=90_000, queue="cpu", job="tokenise", summary={"tokens": 1e9})
    world.run(
        RunState.FAILED, ago=7200, exit_code=137, phase="run", lasted=362,
        cause="killed by SIGKILL, probably out of memory",
        next_step="use a smaller batch, or r to rerun with changes",
    )  # fmt: skip
    world.run(
        RunState.FAILED, ago=4000, job="evaluate", phase="build", exit_code=None,
        cause="no version of torchh is known", next_step="correct requirements.txt",
    )  # fmt: skip
    world.run(RunState.STOPPED, ago=3700, cause="stopped by you")
    world.run(RunState.FINISHED, ago=3600, summary={"loss": 0.2981, "acc": 0.91}, lasted=1800)
    running = world.run(RunState.RUNNING, ago=740, name="lr-3e-4", progress="loss 0.312")
    world.run(RunState.BUILDING, ago=100, job="evaluate", progress="installing 14 packages")
    world.run(RunState.QUEUED, ago=90)
    world.run(RunState.QUEUED, ago=80)
    world.run(RunState.HELD, ago=70, queue="nightly", job="evaluate")
    world.run(RunState.QUEUED, ago=60, queue="nightly", job="evaluate")
    world.launch.queues.pause("nightly")
    lines = [f"12:{n // 60:02d}:{n % 60:02d} step={n} loss={1 / (n + 1):.4f}" for n in range(200)]
    world.log(running, "\n".join(lines) + "\n")
    world.metrics(running, [{"loss": 1 / (n + 1), "acc": n / 200} for n in range(200)])
    return world, running
