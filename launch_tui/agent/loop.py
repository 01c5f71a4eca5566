"""The agent: claims runs in order, has each carried out, and hears what people ask for.

It learns of new work by the store changing and of ends by the kernel; it never sleeps in between.
One agent works on a data directory; a second one stands by until the first has gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.agent.admission import admit
from launch_tui.agent.config import AgentConfig
from launch_tui.agent.context import Context
from launch_tui.agent.devices import DeviceWatch
from launch_tui.agent.execution import Execution
from launch_tui.agent.host import HostWatch
from launch_tui.agent.ledger import RETRY_S, WAITED_FOR
from launch_tui.agent.outbox import Outbox
from launch_tui.agent.setting import keeps_container
from launch_tui.agent.space import SpaceWatch
from launch_tui.agent.store_care import StoreCare
from launch_tui.agent.syncing import Syncer
from launch_tui.agent.wake import StoreChanges
from launch_tui.domain.queue import Resource
from launch_tui.domain.run import ACTIVE
from launch_tui.domain.slots import Policy
from launch_tui.errors import LaunchError, NotFound
from launch_tui.store import agents, claiming, queues, read, waiting
from launch_tui.store.agent_lock import AgentLock
from launch_tui.store.clock import Steps, seconds
from launch_tui.store.database import Database
from launch_tui.store.enqueuing import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.agent.config_file import ConfigFile
    from launch_tui.agent.report import AgentEvent
    from launch_tui.domain.slots import Shortage
    from launch_tui.domain.spec import RunSpec
    from launch_tui.errors import UsageError
    from launch_tui.store.claiming import Claimed
    from launch_tui.store.paths import Home

STATE_S = 20.0
"""How often a talkative agent says what it does; W&B's does it as often."""
LONGEST_NAP_S = 30.0
"""How long a run that begins later is slept for at once."""
STANDBY_POLL_S = 0.2
"""How often an agent that stands by tries the lock."""


