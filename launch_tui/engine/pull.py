"""Images from a registry to the engine and back, with the user's own login.

The engine does the work; here its steps are told, and its errors get a next step. It knows no
difference between an image that is missing and one that the login may not see, so neither do we.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from launch_tui.engine.credentials import find_login
from launch_tui.engine.failure import refused
from launch_tui.engine.layers import Layers
from launch_tui.engine.registry_failure import registry_failed
from launch_tui.errors import BuildFailed, EngineDown, EngineError, EngineUnfit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    import docker

    from launch_tui.domain.container import BuiltImage
    from launch_tui.domain.image import ImageReference
    from launch_tui.engine.client import Engine

_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")


async def pull(
    engine: Engine,
    reference: ImageReference,
    report: Callable[[str], None],
    write: Callable[[bytes], None],
    *,
    platform: str = "",
) -> BuiltImage:
    """Bring an image onto the engine, whether or not an older one of its name is there.

    Args:
        engine: The engine.
        reference: The image; without a tag and a digest it is ``latest``.
        report: Gets one line about how far it is, a few times a second at most.
        write: Gets what belongs into the build's log.
        platform: Such as ``linux/amd64``; empty for the engine's own.

    Raises:
        BuildFailed: When the registry or the engine refuses, with the reason and what to do.
        EngineDown: When the engine does not answer (any more).
    """
    layers = Layers("pulling", report, write)
    layers.log(f"Pulling {reference} from {reference.registry}")

    def question(api: docker.APIClient, auth: dict[str, str]) -> Iterable[dict[str, Any]]:
        steps: Iterable[dict[str, Any]] = api.pull(
            reference.full_name,
            tag=reference.digest or reference.tag or "latest",
            stream=True,
            decode=True,
            auth_config=auth,
            platform=platform or None,
        )
        return steps

    async for step in _steps(engine, reference, "pull", question, layers):
        layers.follow(step)
    image = await engine.inspect_image(str(reference))
    if image is None:
        raise BuildFailed(f"{reference} was pulled, and is not on the engine")
    return image


async def push(
    engine: Engine,
    reference: ImageReference,
    report: Callable[[str], None],
    write: Callable[[bytes], None],
) -> str:
    """Bring an image of the engine into the registry of its name; returns its digest there.

    Raises:
        BuildFailed: When the registry refuses, with the reason and what to do.
        EngineDown: When the engine does not answer (any more).
    """
    layers = Layers("pushing", report, write)
    layers.log(f"Pushing {reference} to {reference.registry}")

    def question(api: docker.APIClient, auth: dict[str, str]) -> Iterable[dict[str, Any]]:
        steps: Iterable[dict[str, Any]] = api.push(
            reference.full_name,
            tag=reference.tag or "latest",
            stream=True,
            decode=True,
            auth_config=auth,
        )
        return steps

    digest = ""
    async for step in _steps(engine, reference, "push", question, layers):
        layers.follow(step)
        said = _DIGEST.search(str(step.get("status", "")))
        digest = str((step.get("aux") or {}).get("Digest") or (said[1] if said else digest))
    if not digest:
        raise BuildFailed(f"{reference} was pushed, and the registry gave no digest")
    return digest


async def _steps(
    engine: Engine,
    reference: ImageReference,
    verb: str,
    question: Callable[[docker.APIClient, dict[str, str]], Iterable[dict[str, Any]]],
    layers: Layers,
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what the engine tells; an error among it is raised as what it means."""
    registry = reference.registry
    login = await asyncio.to_thread(find_login, registry, engine.environ)
    if login.remark:
        layers.log(f"no login at {registry}: {login.remark}")
    try:
        told = engine.stream(lambda api: question(api, login.for_engine(registry)))
        async with aclosing(told):
            async for step in told:
                if "error" in step:
                    raise refused(
                        str((step.get("errorDetail") or {}).get("message") or step["error"])
                    )
                yield step
    except (EngineDown, EngineUnfit):
        raise
    except EngineError as error:
        failure = registry_failed(f"cannot {verb} {reference}", error.cause, registry, login)
        layers.log(str(failure))
        raise failure from error
