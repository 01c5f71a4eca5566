"""What an image is to be built from: the values that the agent gives to the image builder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from launch_tui.domain.job import Environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOrder:
    """One image to have.

    ``source`` is the attempt's working copy, ``source_key`` what stands for its content (a
    manifest's digest, or a commit with its subdirectory). ``dockerfile`` is the launch's and beats
    the job's, which is in ``environment`` with its build context. ``base_image`` and
    ``accelerator`` are what a generated Dockerfile begins from, ``destination`` the repository that
    built images are pushed to, without a tag. ``secrets`` are values by name, for ``RUN
    --mount=type=secret,id=NAME``. ``variables`` are the environment that proxies and the package
    index are taken from.
    """

    source: Path
    source_key: str
    job: str
    entry_point: tuple[str, ...]
    environment: Environment = field(default_factory=Environment)
    dockerfile: str = ""
    base_image: str = ""
    accelerator: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    platform: str = ""
    destination: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
