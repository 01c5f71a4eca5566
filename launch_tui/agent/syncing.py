"""Sends to a W&B server what the store says is to be sent, a run at a time; notes the outcomes.

Nothing is sent that nobody has asked for: a run is only in the list when its queue's rule says so
or a person does. The list is in the store, so it is gone on with after any crash; how a sync ended
is in the run's directory, so also one is noted whose agent has died in the middle.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from launch_tui import faults
from launch_tui.agent.ledger import RETRY_S
from launch_tui.agent.retrying import Complaint, doubled, pause_until
from launch_tui.agent.secret_values import resolved
from launch_tui.agent.setting import setting_of
from launch_tui.agent.wandb_account import account
from launch_tui.domain.environment import looks_secret
from launch_tui.domain.sync import SyncState
from launch_tui.errors import LaunchError
from launch_tui.store import read, syncing, write
from launch_tui.store.clock import iso
from launch_tui.tracking.wandb_sync import Busy, RunSync, Sent, files_to_send, python_with_wandb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.agent.wandb_account import Account
    from launch_tui.domain.run import Run
    from launch_tui.store.database import Database

CONNECT_S = 5.0
"""How long a server may take to accept a connection before a sync is begun at all."""
POLL_S = 0.1
"""How often a sync under way is looked at."""
BUSY_S = 2.0
"""When to look again at a run that another process is sending."""
FIRST_PAUSE_S = 10.0
"""Before the second try; doubled each time."""
LONGEST_PAUSE_S = 1800.0
MOST_TRIES = 50
"""A day of them. Then a person has to ask again."""
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")

log = logging.getLogger(__name__)


class Syncer:
    """Sends what is to be sent for as long as the agent works.

    Args:
        db: The store, on the agent's thread.
        agent: The agent's name, for events.
        report: Called with what happens, one line each.
    """

    def __init__(self, db: Database, agent: str, report: Callable[[str], None]) -> None:
        self._db = db
        self._agent = agent
        self._report = report
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Hear that the store has changed; costs one look at an index where nothing is owed."""
        if self._task is None and syncing.next_at(self._db) is not None:
            self._task = asyncio.create_task(self._work(), name="sync")
        self._news.set()

    async def close(self) -> None:
        """Stop; a sync under way goes on by itself and the next agent notes its outcome."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        complaint = Complaint(self._report)
        while True:
            self._news.clear()
            try:
                run_id = syncing.due(self._db)
                if run_id is not None:
                    told = await sync_run(self._db, run_id, actor=self._agent)
                    if told:
                        self._report(f"run {run_id}: {told}")
                    complaint.over()
                    continue
                pause = pause_until(syncing.next_at(self._db), LONGEST_PAUSE_S)
                complaint.over()
            except LaunchError as error:
                complaint.say(f"sync waits: {error.cause}")
                pause = RETRY_S
            except Exception:
                log.exception("syncing")
                pause = LONGEST_PAUSE_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause)


async def sync_run(
    db: Database,
    run_id: str,
    *,
    actor: str,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Send one run and note what became of it.

    Args:
        db: The store.
        run_id: The run; it is to be sent.
        actor: Who does this, for the event.
        environ: The environment around it; by default this process's.

    Returns:
        What became of it, as one line; empty when another process is sending it.
    """
    environ = os.environ if environ is None else environ
    run = read.run(db, run_id)
    try:
        with RunSync(Path(run.directory), run.attempt) as sending:
            sent = sending.left() if run.sync.state is SyncState.SYNCING else None
            if sent is None:
                sent = await _send(db, run, sending, environ)
            faults.point("sync.ended")
            return _note(db, run_id, sent, actor)
    except Busy:
        syncing.put_off(db, run_id, iso(time.time() + BUSY_S))
        return ""
    except OSError as error:
        return _note(db, run_id, Sent(cause=f"cannot be sent: {error}"), actor)


async def _send(db: Database, run: Run, sending: RunSync, environ: Mapping[str, str]) -> Sent:
    # In this order: from here on the outcome that is found there is that of this try.
    sending.clear()
    syncing.begin(db, run.id)
    faults.point("sync.before")
    try:
        target = _account(db, run, environ)
    except LaunchError as error:
        return Sent(cause=error.cause, next_step=error.next_step, final=True)
    files = files_to_send(Path(run.directory), run.attempt)
    if not files:
        return Sent(cause="there is nothing to send: no record of wandb's", final=True)
    if why := await _unreachable(target, environ):
        return Sent(cause=why, next_step="start it, or correct WANDB_BASE_URL")
    python = await asyncio.to_thread(python_with_wandb, Path(run.directory), run.attempt, _uv())
    if not python:
        return Sent(
            cause="there is no wandb to send it with: the run's environment is gone",
            next_step="pip install wandb where launch-tui is installed, then launch-tui sync",
            final=True,
        )
    sending.start(python, files, environ, target.variables)
    faults.point("sync.started")
    # It is no child of the event loop's: it is to go on when that ends.
    while (sent := sending.ended()) is None:  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)
    return sent


def _account(db: Database, run: Run, environ: Mapping[str, str]) -> Account:
    """Return where the run is to be sent: what its queue and launch say comes first."""
    spec = read.spec(db, run.id)
    env = setting_of(run, spec, ()).env
    wanted = {name: value for name, value in env.items() if name.startswith("WANDB_")}
    given = resolved(wanted, db.home.root, environ)
    own = {name: value for name, value in spec.setenv.items() if not looks_secret(name)}
    return account({**given, **own}, db.home.root, environ)


async def _unreachable(target: Account, environ: Mapping[str, str]) -> str:
    """Return why the server cannot be reached, empty when it can or only a proxy would know."""
    if any(environ.get(name) for name in _PROXIES):
        return ""
    parts = urlsplit(target.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except TimeoutError:
        return f"{target.base_url} does not answer within {CONNECT_S:g} s"
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        return f"{target.base_url} cannot be reached: {reason}"
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ""


def _note(db: Database, run_id: str, sent: Sent, actor: str) -> str:
    """Note what became of a run, and return it as one line."""
    if not sent.cause:
        syncing.synced(db, run_id, sent.url)
        text = f"sent to W&B: {sent.url}" if sent.url else "sent to W&B"
    else:
        tries = read.run(db, run_id).sync.tries
        final = sent.final or tries >= MOST_TRIES
        pause = pause_after(tries)
        again_at = None if final else iso(time.time() + pause)
        next_step = sent.next_step or "see sync/log in the run's directory; launch-tui sync RUN"
        syncing.failed(db, run_id, sent.cause, next_step, again_at)
        text = f"not sent to W&B: {sent.cause}" + ("" if final else "; it is tried again")
    faults.point("sync.noted")
    write.add_event(db, text, actor=actor, run_id=run_id)
    return text


def pause_after(tries: int) -> float:
    """Return how long to wait after the try of that number has failed."""
    return doubled(FIRST_PAUSE_S, tries - 1, LONGEST_PAUSE_S)


def _uv() -> str:
    from launch_tui.builders.uv_process import find_uv

    try:
        return find_uv()
    except (ImportError, OSError):
        return ""
