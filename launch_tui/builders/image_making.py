"""How one image comes to be: from its destination, or built and pushed there, under its lock.

Between the steps are fault points. What is left when the process dies at one of them is an image
without a record, which the next one finds by its label, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.builders.classic_build import build_classic
from launch_tui.builders.image_bases import digests, named_images, registry_digest
from launch_tui.builders.image_build import BuildRequest, build_by_command
from launch_tui.builders.image_failure import CHECK_NETWORK
from launch_tui.builders.image_index import surroundings
from launch_tui.builders.image_key import image_key, repository_of, tag_of
from launch_tui.domain.image import DOCKER_HUB, parse_image
from launch_tui.errors import BuildFailed, RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from launch_tui.builders.build_log import BuildLog
    from launch_tui.builders.image_cache import ImageCache
    from launch_tui.builders.image_context import Plan
    from launch_tui.builders.image_order import ImageOrder
    from launch_tui.domain.container import BuiltImage
    from launch_tui.domain.image import ImageReference
    from launch_tui.engine.client import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An image that is to be had: its key and name, and what was found out for them."""

    order: ImageOrder
    plan: Plan
    key: str
    name: ImageReference
    bases: Mapping[str, str]


async def identify(engine: Engine, cache: ImageCache, order: ImageOrder, plan: Plan) -> Wanted:
    """Return the key and the name of what is wanted.

    Raises:
        BuildFailed: When a base image is nowhere, or the destination cannot be one.
    """
    named = named_images(plan.text, order.build_args)
    bases = await digests(engine, named, cache.records.base_digest)
    key = image_key(
        source_key=order.source_key,
        context=plan.place,
        dockerfile=plan.text,
        bases=bases,
        build_args=order.build_args,
        platform=order.platform or (await engine.facts()).platform,
    )
    repository = order.destination or repository_of(order.job)
    try:
        name = parse_image(repository, field="builder.destination").with_tag(tag_of(key))
    except UsageError as error:
        raise BuildFailed(str(error), next_step="Correct the agent's settings") from error
    return Wanted(order=order, plan=plan, key=key, name=name, bases=bases)


class Making:
    """Makes one image; whoever calls ``make`` holds its lock.

    Args:
        engine: The engine.
        cache: What is known of its images.
        wanted: The image.
        out: The build log.
        report: Called with one short line at each step.
    """

    def __init__(
        self,
        engine: Engine,
        cache: ImageCache,
        wanted: Wanted,
        out: BuildLog,
        report: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._wanted = wanted
        self._out = out
        self._report = report

    async def make(self, found: BuiltImage | None) -> BuiltImage:
        """Have the image on the engine and at its destination.

        Args:
            found: The image where the engine has it and only its destination may not.
        """
        wanted, destination = self._wanted, self._wanted.order.destination
        if destination and (there := await self._at_destination(found)) is not None:
            self._note(there)
            return there
        if found is None:
            await self._build()
            faults.point("image.built")
        if destination:
            await self._push()
            faults.point("image.pushed")
        made = await self._engine.inspect_image(str(wanted.name))
        if made is None:
            raise BuildFailed(f"image {wanted.name} was built, and is not on the engine any more")
        self._note(made)
        self._out.say(f"image ready: {wanted.name} is {made.id}")
        self._report("image ready")
        return made

    def _note(self, image: BuiltImage) -> None:
        wanted = self._wanted
        pushed = wanted.name if wanted.order.destination else None
        self._cache.note(wanted.key, image, bases=wanted.bases, pushed=pushed)

    async def _at_destination(self, found: BuiltImage | None) -> BuiltImage | None:
        """Return the image if its destination has it, pulled unless the engine has it already."""
        from launch_tui.engine.pull import pull

        name = self._wanted.name
        try:
            there = await registry_digest(self._engine, name)
        except RegistryError as error:
            # Docker Hub denies what does not exist yet; the push will tell which it is.
            if name.registry != DOCKER_HUB:
                cause = f"builder.destination {name.name}: {error.cause}"
                raise BuildFailed(cause, next_step=error.next_step or CHECK_NETWORK) from error
            there = None
        if there is None:
            return None
        if found is not None:
            self._out.say(f"image {name} is at its destination already")
            return found
        self._out.say(f"image {name} is at its destination, it is pulled and not built")
        pulled = await pull(self._engine, name, self._report, self._out.write)
        faults.point("image.pulled")
        if await self._cache.has_key(pulled, self._wanted.key):
            self._report("image ready, pulled from its destination")
            return pulled
        self._out.say(f"what {name.name} has under this tag is another image; it is built anew")
        return None

    async def _push(self) -> None:
        from launch_tui.engine.pull import push

        digest = await push(self._engine, self._wanted.name, self._report, self._out.write)
        self._out.say(f"pushed {self._wanted.name}, {digest}")

    async def _build(self) -> None:
        wanted, out = self._wanted, self._out
        passed_on = surroundings(wanted.order.variables)
        for note in passed_on.notes:
            out.say(note)
        directory = self._cache.records.fresh_context(wanted.key)
        request = BuildRequest(
            plan=wanted.plan,
            reference=str(wanted.name),
            labels=self._cache.labels(wanted.key, wanted.order.job),
            directory=directory,
            surroundings=passed_on,
            build_args=wanted.order.build_args,
            secrets=wanted.order.secrets,
            platform=wanted.order.platform,
        )
        try:
            notes = await self._run(request)
        except BuildFailed as error:
            out.say(f"failed: {error}")
            raise
        finally:
            self._cache.records.clear_context(wanted.key)
        for note in notes:
            self._report(note)

    async def _run(self, request: BuildRequest) -> tuple[str, ...]:
        from launch_tui.engine.docker_cli import find_buildkit

        engine, out = self._engine, self._out
        kit = None
        if (await engine.facts()).buildkit:
            kit = await find_buildkit(engine.environ)
        if kit is not None:
            out.say(f"building {request.reference} with BuildKit, by {kit}")
            return await build_by_command(kit, engine, request, out, self._report)
        out.say(
            f"building {request.reference} with the classic builder, because no docker command "
            "here has BuildKit (docker-buildx brings it): no package cache, no package index of "
            "this machine, no secrets"
        )
        return await build_classic(engine, request, out, self._report)
