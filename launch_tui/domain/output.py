"""What a run gives: the artifacts that its job logged, as versions of a name, and their files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """One entry of an artifact.

    ``path`` is its name within the artifact, as the job gave it. ``reference`` is where it is if
    it was logged by reference only. ``local`` is where its content was put, empty when nowhere.
    """

    path: str
    size: int = 0
    reference: str = ""
    local: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One version of an artifact that a run logged.

    ``attempt`` is which try logged it; ``manifest`` is the file that lists its entries where they
    are too many for a record of wandb's, in which case ``files`` is empty until that was read.
    """

    name: str
    type: str
    attempt: int
    number: int = 0
    aliases: tuple[str, ...] = ()
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    client_id: str = ""
    manifest: str = ""
    files: tuple[OutputFile, ...] = ()

    @property
    def version(self) -> str:
        """The version as a person writes it."""
        return f"v{self.number}"

    @property
    def full_name(self) -> str:
        """Name and version, as ``cp RUN:NAME:VERSION`` takes them."""
        return f"{self.name}:{self.version}"

    @property
    def size(self) -> int:
        """Bytes of all files that are not references."""
        return sum(file.size for file in self.files if not file.reference)


def versions_of(logged: Iterable[Output]) -> list[Output]:
    """Return the versions that a run's artifacts make, in the order in which they were logged.

    As on a W&B server: the same content again is no new version but moves the aliases, and
    ``latest`` is the newest of a name.
    """
    found: list[Output] = []
    for output in logged:
        same_name = [at for at, other in enumerate(found) if other.name == output.name]
        if any(found[at].client_id == output.client_id != "" for at in same_name):
            continue
        aliases = _with_latest(output.aliases)
        for at in same_name:
            kept = tuple(alias for alias in found[at].aliases if alias not in aliases)
            found[at] = replace(found[at], aliases=kept)
        newest = found[same_name[-1]] if same_name else None
        if newest is not None and output.digest and newest.digest == output.digest:
            kept = found[same_name[-1]].aliases
            found[same_name[-1]] = replace(newest, aliases=_with_latest((*kept, *aliases)))
        else:
            found.append(replace(output, number=len(same_name), aliases=aliases))
    return found


def _with_latest(aliases: Iterable[str]) -> tuple[str, ...]:
    return (*dict.fromkeys(alias for alias in aliases if alias != LATEST), LATEST)
