"""``sync``: runs that have ended go to the person's W&B server."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from launch_tui.cli.groups import named
from launch_tui.cli.output import line, print_json, say
from launch_tui.cli.times import local
from launch_tui.domain.run import ENDED
from launch_tui.domain.sync import Sync, SyncState
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch

POLL_S = 0.1
"""How often the store is asked whether the agent has sent a run."""
_ACTOR = "user"


def sync(arguments: Arguments) -> int:
    """Send runs, or leave that to the agent; 1 when one of them was not sent."""
    everything = arguments.on("all")
    if bool(arguments.words) == everything:
        raise UsageError("sync", "needs runs, or --all", allowed="RUN..., GROUP..., --all")
    with arguments.open() as sdk:
        if everything:
            runs = sdk.syncs.unsent()
            if not runs:
                say("no run waits to be sent")
        else:
            runs = [each.id for each in named(sdk, arguments.words, ENDED)]
        wanted = sdk.syncs.ask(runs, again=arguments.on("again"))
        if not arguments.on("no_wait"):
            asyncio.run(_send(sdk, wanted))
        ended = [(run, sdk.runs.get(run).sync) for run in runs]
    if arguments.json:
        print_json([{"id": run, "sync": sync_json(found)} for run, found in ended])
    else:
        for run, found in ended:
            line(f"{run}  {sync_told(found)}")
            if found.cause and found.next_step:
                say(f"{run}: next: {found.next_step}")
    waits = (SyncState.WAITING, SyncState.SYNCING) if arguments.on("no_wait") else ()
    good = {SyncState.SYNCED, SyncState.ONLINE, *waits}
    return 0 if all(found.state in good for _, found in ended) else 1


def sync_told(sync: Sync) -> str:
    """Return how it stands with sending a run, as one line."""
    if sync.state is SyncState.SYNCED:
        return f"synced {local(sync.at)}  {sync.url or ''}".rstrip()
    told = {
        SyncState.NONE: "nothing to send",
        SyncState.UNSYNCED: "unsynced",
        SyncState.ONLINE: "sent as it ran",
    }.get(sync.state, str(sync.state))
    if sync.cause:
        told += f": {sync.cause}"
    if sync.next_at:
        told += f"; tried again {local(sync.next_at)}"
    return told


def sync_json(sync: Sync) -> dict[str, Any]:
    """Return how it stands with sending a run as the JSON of a run has it."""
    return asdict(sync)


async def _send(sdk: Launch, runs: Sequence[str]) -> None:
    """Wait until each was tried: by the agent that works here, else by this process."""
    from launch_tui.agent.syncing import BUSY_S, sync_run

    for run in runs:
        while (found := sdk.runs.get(run).sync).state in (SyncState.WAITING, SyncState.SYNCING):
            if found.tries and found.state is SyncState.WAITING:
                break
            if sdk.agents.is_running():
                await asyncio.sleep(POLL_S)
            elif not await sync_run(sdk.db, run, actor=_ACTOR):
                await asyncio.sleep(BUSY_S)
