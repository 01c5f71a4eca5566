from __future__ import annotations

from launch_tui.domain.run import RunState
from launch_tui.store import syncing
from tests.tui.conftest import settle, until
from tests.tui.frames import frame


def line(app):
    """The status bar as text."""
    return frame(app).split("\n")[32]


def unsynced(world):
    """A finished run that was tracked and lies here alone."""
    run = world.run(RunState.FINISHED)
    world.launch.db.execute("UPDATE runs SET sync = 'unsynced' WHERE id = ?", (run,))
    return run


async def test_each_run_that_wandb_has_not_seen_is_counted_once(world, make_app):
    world.queue("gpu")
    runs = [unsynced(world) for _ in range(3)]
    # Two attempts, and two wandb.init in the second: three records, and still one run.
    for name in ("1/offline-run-a/run-a", "2/offline-run-b/run-b", "2/offline-run-c/run-c"):
        record = world.home.run(runs[0]) / f"{name}.wandb"
        record.parent.mkdir(parents=True)
        record.touch()
    db = world.launch.db
    app = make_app()
    async with app.run_test(size=(120, 34)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: line(app).endswith("wandb offline  3 unsynced"))
        syncing.ask(db, runs[:2])
        await until(pilot, lambda: line(app).endswith("wandb offline  1 unsynced  2 to send"))
        syncing.begin(db, runs[0])
        syncing.failed(db, runs[0], "no key", "get one", None)
        await until(
            pilot,
            lambda: line(app).endswith("wandb offline  1 unsynced  1 to send  1 not sent"),
        )
        syncing.ask(db, [runs[2]])
        for run in runs[1:]:
            syncing.begin(db, run)
            syncing.synced(db, run, "")
        await until(pilot, lambda: line(app).endswith("wandb  1 not sent"))
        syncing.synced(db, runs[0], "")
        await until(pilot, lambda: "wandb" not in line(app))
