"""The sections of W&B's agent configuration that are about images: where they go, who builds them.

They are checked as W&B checks them. What images are built for takes from them the destination, the
platform, and whether to build at all; the rest is for clouds. A destination may have no tag, since
each image is tagged with a digest of its source.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from launch_tui.agent.config_values import mapping, nearest, one_of, section, shown, text
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.agent.config_values import Reader

_STORES = re.compile(
    r"s3://[^/]+(/.*)?|gs://[^/]+(/.*)?|https://[^.]+\.blob\.core\.windows\.net/.+"
)

# The three kinds of registry that W&B knows, by their hosts; `rest` is what follows the host.
_REGISTRIES = {
    "gcr": (
        re.compile(r"[\w-]+-docker\.pkg\.dev/(?P<rest>.*)", re.IGNORECASE | re.DOTALL),
        re.compile(r"[\w-]+/[\w-]+/[\w./-]+"),
        "REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE",
    ),
    "acr": (
        re.compile(r"[\w-]+\.azurecr\.io(?:/(?P<rest>.*))?", re.DOTALL),
        re.compile(r"[\w./-]+"),
        "REGISTRY.azurecr.io/REPOSITORY",
    ),
    "ecr": (
        re.compile(
            r"[\w-]+\.dkr\.ecr\.[\w-]+\.amazonaws\.com(?:\.cn)?(?:/(?P<rest>.*))?", re.DOTALL
        ),
        re.compile(r"[\w./-]+"),
        "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY",
    ),
}
_ANY_IMAGE = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)*", re.ASCII)
_TAGGED = re.compile(r"(:[^/]*|@[^/]*)\Z")

# What a registry needs when it is not given by `uri`.
_PARTS = {
    "ecr": ("account_id", "region", "repository"),
    "gcr": ("region", "project", "repository", "image-name"),
    "acr": (),
}
_NEEDED = {
    "ecr": ("account_id", "region", "repository"),
    # Without a project the one of the credentials holds.
    "gcr": ("region", "repository", "image-name"),
    "acr": ("uri",),
}
_REGIONS = ("aws", "gcp")


def destination(value: object, field: str) -> str:
    """Return where built images go: a repository in a registry, without a tag."""
    uri = text(value, field).removeprefix("https://")
    if not uri.startswith("http://") and (tag := _TAGGED.search(uri)) and "/" in uri:
        raise UsageError(
            field, f"ends in {shown(tag.group())}", allowed="no tag: each image gets its own"
        )
    for host, path, form in _REGISTRIES.values():
        if match := host.fullmatch(uri):
            if not path.fullmatch(match["rest"] or ""):
                raise UsageError(field, f"{shown(uri)} is incomplete", allowed=form)
            return uri
    if not _ANY_IMAGE.fullmatch(uri):
        raise UsageError(field, f"{shown(uri)} is no image name", allowed="HOST/REPOSITORY")
    return uri


def builder(value: object, field: str) -> Mapping[str, Any]:
    """Return the section ``builder``."""
    return section(mapping(value, field), _BUILDER, lambda key: f"{field}.{key}")


def registry(value: object, field: str) -> Mapping[str, Any]:
    """Return the section ``registry``, whose keys depend on its type."""
    given = mapping(value, field)
    kind = given.get("type")
    readers: dict[str, Reader] = {"type": one_of(*_PARTS), "uri": destination}
    names = {kind: _PARTS[kind]} if isinstance(kind, str) and kind in _PARTS else _PARTS
    readers |= {part: _part for parts in names.values() for part in parts}
    if kind == "ecr":
        # W&B's documentation has one of the names and its code the other.
        readers["repo_name"] = _part
    found = section(given, readers, lambda key: f"{field}.{key}")
    if "repo_name" in found:
        found.setdefault("repository", found.pop("repo_name"))
    if found and "uri" not in found:
        _check_parts(found, field)
    if found.get("type") == "gcr" and "uri" in found and len(found) > len(("type", "uri")):
        raise UsageError(field, "uri stands together with its parts", allowed="one or the other")
    return found


def environment(value: object, field: str) -> Mapping[str, Any]:
    """Return the section ``environment``: which cloud, and where in it.

    A key that is not known is dropped here and told by ``unknown_of``: W&B only warns of it.
    """
    given = mapping(value, field)
    known = {key: each for key, each in given.items() if key in _ENVIRONMENT}
    found = section(known, _ENVIRONMENT, lambda key: f"{field}.{key}")
    if not found:
        return found
    if "type" not in found:
        raise UsageError(f"{field}.type", "is missing", allowed="aws, gcp, azure")
    if found["type"] in _REGIONS and "region" not in found:
        raise UsageError(f"{field}.region", "is missing", allowed="a region, such as us-east-1")
    return found


def unknown_of_environment(given: object) -> list[str]:
    """Return one sentence for each key of the section ``environment`` that is not known."""
    said = []
    for key in given if isinstance(given, dict) else ():
        if key not in _ENVIRONMENT:
            near = nearest(str(key), _ENVIRONMENT)
            meant = f"; did you mean {near}?" if near else ""
            said.append(f"environment.{key} is not known, and has no effect{meant}")
    return said


def notes_of_builder(builder: Mapping[str, Any]) -> list[str]:
    """Return one sentence for what the section ``builder`` says that has no effect here."""
    notes = []
    if builder.get("type") == "kaniko":
        notes.append(
            "builder.type: images are built by this machine's Docker engine, not by kaniko"
        )
    known = ("type", "destination", "platform")
    if idle := [f"builder.{key}" for key in builder if key not in known]:
        notes.append(f"{', '.join(idle)}: no effect here, nothing is built in a cluster")
    return notes


def destination_of(builder: Mapping[str, Any], registry: Mapping[str, Any]) -> str:
    """Return the repository that built images are pushed to; empty for none.

    Args:
        builder: The checked section ``builder``, whose ``destination`` comes first.
        registry: The checked section ``registry``, by ``uri`` or in parts.
    """
    if given := builder.get("destination") or registry.get("uri"):
        return str(given)
    if registry.get("type") == "ecr":
        host = f"{registry['account_id']}.dkr.ecr.{registry['region']}.amazonaws.com"
        return f"{host}/{registry['repository']}"
    if registry.get("type") == "gcr" and "project" in registry:
        path = "/".join(registry[part] for part in ("project", "repository", "image-name"))
        return f"{registry['region']}-docker.pkg.dev/{path}"
    return ""


def _check_parts(found: Mapping[str, Any], field: str) -> None:
    """Raise unless the parts of a registry without ``uri`` are all there."""
    if "type" not in found:
        raise UsageError(f"{field}.uri", "is missing", allowed="the registry's address")
    for part in _NEEDED[found["type"]]:
        if part not in found:
            raise UsageError(f"{field}.{part}", "is missing", allowed="this key, or registry.uri")


def _part(value: object, field: str) -> str:
    # An account's number reads as a number where it is not quoted.
    return text(str(value) if isinstance(value, int) else value, field)


def _store(value: object, field: str) -> str:
    uri = text(value, field)
    if not _STORES.fullmatch(uri):
        raise UsageError(
            field,
            f"{shown(uri)} is no place for a build context",
            allowed="s3://…, gs://…, https://ACCOUNT.blob.core.windows.net/CONTAINER",
        )
    return uri


_BUILDER: dict[str, Reader] = {
    "type": one_of("docker", "kaniko", "noop"),
    "destination": destination,
    "platform": one_of("linux/amd64", "linux/arm64"),
    "build-context-store": _store,
    "build-job-name": text,
    "secret-name": text,
    "secret-key": text,
    "kaniko-image": text,
    "kaniko-config": mapping,
}
_ENVIRONMENT: dict[str, Reader] = {"type": one_of("aws", "gcp", "azure"), "region": text}
