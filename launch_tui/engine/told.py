"""What ``doctor`` tells of the engine: which one answers, what it can do, who builds for it."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

from launch_tui.engine.client import Engine
from launch_tui.engine.docker_cli import find_buildkit
from launch_tui.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.engine.docker_cli import BuildKit
    from launch_tui.engine.facts import EngineFacts

NO_BUILDKIT = (
    "Install docker-buildx: without BuildKit images are built by the engine's classic builder, "
    "which has no cache and secret mounts."
)


async def told(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the fields of doctor's check: ``ok``, ``found`` and ``next_step``.

    Args:
        environ: The variables that say which engine.
    """
    engine = Engine(environ)
    try:
        facts = await engine.facts()
        where = engine.endpoint
        kit = await find_buildkit(environ) if facts.buildkit else None
    except EngineError as error:
        return {"ok": False, "found": error.cause, "next_step": error.next_step}
    finally:
        await engine.close()
    found = f"{_kind(facts)} {facts.version} at {where.url} ({where.origin}), {_abilities(facts)}"
    return {
        "ok": True,
        "found": f"{found}; {_builder(facts, kit)}",
        "next_step": "" if kit or facts.podman else NO_BUILDKIT,
    }


def _kind(facts: EngineFacts) -> str:
    kind = "Podman" if facts.podman else "Docker"
    return f"rootless {kind}" if facts.rootless else kind


def _abilities(facts: EngineFacts) -> str:
    parts = [f"cgroup v{facts.cgroup_version}"]
    if facts.userns_remapped:
        parts.append("users remapped")
    parts.append("NVIDIA GPUs" if facts.has_nvidia else "no NVIDIA runtime")
    return ", ".join(parts)


def _builder(facts: EngineFacts, kit: BuildKit | None) -> str:
    if kit is not None:
        return f"BuildKit by {kit}"
    return "builds by Podman" if facts.podman else "classic builder"


def main() -> None:
    """Print the fields as one line of JSON: what asks has a process of its own to give up."""
    print(json.dumps(asyncio.run(told(os.environ))))  # noqa: T201
