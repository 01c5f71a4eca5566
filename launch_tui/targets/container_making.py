"""The files and the container of an attempt, up to where it could be started."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from launch_tui.errors import StartFailed, UsageError
from launch_tui.targets import lent_shell
from launch_tui.targets.container_gpus import check_gpus
from launch_tui.targets.container_launcher import LOG, SHELL, TOKEN_FOLDER
from launch_tui.targets.container_options import Order, body, check_command, user_of
from launch_tui.targets.containers import container_name
from launch_tui.targets.local_container_keys import read

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.domain.attempt import Attempt
    from launch_tui.domain.container import ContainerRequest
    from launch_tui.engine.facts import EngineFacts
    from launch_tui.targets.container_config import ContainerConfig
    from launch_tui.targets.containers import Containers


class Making:
    """Makes what an attempt needs before its container is started.

    Args:
        containers: The containers of the data directory.
    """

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._engine = containers.engine
        self._have_shell: dict[str, bool] = {}

    async def prepare(self, attempt: Attempt) -> None:
        """Refuse what cannot run, and make the files that the container writes to.

        Raises:
            StartFailed: The command, an option or a GPU cannot be.
            EngineDown: The engine does not answer.
            OSError: The attempt's directory cannot be written.
        """
        check_command(attempt.command)
        request, config = _request(attempt), _config(attempt)
        facts = await self._engine.facts()
        check_gpus(request.gpus, facts)
        _make_files(attempt.directory, config, facts)

    async def create(self, attempt: Attempt) -> str:
        """Create the container of an attempt and return its id; the one that is there, if any.

        An image without a shell is lent this machine's.

        Raises:
            StartFailed: Another container has its name, or the shell cannot be lent.
            EngineError: The engine refuses, or does not answer.
        """
        order = await self._order(attempt)
        name, image = container_name(attempt.handle), order.request.image.id
        if self._have_shell.get(image, True):
            container = await self._containers.create(name, body(order))
            if image not in self._have_shell:
                self._have_shell[image] = await self._containers.has_shell(container)
            if self._have_shell[image]:
                return container
            await self._containers.remove(container)
        folder, shell = await asyncio.to_thread(lent_shell.lend, self._containers.root)
        order = replace(order, shell=shell, lent=(folder, lent_shell.PLACE))
        return await self._containers.create(name, body(order))

    async def _order(self, attempt: Attempt) -> Order:
        return Order(
            attempt=attempt,
            request=_request(attempt),
            config=_config(attempt),
            facts=await self._engine.facts(),
            labels=self._containers.labels(attempt),
            shell=(SHELL,),
        )


def _request(attempt: Attempt) -> ContainerRequest:
    if attempt.container is None:
        raise StartFailed("the job has no image", next_step="Give it one, or a way to build it")
    return attempt.container


def _config(attempt: Attempt) -> ContainerConfig:
    """Return the configuration of an attempt, whose macros are expanded only now."""
    try:
        return read(_request(attempt).options)
    except UsageError as error:
        step = "Correct the resource configuration, or the name that is in it, then rerun"
        raise StartFailed(error.cause, next_step=step) from error


def _make_files(directory: Path, config: ContainerConfig, facts: EngineFacts) -> None:
    """Make what the container writes to, so that whoever the job runs as can."""
    folder, log = directory / TOKEN_FOLDER, directory / LOG
    folder.mkdir(parents=True, exist_ok=True)
    log.touch()
    user = user_of(config, facts).partition(":")[0]
    if user not in ("root", "0", str(os.getuid())):
        folder.chmod(0o777)
        log.chmod(0o666)
