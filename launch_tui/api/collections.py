"""The queues and the jobs of a data directory, as ``Launch.queues`` and ``Launch.jobs``.

Their methods are those of ``launch_tui.sdk``, called on the connection of whichever thread asks.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from launch_tui.sdk.jobs import Jobs as SdkJobs
from launch_tui.sdk.queues import Queues as SdkQueues

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.api.session import Session

P = ParamSpec("P")
R = TypeVar("R")


class Queues:
    """The queues of a data directory. Every method names a queue by its name."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @staticmethod
    def _like(
        method: Callable[Concatenate[SdkQueues, P], R],
    ) -> Callable[Concatenate[Queues, P], R]:
        @wraps(method)
        def called(self: Queues, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return self._session.ask(lambda sdk: method(sdk.queues, *args, **kwargs))

        return called

    create = _like(SdkQueues.create)
    get = _like(SdkQueues.get)
    update = _like(SdkQueues.update)
    pause = _like(SdkQueues.pause)
    resume = _like(SdkQueues.resume)
    delete = _like(SdkQueues.delete)
    list = _like(SdkQueues.list)


class Jobs:
    """The jobs of a data directory. A reference is ``name``, ``name:v3`` or ``name:alias``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @staticmethod
    def _like(
        method: Callable[Concatenate[SdkJobs, P], R],
    ) -> Callable[Concatenate[Jobs, P], R]:
        @wraps(method)
        def called(self: Jobs, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return self._session.ask(lambda sdk: method(sdk.jobs, *args, **kwargs))

        return called

    get = _like(SdkJobs.get)
    versions = _like(SdkJobs.versions)
    set_alias = _like(SdkJobs.set_alias)
    declare_metric = _like(SdkJobs.declare_metric)
    diff = _like(SdkJobs.diff)
    delete = _like(SdkJobs.delete)
    list = _like(SdkJobs.list)
