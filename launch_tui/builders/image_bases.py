"""Which images a Dockerfile begins from or takes files from, and what they are at this moment.

Only what the key of an image needs is read: FROM, COPY --from and RUN --mount=from, with the
arguments that are declared before the first FROM. A name that cannot be told without building is
left out, and a Dockerfile that is wrong is left to the builder, whose message is the better one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from launch_tui.builders.image_failure import CHECK_NETWORK
from launch_tui.domain.image import ImageReference, parse_image
from launch_tui.errors import BuildFailed, RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from launch_tui.engine.client import Engine

_ESCAPE = re.compile(r"#\s*escape\s*=\s*(\S)\s*$", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})")
_FROM = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
_TAKEN_FROM = re.compile(r"(?:--from=|--mount=\S*\bfrom=)([^\s,]+)")
_NOTHING = "scratch"


def named_images(text: str, build_args: Mapping[str, str]) -> tuple[ImageReference, ...]:
    """Return the images that a Dockerfile names, each once.

    Args:
        text: The Dockerfile.
        build_args: Values that beat the defaults of its arguments.
    """
    values: dict[str, str] = {}
    stages: set[str] = {_NOTHING}
    found: dict[str, None] = {}
    for instruction, rest in _instructions(text):
        if instruction == "ARG" and len(stages) == 1:
            _declare(rest, build_args, values)
        elif instruction == "FROM" and (match := _FROM.match(rest)):
            name = _expanded(match[1], values)
            if name.lower() not in stages:
                found[name] = None
            # One more than there is of names, so that the first stage ends the declarations.
            stages |= {f"#{len(stages)}", (match[2] or "").lower()}
        elif instruction in ("COPY", "RUN"):
            taken = (name for name in _TAKEN_FROM.findall(rest) if not name.isdigit())
            found |= dict.fromkeys(name for name in taken if name.lower() not in stages)
    return tuple(reference for name in found if (reference := _parsed(name)) is not None)


async def digests(
    engine: Engine,
    references: tuple[ImageReference, ...],
    remembered: Callable[[str], str],
) -> dict[str, str]:
    """Return what each image is: the one that the engine has, else the one in its registry.

    A build takes them in the same order.

    Args:
        engine: The engine that builds.
        references: The images.
        remembered: Gives the digest that a name had before, for a registry that cannot be asked.

    Raises:
        BuildFailed: When an image is nowhere, or its registry refuses or cannot be reached.
    """
    found = {}
    for reference in references:
        local = await engine.inspect_image(str(reference))
        found[str(reference)] = (
            local.digest if local else await _in_registry(engine, reference, remembered)
        )
    return found


async def registry_digest(engine: Engine, reference: ImageReference) -> str | None:
    """Return the digest that a name stands for in its registry, asked as the engine asks.

    Raises:
        RegistryError: When the registry refuses, or cannot be reached.
    """
    from launch_tui.engine.registry import manifest_digest

    insecure = (await engine.facts()).insecure
    return await manifest_digest(reference, engine.environ, insecure=insecure)


async def _in_registry(
    engine: Engine, reference: ImageReference, remembered: Callable[[str], str]
) -> str:
    try:
        digest = await registry_digest(engine, reference)
    except RegistryError as error:
        if known := remembered(str(reference)):
            return known
        cause = f"base image {reference}: {error.cause}"
        raise BuildFailed(cause, next_step=error.next_step or CHECK_NETWORK) from error
    if digest is None:
        raise BuildFailed(
            f"base image {reference}: neither this engine nor {reference.registry} has it",
            next_step="Check its name and tag, and whether its registry wants a docker login",
        )
    return digest


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield the instructions in upper case with the rest of their (joined) lines."""
    escape = _escape_character(text)
    parts: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.endswith(escape):
            parts.append(line[:-1])
            continue
        word, _, rest = " ".join([*parts, line]).strip().partition(" ")
        parts.clear()
        yield word.upper(), rest.strip()


def _escape_character(text: str) -> str:
    for line in text.splitlines():
        if not _DIRECTIVE.match(line):
            break
        if match := _ESCAPE.match(line):
            return match[1]
    return "\\"


def _declare(rest: str, build_args: Mapping[str, str], values: dict[str, str]) -> None:
    for word in rest.split():
        name, given, default = word.partition("=")
        if name in build_args:
            values[name] = build_args[name]
        elif given:
            values[name] = _expanded(default.strip("\"'"), values)


def _expanded(word: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        known = values.get(match[1] or match[2], "")
        if match[3] == "-":
            return known or match[4]
        if match[3] == "+":
            return match[4] if known else ""
        return known or match[0]

    return _VARIABLE.sub(value, word)


def _parsed(name: str) -> ImageReference | None:
    try:
        return parse_image(name, field="base image")
    except UsageError:
        return None
