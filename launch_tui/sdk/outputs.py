"""What a run gave, and getting it out: its artifacts, and the files of its directory.

A job writes all of this, names included, and one in a container may be anybody's. So nothing is
followed out of the run's own directory, save by a job that ran as a process of the person's: that
one may have logged files where they were, and could have read them itself. No name leads out of
the folder that is copied to.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from launch_tui.domain.job import CodeSource
from launch_tui.domain.queue import Resource
from launch_tui.errors import LaunchError, NotFound, UsageError
from launch_tui.tracking.outputs import outputs_of, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launch_tui.domain.output import Output, OutputFile
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.sdk import Launch

FIELD = "RUN:PATH"


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy came to: where it is, and what was left out, each with the reason."""

    path: Path
    left_out: tuple[str, ...] = ()


class RunFiles:
    """The artifacts and the files of one run.

    Args:
        run: The run.
        spec: Its frozen request.
    """

    def __init__(self, run: Run, spec: RunSpec) -> None:
        self.run = run
        self._spec = spec
        self._root = Path(run.directory)

    @classmethod
    def of(cls, sdk: Launch, reference: str) -> RunFiles:
        """Return those of the run that ``reference`` names."""
        run = sdk.runs.get(reference)
        return cls(run, sdk.runs.spec(run.id))

    def outputs(self) -> list[Output]:
        """Return the versions of artifacts that the run logged, oldest first."""
        return outputs_of(self._root, self.run.attempt)

    def is_present(self, output: Output, file: OutputFile) -> bool:
        """Say whether the content of an entry is on this machine."""
        return bool(file.local) and place_of(self._root, output, file).is_file()

    def copy(self, inside: str, destination: Path) -> Copied:
        """Copy a file or a folder of the run, an artifact, or a part of one.

        Args:
            inside: As ``files`` prints it; an artifact is ``NAME``, ``NAME:VERSION`` or
                ``NAME:ALIAS``, with a path in it or without.
            destination: Where to; into it where it is a folder.

        Raises:
            NotFound: When the run has nothing of that name.
            UsageError: When it leads out of the run, or is nothing that can be copied.
            LaunchError: When the disk refuses.
        """
        try:
            if (place := self._place(inside)) is not None:
                return Copied(_copy_place(place, destination))
            output, path = self._artifact(inside)
            return self._copy_artifact(output, path, destination)
        except (OSError, shutil.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise LaunchError(f"cannot copy to {destination}: {reason}") from error

    def content(self, inside: str) -> Path:
        """Return the one file that is meant, to read it.

        Raises:
            NotFound: When the run has nothing of that name.
            UsageError: When it is no single file, or leads out of the run.
        """
        place = self._place(inside)
        if place is None:
            output, path = self._artifact(inside)
            files = [file for file in output.files if file.path == path]
            if not files:
                raise _is_folder(inside)
            place = self._source(output, files[0])
        if place.is_dir():
            raise _is_folder(inside)
        return place

    def _place(self, inside: str) -> Path | None:
        """Return the path of the directory that is meant: from there, or from where the job ran."""
        path = PurePosixPath(inside)
        if path.is_absolute() or ".." in path.parts or "\0" in inside:
            raise UsageError(FIELD, f"{inside!r} leads out of the run", allowed="a path of files")
        attempt = self._root / str(self.run.attempt)
        for folder in (self._root, attempt, self._root / "shared", attempt / "source"):
            place = folder / inside
            if os.path.lexists(place):
                return self._checked(place, inside)
        return None

    def _checked(self, place: Path, inside: str) -> Path:
        """Return a path that is known to stay within what the run may show."""
        real = place.resolve()
        if not any(real.is_relative_to(root.resolve()) for root in self._own_places()):
            raise UsageError(FIELD, f"{inside!r} is a link out of the run", allowed="its own files")
        if not real.exists():
            raise NotFound(FIELD, f"{inside!r} is a link to nothing")
        if not (real.is_dir() or real.is_file()):
            raise UsageError(FIELD, f"{inside!r} is no file", allowed="files and folders")
        return place

    def _own_places(self) -> Iterator[Path]:
        yield self._root
        if self.run.resource == Resource.LOCAL_PROCESS:
            # What a job of the person's was linked to, or ran in.
            if self._spec.in_place:
                yield Path(self._spec.in_place)
            if isinstance(self._spec.source, CodeSource):
                yield Path(self._spec.source.path)

    def _artifact(self, inside: str) -> tuple[Output, str]:
        """Return the version that is meant, and the path in it, empty for all of it."""
        outputs = self.outputs()
        for output in reversed(outputs):
            names = (output.version, *output.aliases)
            for full in (*(f"{output.name}:{name}" for name in names), output.name):
                if inside == full:
                    return output, ""
                if inside.startswith(f"{full}/"):
                    return output, inside[len(full) + 1 :].strip("/")
        raise NotFound(
            FIELD, f"{self.run.id} has no file and no artifact {inside!r}",
            allowed=f"see launch-tui files {self.run.id}",
        )  # fmt: skip

    def _copy_artifact(self, output: Output, path: str, destination: Path) -> Copied:
        files = [file for file in output.files if _is_in(file.path, path)]
        if path and not files:
            raise NotFound(FIELD, f"{output.full_name} has no file {path!r}")
        whole = PurePosixPath(path)
        if len(files) == 1 and files[0].path == path:
            source = self._source(output, files[0])
            target = destination / whole.name if destination.is_dir() else destination
            return Copied(_copy_file(source, target))
        name = whole.name or _safe_name(output.name)
        root = destination / name if destination.is_dir() else destination
        return self._copy_tree(output, files, path, root)

    def _copy_tree(
        self, output: Output, files: Sequence[OutputFile], path: str, root: Path
    ) -> Copied:
        # Before the first byte: a name that leads out refuses the whole.
        targets = [_below(root, file.path, path) for file in files]
        root.mkdir(parents=True, exist_ok=True)
        left_out = []
        for file, target in zip(files, targets, strict=True):
            try:
                source = self._source(output, file)
            except LaunchError as error:
                left_out.append(error.cause)
                continue
            _make_folder(root, target.parent)
            _copy_file(source, target)
        return Copied(root, tuple(left_out))

    def _source(self, output: Output, file: OutputFile) -> Path:
        """Return where the content of an entry is.

        Raises:
            LaunchError: When it is not on this machine, or not the run's.
        """
        if file.reference and not file.local:
            raise UsageError(
                FIELD, f"{file.path!r} was logged by reference", allowed=f"get it: {file.reference}"
            )
        place = place_of(self._root, output, file)
        real = place.resolve()
        is_own = real.is_relative_to(self._root.resolve())
        if not is_own and self.run.resource != Resource.LOCAL_PROCESS:
            raise UsageError(FIELD, f"{file.path!r} is a link out of the run", allowed="its files")
        try:
            found = real.lstat()
        except OSError:
            raise NotFound(FIELD, f"{file.path!r} is not here any more: {place} is gone") from None
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(FIELD, f"{file.path!r} is no file", allowed="files")
        if found.st_size != file.size:
            raise LaunchError(
                f"{FIELD}: {file.path!r} has changed since it was logged: {place}",
                next_step="copy it from there if you want it as it is now",
            )
        return real


def _is_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _below(root: Path, path: str, start: str) -> Path:
    """Return where an entry goes under ``root``.

    Raises:
        UsageError: When its name leads out of there.
    """
    rest = PurePosixPath(path[len(start) :].lstrip("/")) if start else PurePosixPath(path)
    parts = rest.parts
    if rest.is_absolute() or not parts or ".." in parts or "\0" in path:
        raise UsageError(
            FIELD, f"the artifact has a file named {path!r}, which leads out of it",
            allowed="artifacts whose names stay within",
        )  # fmt: skip
    return root.joinpath(*parts)


def _make_folder(root: Path, folder: Path) -> None:
    """Make a folder below ``root``, by no link on the way."""
    at = root
    for part in folder.relative_to(root).parts:
        at /= part
        if at.is_symlink():
            raise UsageError("DEST", f"{at} is a link", allowed="a folder without links")
        at.mkdir(exist_ok=True)


def _copy_file(source: Path, target: Path) -> Path:
    if target.is_symlink():
        raise UsageError("DEST", f"{target} is a link", allowed="a file or a folder")
    shutil.copyfile(source, target)
    # Staged copies are read-only for wandb's sake; what a person takes is theirs.
    shutil.copystat(source, target)
    target.chmod(target.stat().st_mode | stat.S_IRUSR | stat.S_IWUSR)
    return target


def _copy_place(source: Path, destination: Path) -> Path:
    target = destination / source.name if destination.is_dir() else destination
    if source.is_dir():
        # Links within stay links: none is followed.
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        return target
    return Path(shutil.copy2(source, target))


def _safe_name(name: str) -> str:
    """Return a name for the folder of a whole artifact, whatever the job called it."""
    safe = name.replace("/", "_").replace("\0", "_")
    return safe if safe.strip(".") else "artifact"


def _is_folder(inside: str) -> UsageError:
    return UsageError("DEST", f"{inside!r} is a folder", allowed="a path to copy it to")
