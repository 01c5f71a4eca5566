"""The images that were built here: found again by their key, listed, and removed when unused.

An image is taken for the one that is wanted only when a record of ours names it by its id, or when
its label has the whole key; a name alone proves nothing.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from launch_tui.builders.image_key import tag_of
from launch_tui.builders.image_records import (
    HOME_LABEL,
    JOB_LABEL,
    KEY_LABEL,
    STAGE_LABEL,
    CachedImage,
    ImageRecord,
    ImageRecords,
)
from launch_tui.errors import EngineDown, EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from launch_tui.domain.container import BuiltImage
    from launch_tui.domain.image import ImageReference
    from launch_tui.engine.client import Engine


class ImageCache:
    """The images of one data directory on one engine.

    Args:
        engine: The engine.
        root: Where locks and records are kept.
    """

    def __init__(self, engine: Engine, root: Path) -> None:
        self.records = ImageRecords(root)
        self._engine = engine
        # Tells data directories apart without telling a registry where they are.
        self._home = hashlib.sha256(os.fsencode(root.absolute().parent)).hexdigest()[:12]

    def labels(self, key: str, job: str) -> dict[str, str]:
        """Return what an image of this key is labelled with."""
        return {KEY_LABEL: key, JOB_LABEL: job, HOME_LABEL: self._home}

    async def find(self, key: str, name: ImageReference) -> BuiltImage | None:
        """Return the image if the engine has it, under this name or another one; marks its use."""
        record = self.records.use(key)
        found = await self._engine.inspect_image(str(name))
        if found is not None and await self._is_of(found, key, record):
            self.note(key, found)
            return found
        if record is None or await self._engine.inspect_image(record.id) is None:
            return None
        await self._engine.ask(lambda api: api.tag(record.id, name.name, name.tag))
        return await self._engine.inspect_image(str(name))

    async def has_key(self, image: BuiltImage, key: str) -> bool:
        """Whether the image is labelled with this key."""
        found = await self._engine.ask(lambda api: api.inspect_image(image.id))
        labels = (found.get("Config") or {}).get("Labels") or {}
        return bool(labels.get(KEY_LABEL) == key)

    def note(
        self,
        key: str,
        image: BuiltImage,
        *,
        bases: Mapping[str, str] | None = None,
        pushed: ImageReference | None = None,
    ) -> None:
        """Record that an image of this key is on the engine, and where it was pushed to."""
        old = self.records.use(key)
        record = old or ImageRecord(key=key, id=image.id, created_at=time.time())
        record = replace(record, id=image.id, bases=bases if bases is not None else record.bases)
        if pushed is not None:
            record = replace(record, pushed=(*{*record.pushed, str(pushed)},))
        if record != old:
            self.records.write(record)

    def is_pushed(self, key: str, name: ImageReference) -> bool:
        """Whether it is known that this name was pushed."""
        record = self.records.use(key)
        return record is not None and str(name) in record.pushed

    async def all(self) -> list[CachedImage]:
        """Return the images, the last used first."""
        wanted = {"label": [f"{HOME_LABEL}={self._home}"]}
        found = await self._engine.ask(lambda api: api.images(filters=wanted))
        images = [self._cached(each) for each in found]
        return sorted(images, key=lambda image: image.last_used_at, reverse=True)

    async def prune(
        self, keep_newer_than: float, in_use: AbstractSet[str], *, dry_run: bool
    ) -> list[CachedImage]:
        """Remove what was last used before ``keep_newer_than`` and is not in use."""
        images = await self.all()
        removed = []
        for image in images:
            names = {image.id, *image.references, *image.digests}
            if image.last_used_at >= keep_newer_than or names & in_use:
                continue
            lock = self.records.locks.try_take(image.key)
            if lock is None:
                continue
            with lock:
                used_since = self.records.last_used(image.key) >= keep_newer_than
                if not used_since and (dry_run or await self._remove(image)):
                    removed.append(image)
        if not dry_run:
            gone = {image.key for image in removed}
            self._forget({image.key for image in images} - gone, gone, keep_newer_than)
            await self._remove_stages(keep_newer_than)
        return removed

    def _forget(
        self, kept: AbstractSet[str], gone: AbstractSet[str], keep_newer_than: float
    ) -> None:
        """Remove what is left of images that are gone and of builds that failed."""
        for key in {*gone, *self.records.orphans(kept, keep_newer_than)}:
            if lock := self.records.locks.try_take(key):
                with lock:
                    self.records.forget(key)
                    lock.remove()

    async def _remove_stages(self, keep_newer_than: float) -> None:
        """Remove what the classic builder keeps of first stages, which BuildKit keeps apart."""
        filters = {
            "dangling": True,
            "label": f"{STAGE_LABEL}={self._home}",
            "until": str(int(keep_newer_than)),
        }
        await self._engine.ask(lambda api: api.prune_images(filters))

    async def _is_of(self, found: BuiltImage, key: str, record: ImageRecord | None) -> bool:
        return (record is not None and record.id == found.id) or await self.has_key(found, key)

    def _cached(self, found: Mapping[str, Any]) -> CachedImage:
        labels = found.get("Labels") or {}
        key = str(labels.get(KEY_LABEL, ""))
        record = self.records.read(key)
        # Of an image without new files the engine says when the same was made for the first time.
        created = record.created_at if record is not None else float(found.get("Created") or 0)
        references = [str(name) for name in found.get("RepoTags") or ()]
        digests = [str(name).partition("@")[2] for name in found.get("RepoDigests") or ()]
        return CachedImage(
            key=key,
            id=str(found["Id"]),
            # A name that somebody else gave it is not ours to take away.
            references=tuple(name for name in references if name.endswith(f":{tag_of(key)}")),
            digests=tuple(digest for digest in digests if digest != "<none>"),
            job=str(labels.get(JOB_LABEL, "")),
            size=int(found.get("Size") or 0),
            created_at=created,
            last_used_at=self.records.last_used(key) or created,
        )

    async def _remove(self, image: CachedImage) -> bool:
        for name in image.references or (image.id,):
            try:
                await self._engine.ask(lambda api, name=name: api.remove_image(name))  # type: ignore[misc]
            except EngineDown:
                raise
            except EngineError as error:
                # A container was made from it, or somebody was quicker.
                if error.status == 404:
                    continue
                return False
        return True
