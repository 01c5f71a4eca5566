"""Named points between an intent and its effect, at which a test can kill the process.

``LAUNCH_TUI_FAULT=name`` makes the process that reaches the point send itself SIGKILL;
``LAUNCH_TUI_FAULT=name:3`` at the third time. Nothing else reads the variable. ``POINTS`` is the
whole list: tests go through it, and a point that no test reaches fails them. The supervisor runs
without this package (``python -IS``) and carries the same few lines; its points are listed here
too.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "LAUNCH_TUI_FAULT"

POINTS: dict[str, str] = {
    "enqueue.before": "a run was asked for, nothing is written",
    "enqueue.written": "a run is written, not committed",
    "enqueue.committed": "a run is on disk, its caller does not know it yet",
    "claim.before": "the head of a queue is known, not taken",
    "claim.committed": "a run is claimed, nothing has been done for it",
    "source.before": "sourcing is committed, no file is there",
    "source.after": "the working copy is there, building is not committed",
    "build.before": "building is committed, nothing is built",
    "build.after": "the environment is there, starting is not committed",
    "start.intended": "starting is committed, the target was not asked",
    "start.answered": "the job was started, running is not committed",
    "running.recorded": "running is committed, the job is not watched yet",
    "blocked.noted": "what the first in line lacks is written, not committed",
    "wake.before": "the time of waiting runs has come, they still wait",
    "wake.after": "the runs whose time has come may be claimed, nobody has looked",
    "limit.over": "a job has run for as long as it may, nobody has asked it to end",
    "retry.before": "an attempt has failed, its retry is not queued",
    "retry.written": "how an attempt ended is written, its next one is not, neither is committed",
    "retry.after": "a retry is queued",
    "end.seen": "the job has ended, its outcome is not stored",
    "settle.before": "the outcome is judged, not stored",
    "settle.dependants": "the outcome is written, the runs that wait for it were not told",
    "settle.after": "the outcome is stored, nobody was told",
    "artifact.blobs_written": "new contents have temporary names, nothing is synced",
    "artifact.blobs_synced": "new contents are on disk, under temporary names",
    "artifact.blobs_named": "new contents have their names, no manifest refers to them",
    "target.requested": "the supervisor has been asked to start the job, no answer was read",
    "target.answered": "the supervisor has answered, the agent does not know it yet",
    "target.voided": "an attempt was made void, its caller does not know it yet",
    "container.created": "the attempt's container exists, nobody has asked to start it",
    "container.started": "the container has been started, the agent does not know it yet",
    "container.voided": "an attempt was made void, its container may still be there",
    "container.removed": "a container is gone whose outcome is stored",
    "supervisor.forked": "the supervisor has read its request and taken no token",
    "supervisor.token_taken": "the token is on disk, the job does not exist",
    "supervisor.job_forked": "the job's process exists and waits, its pid is not recorded",
    "supervisor.pid_written": "the pid is recorded, the job's process still waits",
    "supervisor.job_started": "the job runs, the agent was not answered",
    "supervisor.job_ended": "the job has been reaped, its outcome is nowhere",
    "supervisor.exit_written": "the outcome is recorded, leftover processes live",
    "build.locked": "this process may build the environment, an earlier build's rest is there",
    "build.cleared": "the environment's place is empty, nothing is made yet",
    "build.venv.created": "the virtual environment exists, no package is in it yet",
    "build.installed": "all packages are installed, the environment is not marked as whole",
    "build.marked": "the environment is marked as whole, the run does not know it yet",
    "image.locked": "this process may build the image, nothing of it is there",
    "image.built": "the image is on the engine, neither recorded nor at its destination",
    "image.pushed": "the image is at its destination, which is not recorded",
    "image.pulled": "the image was pulled, the run does not know it yet",
    "metrics.written": "new rows and offsets are written to the run's metrics, not committed",
    "metrics.committed": "new rows and offsets are in the run's metrics, the run does not know it",
    "outbox.before": "the end of a run is owed to a webhook, nothing was sent",
    "outbox.answered": "a webhook has answered, that is not noted",
    "outbox.noted": "a webhook was told of an end, and that is noted",
    "sync.before": "that a run is being sent to a W&B server is on disk, nothing was sent",
    "sync.started": "wandb sync runs, nobody waits for it any more",
    "sync.ended": "wandb sync has ended, that is not noted",
    "sync.noted": "what became of a sync is noted, nobody was told",
    "git.fetch.before": "the cache's lock is held and the cache exists, nothing is fetched",
    "git.fetch.after": "the commit is in the cache and pinned, the lock is still held",
    "git.clone.after": "the working copy has its objects, no file and the wrong remote",
    "seal.marked": "the store's copy is marked as being written, no page has moved",
    "seal.moved": "pages are in the store, their old ones in its copy",
    "seal.copied": "the store and its copy are the same, the copy is not marked as whole",
    "mend.page": "a damaged page of the store is put back, the others are not",
    "mend.new_store": "a new store is whole beside the damaged one, neither has moved",
    "mend.moved_aside": "the damaged store is moved aside, the new one is not in its place",
    "mend.one": "one thing that was wrong is put right, the others are not",
    "git.checkout.after": "the working copy is complete, beside the place it is to have",
    "backup.snapshot": "the store is copied, no file is in the archive",
    "backup.written": "the archive is whole, not on disk and without its name",
    "restore.unpacked": "all files of the archive are there and whole, the store is as it was",
    "restore.adapted": "what was at work is lost, the directory is beside its place",
    "restore.exchanged": "the directory has its place, the old one is not named as such",
    "prune.rows": "runs are forgotten, their directories are there",
    "prune.copy": "a file of a working copy is gone, the others are there",
    "prune.manifests": "manifests are gone, the contents that only they named are there",
    "prune.cache": "a repository's cache has lost its name, its files are there",
}
"""Point -> what has happened before it and not yet after it. Each owner's are added below."""


def _armed() -> tuple[str, int]:
    name, _, count = os.environ.get(VARIABLE, "").partition(":")
    return name, int(count or 1)


_name, _left = _armed()


def point(name: str) -> None:
    """Die here by SIGKILL if the environment asks for it; otherwise do nothing."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
