"""The containers of one data directory, as the engine is asked about them.

Every question may be asked again: what is done already is no error. Containers are found by name,
and are ours only if their labels say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch_tui.errors import EngineDown, EngineError, StartFailed
from launch_tui.targets.container_end import BOOT_LABEL, Seen, read_seen
from launch_tui.targets.container_launcher import SHELL
from launch_tui.targets.processes import boot_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import docker

    from launch_tui.domain.attempt import Attempt
    from launch_tui.engine.client import Engine

RUN_LABEL = "launch-tui.run"
ATTEMPT_LABEL = "launch-tui.attempt"
HOME_LABEL = "launch-tui.home"

NOT_FOUND, CONFLICT = 404, 409
CREATE_SECONDS = 60.0
"""How long a container may be on its way whose name is taken and that is not there yet."""
LOOK_SECONDS = 0.1
WORDS = 300
"""Characters of a container's own last words that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A container of this data directory that is on the engine."""

    id: str
    name: str
    run_id: str
    attempt: int
    running: bool


class Containers:
    """Asks the engine about the containers of a data directory.

    Args:
        engine: The engine.
        root: The data directory.
    """

    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine = engine
        self.root = root
        self.home = os.path.realpath(root)

    def labels(self, attempt: Attempt) -> dict[str, str]:
        """Return the labels by which the container of an attempt is found."""
        return {
            RUN_LABEL: attempt.run_id,
            ATTEMPT_LABEL: str(attempt.number),
            HOME_LABEL: self.home,
            BOOT_LABEL: boot_id(),
        }

    async def find(self, container: str) -> Seen | None:
        """Return the container of this name or id if there is one and it is ours."""
        seen = await self._inspect(container)
        return seen if seen is not None and self._is_ours(seen) else None

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Create a container and return its id; an earlier one of ours, never started, is it too.

        Raises:
            StartFailed: A container that is not ours has the name.
            EngineError: The engine refuses.
        """
        deadline = time.monotonic() + CREATE_SECONDS
        while True:
            try:
                made = await self.engine.ask(
                    lambda api: api.create_container_from_config(dict(body), name)
                )
            except EngineError as error:
                if error.status != CONFLICT or isinstance(error, EngineDown):
                    raise
                refused = error
            else:
                return str(made["Id"])
            # The answer to an earlier question was lost, and it may still be carried out.
            seen = await self._inspect(name)
            if seen is not None and self._is_ours(seen):
                return seen.id
            if seen is not None or time.monotonic() > deadline:
                raise StartFailed(
                    f"another container is called {name}",
                    next_step=f"Remove it (`docker rm {name}`), then rerun",
                ) from refused
            await asyncio.sleep(LOOK_SECONDS)

    async def has_shell(self, container: str) -> bool:
        """Say whether a container has a shell where every system has one."""

        def question(api: docker.APIClient) -> bool:
            address = api._url("/containers/{0}/archive", container)
            answer = api.head(address, params={"path": SHELL}, timeout=api.timeout)
            if answer.status_code != NOT_FOUND:
                api._raise_for_status(answer)
            return bool(answer.ok)

        return await self.engine.ask(question)

    async def start(self, container: str) -> None:
        """Start a container."""
        await self.engine.ask(lambda api: api.start(container))

    async def kill(self, container: str, number: int) -> bool:
        """Send a signal to a container's first process; False when it does not run."""
        try:
            await self.engine.ask(lambda api: api.kill(container, int(number)))
        except EngineError as error:
            if error.status in (NOT_FOUND, CONFLICT) and not isinstance(error, EngineDown):
                return False
            raise
        return True

    async def remove(self, container: str, *, force: bool = False) -> bool:
        """Remove a container with the volumes that it alone has; False when it runs.

        Args:
            container: Its id.
            force: Whether one that runs is killed.
        """
        try:
            await self.engine.ask(lambda api: api.remove_container(container, v=True, force=force))
        except EngineError as error:
            if isinstance(error, EngineDown) or error.status not in (NOT_FOUND, CONFLICT):
                raise
            # A removal that is on its way conflicts too.
            return error.status == NOT_FOUND or "already in progress" in error.cause
        return True

    async def _inspect(self, container: str) -> Seen | None:
        try:
            return read_seen(await self.engine.ask(lambda api: api.inspect_container(container)))
        except EngineError as error:
            if error.status == NOT_FOUND and not isinstance(error, EngineDown):
                return None
            raise

    def _is_ours(self, seen: Seen) -> bool:
        return seen.labels.get(HOME_LABEL) == self.home

    async def words(self, container: str) -> str:
        """Return the last line of a container's own log, on which only its launcher writes."""
        with contextlib.suppress(EngineError):
            log: bytes = await self.engine.ask(lambda api: api.logs(container, tail=5))
            lines = log.decode("utf-8", "replace").strip().splitlines()
            return lines[-1][:WORDS] if lines else ""
        return ""

    async def left(self) -> list[Left]:
        """Return all containers of this data directory."""
        wanted = {"label": f"{HOME_LABEL}={self.home}"}
        found = await self.engine.ask(lambda api: api.containers(all=True, filters=wanted))
        return [left for each in found if (left := _left(each)) is not None]


def container_name(handle: str) -> str:
    """Return what the container of an attempt is called."""
    return f"launch-tui-{handle}"


def _left(listed: Mapping[str, Any]) -> Left | None:
    labels = listed.get("Labels") or {}
    run_id, number = labels.get(RUN_LABEL, ""), str(labels.get(ATTEMPT_LABEL, ""))
    if not run_id or not number.isdigit():
        return None
    names = listed.get("Names") or [""]
    return Left(
        id=str(listed["Id"]),
        name=str(names[0]).lstrip("/"),
        run_id=run_id,
        attempt=int(number),
        running=listed.get("State") in ("running", "paused", "restarting"),
    )