class Agent:
    """The loop that carries out what the store says is wanted.

    Args:
        home: The data directory.
        config: Its settings.
        config_file: Where they are from, to follow it; None to keep them.
        report: Called with each thing that happens.
    """

    def __init__(
        self,
        home: Home,
        *,
        config: AgentConfig | None = None,
        config_file: ConfigFile | None = None,
        report: Callable[[AgentEvent], None],
    ) -> None:
        self._home = home
        self._config = config or AgentConfig()
        self._config_file = config_file
        self._report = report
        self._executions: dict[str, Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_queue = ""
        self._draining = False
        self._leave = asyncio.Event()
        self._retry: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._space: SpaceWatch | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._clock = Steps()
        self._said = ""
        self._behind = True
        self._changes: StoreChanges | None = None
        self._polled_at: float | None = None
        self._config_problem = ""
        self._config_is_told = self._config.path is None

    def leave(self) -> None:
        """Stop claiming and leave at once; runs go on and the next agent adopts them."""
        self._leave.set()

    def drain(self) -> None:
        """Stop claiming, wait for what runs, then leave."""
        if not self._draining:
            self._draining = True
            agents.set_state(self._context.db, self._context.agent, "draining")
            self._context.report(f"draining: {len(self._executions)} runs to wait for")
        self._leave_if_drained()

    def resume(self) -> None:
        """Claim again, where it drained."""
        if self._draining:
            self._draining = False
            agents.set_state(self._context.db, self._context.agent, "active")
            self._context.report("draining no more: claims again")

    def apply(self, config: AgentConfig) -> None:
        """Work by other settings from now on; runs that are there already go on."""
        self._take_config(config)
        self._look()

    async def run(self) -> None:
        """Work until asked to leave."""
        with Database(self._home) as db:
            lock = AgentLock(self._home)
            try:
                self._context = self._make_context(db)
                if db.repaired:
                    self._context.report(db.repaired)
                if await self._stand_by(lock):
                    await self._work()
            finally:
                # The lock goes last: while a thread of ours still writes into an attempt's
                # directory, no other agent may work on that run.
                self._context.close()
                lock.close()

    async def _stand_by(self, lock: AgentLock) -> bool:
        """Return True once this is the agent here, False when asked to leave before."""
        if not lock.acquire():
            holder = agents.status(self._context.db)
            pid = f" (pid {holder.pid})" if holder else ""
            self._context.report(f"standing by: another agent{pid} works here")
            while not lock.acquire():
                if await self._leaving_within(STANDBY_POLL_S):
                    return False
        self._care = StoreCare(self._home, self._context.report)
        await self._care.begin()
        return await self._register()

    async def _register(self) -> bool:
        """Say that this is the agent here; False when asked to leave before that could be said."""
        # It may have stood by for days.
        if self._config_file is not None and (found := self._config_file.look()) is not None:
            self._take_config(found)
        while not self._leave.is_set():
            try:
                agents.register(
                    self._context.db,
                    self._context.agent,
                    queues=self._config.queues,
                    max_jobs=self._config.max_jobs,
                )
            except WAITED_FOR as error:
                self._say_once(f"waits: {error.cause}")
                await self._leaving_within(RETRY_S)
            else:
                return True
        return False

    async def _work(self) -> None:
        context = self._context
        target = context.targets
        self._changes = changes = StoreChanges(context.db)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(context.engine.close)
            stack.push_async_callback(context.engine_watch.close)
            for each in target.values():
                stack.push_async_callback(each.close)
            listening = [
                asyncio.create_task(changes.watch()),
                asyncio.create_task(self._hear(changes)),
                asyncio.create_task(self._follow_config()),
                asyncio.create_task(self._say_state()),
                asyncio.create_task(self._care.watch()),
            ]
            self._outbox = Outbox(context.db, context.agent, context.report)
            stack.push_async_callback(self._outbox.close)
            self._syncer = Syncer(context.db, context.agent, context.report)
            stack.push_async_callback(self._syncer.close)
            self._context.report(self._greeting())
            self._say_notes()
            self._loop = asyncio.get_running_loop()
            self._configure_devices()
            self._context.devices.start()
            stack.callback(self._context.devices.close)
            host = HostWatch(self._home, self._context.devices.machine, polled=self._polled)
            host.start()
            stack.callback(host.close)
            self._space = SpaceWatch(self._home, self._config.disk_budget, self._say_from_thread)
            self._space.start()
            stack.callback(self._space.close)
            await self._take_over()
            self._ask_engine_if_used()
            self._look()
            await self._leave.wait()
            if self._draining and not self._executions:
                await self._outbox.flush()
            for task in (*listening, *self._tasks):
                task.cancel()
            await asyncio.gather(*listening, *self._tasks, return_exceptions=True)
            await self._care.close()
        with contextlib.suppress(*WAITED_FOR):
            agents.set_state(context.db, context.agent, "ended")
        context.report("left")

    async def _take_over(self) -> None:
        """Go on with what dead agents have begun."""
        while not self._leave.is_set():
            try:
                self._outbox.look(self._config.notify)
                left = claiming.take_over(self._context.db, self._context.agent)
            except WAITED_FOR as error:
                self._say_once(f"waits: {error.cause}")
                await self._leaving_within(RETRY_S)
                continue
            for claimed in left:
                self._begin(Execution(self._context, claimed), taken_up=True)
            # What never started goes back to its place before anything behind it is claimed.
            await asyncio.sleep(0)
            return

    async def _hear(self, changes: StoreChanges) -> None:
        async for _ in changes:
            self._look()

    async def _follow_config(self) -> None:
        """Apply what changes in the settings' file; broken settings change nothing."""
        if self._config_file is None:
            return
        async with contextlib.aclosing(self._config_file.changes()) as changes:
            async for found in changes:
                self._take_config(found)
                self._look()

    def _take_config(self, found: AgentConfig | UsageError) -> None:
        self._config_is_told = False
        if isinstance(found, AgentConfig):
            noted = self._config.notes
            self._config, self._config_problem = found, ""
            self._configure_devices()
            self._context.report(f"settings of {found.path}: {found.described()}")
            if found.notes != noted:
                self._say_notes()
        else:
            self._config_problem = str(found)
            self._context.report(f"the settings stay as they are: {found}")

    def _tell_config(self) -> None:
        """Write the settings down for whoever asks what the agent does."""
        agents.configure(
            self._context.db,
            self._context.agent,
            queues=self._config.queues,
            max_jobs=self._config.max_jobs,
            config=None if self._config.path is None else str(self._config.path),
            problem=self._config_problem,
            notes=self._config.notes,
        )
        self._config_is_told = True

    def _look(self) -> None:
        """Do what the store asks for now; what cannot be done now is tried again."""
        try:
            if not self._config_is_told:
                self._tell_config()
            self._obey()
            self._outbox.look(self._config.notify)
            self._syncer.look()
            self._wake_due()
            self._claim_more()
            # Last, for a run that was claimed just now may have been asked to stop before its
            # former agent died.
            self._pass_on_stops()
        except LaunchError as error:
            self._behind = True
            self._say_once(f"claiming nothing: {error}")
            self._look_again_later()
        else:
            self._behind = False
            self._said = ""

    def _obey(self) -> None:
        asked = agents.requested(self._context.db, self._context.agent)
        if asked == "stop":
            self.leave()
        elif asked == "drain":
            self.drain()
        elif asked == "resume":
            self.resume()

    def _pass_on_stops(self) -> None:
        for request in read.stop_requests(self._context.db):
            if execution := self._executions.get(request.run_id):
                execution.ask_to_stop(request.mode)

    def _claim_more(self) -> None:
        while not self._draining and not self._leave.is_set() and self._has_room():
            claimed = self._claim()
            if claimed is None:
                return
            faults.point("claim.committed")
            self._last_queue = claimed.run.queue
            self._begin(Execution(self._context, claimed))

    def _claim(self) -> Claimed | None:
        return claiming.claim(
            self._context.db,
            self._context.agent,
            queues=self._config.queues,
            after=self._last_queue,
            admit=self._admit,
        )

    def _admit(self, resource: str, spec: RunSpec) -> tuple[str, ...] | Shortage:
        held = (execution.held for execution in self._executions.values())
        context = self._context
        return admit(context.devices, context.engine_watch, resource, spec, held)

    def _polled(self) -> float | None:
        """Return when the queues were last asked for work; None when they have not been yet.

        All are asked at once, and while the store has not changed since they stand as they were
        found: to have asked that is to have asked them. For the one thread that writes it down.
        """
        if self._changes is not None and not self._behind and not self._draining:
            self._polled_at = self._changes.asked_at
        return self._polled_at

    def _wake_due(self) -> None:
        """Let the runs go whose time has come, and look again when the next one's comes."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._clock.back():
            waiting.shorten_back_offs(self._context.db)
        due = waiting.wake_due(self._context.db)
        if due is not None:
            # Looked at again before long in any case: the wall clock may be set.
            delay = min(max(seconds(due) - time.time(), 0.0), LONGEST_NAP_S)
            self._alarm = asyncio.get_running_loop().call_later(delay, self._look)

    def _has_room(self) -> bool:
        limit = self._config.max_jobs
        return limit is None or len(self._executions) < limit

    def _begin(self, execution: Execution, *, taken_up: bool = False) -> None:
        run = execution.run
        self._executions[run.id] = execution
        self._hold()
        if not taken_up:
            self._context.report(f"claimed from {run.queue}", run=run, state="claimed")
        work = execution.take_up() if taken_up else execution.carry_out()
        task = asyncio.create_task(work, name=run.id)
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._ended, execution))

    def _ended(self, execution: Execution, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        # A run that was given back may have been claimed again before this is called.
        if self._executions.get(execution.run.id) is execution:
            del self._executions[execution.run.id]
            self._hold()
        self._care.keep_record(self._context.db, execution.run.id)
        if not self._leave.is_set():
            self._look()
            self._leave_if_drained()

    def _hold(self) -> None:
        """Tell the watch on the devices what the runs have now."""
        self._context.devices.holding(
            [execution.held for execution in self._executions.values() if execution.held]
        )

    def _leave_if_drained(self) -> None:
        if self._draining and not self._executions:
            self.leave()

    def _look_again_later(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._look)

    async def _leaving_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leave.wait(), seconds)
        return self._leave.is_set()

    def _say_once(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._context.report(text)

    def _say_notes(self) -> None:
        for note in self._config.notes:
            self._context.report(f"{self._config.path}: {note}")

    async def _say_state(self) -> None:
        while True:
            await asyncio.sleep(STATE_S)
            if self._config.verbosity:
                count = len(self._executions)
                self._context.report(f"{count} runs at work; serves {self._config.described()}")

    def _greeting(self) -> str:
        queues, max_jobs = self._config.queues, self._config.max_jobs
        served = "all queues" if queues is None else "queues " + ", ".join(queues)
        limit = "no limit" if max_jobs is None else f"at most {max_jobs} jobs"
        return f"agent {os.getpid()} serves {served} of {self._home.root} ({limit})"

    def _make_context(self, db: Database) -> Context:
        from launch_tui.agent.engine_watch import EngineWatch
        from launch_tui.builders.images import ImageBuilder
        from launch_tui.builders.venv import VenvBuilder
        from launch_tui.engine.client import Engine
        from launch_tui.targets.local_container import LocalContainer
        from launch_tui.targets.local_process import LocalProcess

        engine = Engine()
        targets = (LocalProcess(), LocalContainer(engine, self._home.root))
        return Context(
            agent=f"{socket.gethostname()}:{os.getpid()}:{new_id()}",
            db=db,
            targets={target.resource: target for target in targets},
            builder=VenvBuilder(self._home.environments),
            images=ImageBuilder(engine, self._home.images),
            engine=engine,
            engine_watch=EngineWatch(engine, self._engine_changed),
            tell=self._report,
            config=lambda: self._config,
            devices=DeviceWatch(self._home, changed=self._devices_changed),
        )

    def _ask_engine_if_used(self) -> None:
        """Find out early whether the engine answers, and what containers are left on it."""
        if any(q.resource == Resource.LOCAL_CONTAINER for q in queues.every(self._context.db)):
            self._context.engine_watch.shortage()

    def _engine_changed(self, answers: bool) -> None:
        """Say that the Docker engine answers or not, and do what can be done now."""
        self._context.report("the Docker engine answers" if answers else "no Docker engine answers")
        if answers and not self._leave.is_set():
            task = asyncio.get_running_loop().create_task(self._sweep())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._look_unless_leaving()

    async def _sweep(self) -> None:
        """Remove containers whose outcome is stored; an agent that died may have left some."""
        db = self._context.db

        def wanted(run_id: str, attempt: int) -> bool:
            try:
                run = read.run(db, run_id)
            except NotFound:
                return False
            if run.state in ACTIVE:
                return True
            return run.attempt == attempt and keeps_container(read.spec(db, run_id))

        for target in self._context.targets.values():
            sweep = getattr(target, "sweep", None)
            if sweep is not None:
                with contextlib.suppress(LaunchError):
                    await sweep(wanted)

    def _say_from_thread(self, text: str) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._context.report, text)

    def _devices_changed(self) -> None:
        """Look again, on the loop, because what can be given to runs may have changed."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._look_unless_leaving)

    def _look_unless_leaving(self) -> None:
        if not self._leave.is_set():
            self._look()

    def _configure_devices(self) -> None:
        config = self._config
        policy = Policy(order=config.gpu_order, exclude=config.gpu_exclude)
        if config.gpu_busy_memory is not None:
            policy = replace(policy, busy_memory=config.gpu_busy_memory)
        self._context.devices.configure(policy=policy, cpus=config.cpus, memory=config.memory)
        if self._space is not None:
            self._space.configure(config.disk_budget)
