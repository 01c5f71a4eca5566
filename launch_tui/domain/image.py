"""Names of images: what Docker's reference grammar accepts, and nothing else.

A reference goes into Dockerfiles, command lines and the addresses of registries. One that has been
parsed holds no space, no line break and no option: what is not in the grammar never gets there.
The rules are those of https://github.com/distribution/reference, with Docker's short forms:
``python:3.11`` is ``docker.io/library/python:3.11``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from launch_tui.errors import UsageError

DOCKER_HUB = "docker.io"
ALLOWED = "[HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST] in lower case, such as python:3.11"
ALLOWED_TAG = "letters, digits, _, . and -, at most 128, not beginning with . or -"
ALLOWED_DIGEST = "sha256: and 64 hex digits in lower case"
LONGEST_REPOSITORY = 255

_OFFICIAL = "library/"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(
    rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z", re.ASCII
)  # fmt: skip
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z", re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}\Z", re.ASCII)
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}\Z|sha384:[a-f0-9]{96}\Z|sha512:[a-f0-9]{128}\Z")
_IMAGE_ID = re.compile(r"(?:sha256:)?[a-f0-9]{64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """An image in a registry; ``str()`` is the short form that people write.

    ``registry`` is ``docker.io`` when none was written, and ``repository`` then begins with
    ``library/`` where the short form has one name only. ``tag`` and ``digest`` are empty when they
    were not written; with a digest the tag decides nothing.
    """

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The short form without tag and digest."""
        if self.registry != DOCKER_HUB:
            return self.full_name
        short = self.repository.removeprefix(_OFFICIAL)
        short = self.repository if "/" in short else short
        # Without its registry such a name would read as one in another, or as an id.
        means_another = _split_registry(short)[1] != short or _IMAGE_ID.match(short)
        return self.full_name if means_another else short

    @property
    def full_name(self) -> str:
        """The registry and the repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def canonical(self) -> str:
        """The form that means the same to every tool: the registry, and a tag or digest."""
        tag = self.tag or ("" if self.digest else "latest")
        return self.full_name + self._suffix(tag)

    def with_tag(self, tag: str) -> ImageReference:
        """Return the reference with this tag, and without a digest: that named other content."""
        if not _TAG.match(tag):
            raise UsageError("tag", f"{tag!r} is not a tag", allowed=ALLOWED_TAG)
        return replace(self, tag=tag, digest="")

    def with_digest(self, digest: str) -> ImageReference:
        """Return the reference with this digest; the tag stays, for people."""
        if not _DIGEST.match(digest):
            raise UsageError("digest", f"{digest!r} is not a digest", allowed=ALLOWED_DIGEST)
        return replace(self, digest=digest)

    def __str__(self) -> str:
        return self.name + self._suffix(self.tag)

    def _suffix(self, tag: str) -> str:
        return (f":{tag}" if tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_image(text: str, *, field: str) -> ImageReference:
    """Return the reference that ``text`` writes, in the short or the long form.

    Args:
        text: What the person wrote.
        field: How an error names it.

    Raises:
        UsageError: When Docker would not accept it as the name of an image.
    """
    _refuse_shape(text, field)
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.match(digest):
        raise UsageError(field, f"{digest!r} is not a digest", allowed=ALLOWED_DIGEST)
    registry, repository = _split_registry(rest)
    repository, colon, tag = repository.partition(":")
    if colon and not _TAG.match(tag):
        raise UsageError(field, f"{tag!r} is not a tag", allowed=ALLOWED_TAG)
    if registry == DOCKER_HUB and "/" not in repository:
        repository = _OFFICIAL + repository
    _check_name(registry, repository, text, field)
    return ImageReference(registry=registry, repository=repository, tag=tag, digest=digest)


def _refuse_shape(text: str, field: str) -> None:
    if not text:
        raise UsageError(field, "is empty", allowed=ALLOWED)
    if "://" in text:
        raise UsageError(field, f"{text!r} is an address, not an image", allowed=ALLOWED)
    if _IMAGE_ID.match(text):
        raise UsageError(
            field, "is an image's id, which only its own engine knows", allowed=ALLOWED
        )


def _split_registry(rest: str) -> tuple[str, str]:
    """Split off the registry: a first part that cannot be a name on Docker Hub."""
    first, slash, remainder = rest.partition("/")
    named = "." in first or ":" in first or first == "localhost"
    if not (slash and named):
        return DOCKER_HUB, rest
    return (DOCKER_HUB if first == f"index.{DOCKER_HUB}" else first), remainder


def _check_name(registry: str, repository: str, text: str, field: str) -> None:
    if not _REGISTRY.match(registry):
        raise UsageError(field, f"{registry!r} cannot be a registry's host", allowed=ALLOWED)
    if _REPOSITORY.match(repository):
        if len(repository) > LONGEST_REPOSITORY:
            limit = f"at most {LONGEST_REPOSITORY} characters"
            raise UsageError(field, "the name is too long", allowed=limit)
        return
    if _REPOSITORY.match(repository.lower()):
        raise UsageError(field, f"{text!r} has upper-case letters in its name", allowed=ALLOWED)
    raise UsageError(field, f"{text!r} is not the name of an image", allowed=ALLOWED)
