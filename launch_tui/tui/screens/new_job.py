"""The form for a new job: a folder, a git repository or an image, and how it is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.widgets import Button

from launch_tui.domain.home_path import at_home
from launch_tui.domain.job import JobKind, safe_name
from launch_tui.errors import UsageError
from launch_tui.sdk.image_jobs import image_of
from launch_tui.sdk.jobs import Created, JobRequest
from launch_tui.tui.form_fields import Field, Kind
from launch_tui.tui.screens.form import FormModal
from launch_tui.tui.ui import ui

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.tui.widgets.field_row import FieldRow

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*::?//|[^/\s]+@[^/\s]+:")

IMAGE = "image:"
"""What a place begins with that is an image: a name alone could be a folder's too."""

PYTHONS = (
    ("", "as the files say"),
    ("current", "the one in use"),
    ("none", "none"),
)
TRACKING = (("required", "required"), ("optional", "optional"))


class NewJob(FormModal):
    """Makes a job, or a new version of one; returns its name.

    What making it has to tell (left out files, no wandb in the environment) is shown before the
    form closes.

    Args:
        then: What the person wanted and needs a job for, such as ``launch``; empty for nothing.
    """

    HEADING = "New job"
    FLAGS: ClassVar[Mapping[str, str]] = {
        "PATH": "place", "URL": "place", "-g": "ref", "-n": "name", "-E": "entry_point",
        "-r": "python_version", "--python": "python", "--venv": "venv", "--tracking": "tracking",
        "--link": "links", "--yes": "accept_large", "IMAGE": "place", "-B": "base_image",
        "-D": "dockerfile", "-b": "context",
    }  # fmt: skip

    def __init__(self, then: str = "") -> None:
        super().__init__()
        self._then = then
        self._made: Created | None = None

    def on_mount(self) -> None:
        """Say what the job is needed for."""
        super().on_mount()
        if self._then:
            self.say(f"There is no job to {self._then} yet: this makes the first.")

    def fields(self) -> Sequence[tuple[Field, str]]:
        """Return the fields."""
        fields = [
            Field(key="place", label="from", required=True, always=True, begins=str(Path.cwd()),
                  description="a folder, the URL of a git repository, or image:NAME",
                  read=_place),
            Field(key="ref", label="git ref", description="branch, tag or commit; for git only"),
            Field(key="name", label="name", shown_default="the folder's", read=_name, apart=True),
            Field(key="entry_point", label="entry point", hint="command", read=_command,
                  shown_default="main.py or train.py"),
            Field(key="venv", label="environment", kind=Kind.CHOICE, choices=PYTHONS, begins=""),
            Field(key="python_version", label="python", shown_default="as the files say",
                  hint="3.X"),
            Field(key="python", label="interpreter", hint="path",
                  shown_default="an existing one"),
            Field(key="tracking", label="tracking", kind=Kind.CHOICE, choices=TRACKING,
                  begins="required", always=True, required=True, apart=True,
                  description="whether a run must call wandb.init to be good"),
            Field(key="base_image", label="base image", hint="image", apart=True,
                  description="for containers: mount the code into this image, build none"),
            Field(key="dockerfile", label="Dockerfile", hint="path",
                  shown_default="Dockerfile.wandb, else generated"),
            Field(key="context", label="build context", hint="folder",
                  shown_default="all files of the job"),
            Field(key="links", label="links", hint="paths", read=_words,
                  shown_default="linked into each copy"),
            Field(key="description", label="description"),
            Field(key="accept_large", label="take all", kind=Kind.BOOLEAN, begins="false",
                  description="take the folder even if it is very large"),
        ]  # fmt: skip
        return [(field, field.begins) for field in fields]

    def submit(self, values: Mapping[str, Any]) -> None:
        """Make the job; a clone or a large folder takes its time."""
        if self._made is not None:
            self.dismiss(self._made.job.name)
            return
        place, kind = values["place"], kind_of(values["place"])
        request = JobRequest(
            place=place.removeprefix(IMAGE),
            kind=kind,
            name=values.get("name", ""),
            entry_point=values.get("entry_point"),
            ref=values.get("ref"),
            python_version=values.get("python_version", ""),
            python=values.get("python", ""),
            venv=values.get("venv", ""),
            links=values.get("links", ()),
            tracking=values.get("tracking", "required"),
            description=values.get("description", ""),
            accept_large=values.get("accept_large", False),
            base_image=values.get("base_image", ""),
            dockerfile=values.get("dockerfile", ""),
            context=values.get("context", ""),
        )
        git = kind is JobKind.GIT
        self.say(f"looking at the repository {place} …" if git else f"reading {place} …")
        ui(self).act(
            lambda launch: launch.jobs.create(request), self._created, failed=self._refused_by
        )

    def _refused_by(self, error: Exception) -> None:
        if self.is_mounted and not isinstance(error, UsageError):
            self.refuse(UsageError("PATH", str(error)))
        elif self.is_mounted:
            self.refuse(error)  # type: ignore[arg-type]

    def _created(self, created: Created) -> None:
        if not self.is_mounted:
            return
        if not created.warnings:
            self.dismiss(created.job.name)
            return
        # Told here, where they can still be acted on, and not in a toast that goes.
        self._busy = False
        self._made = created
        told = "\n".join(f"! {warning}" for warning in created.warnings)
        self.say(f"{created.outcome} {created.job.name}:{created.job.version}\n{told}")
        self.query_one("#submit", Button).label = "Done"
        self.query_one("#submit").focus()

    def on_field_row_changed(self, event: FieldRow.Changed) -> None:
        """After a change it is another job that would be made."""
        self._made = None
        super().on_field_row_changed(event)


def kind_of(place: str) -> JobKind:
    """Return what a place makes a job of."""
    if place.startswith(IMAGE):
        return JobKind.IMAGE
    return JobKind.GIT if is_repository(place) else JobKind.CODE


def is_repository(place: str) -> bool:
    """Whether a place is a git repository to be cloned rather than a folder to be read."""
    folder = at_home(place)
    if folder.exists():
        # A bare repository is no folder to take a snapshot of.
        return (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    return _URL.match(place) is not None or place.endswith(".git")


def _place(text: str) -> str:
    place = text.strip()
    if place.startswith(IMAGE):
        return IMAGE + image_of(place.removeprefix(IMAGE), "from")
    if is_repository(place):
        return place
    folder = at_home(place)
    if not folder.is_dir():
        problem = "is no folder" if folder.exists() else "is not there"
        raise UsageError("from", f"{place} {problem}", allowed="a folder, a git URL, or image:NAME")
    return str(folder)


def _name(text: str) -> str:
    name = text.strip()
    if safe_name(name) != name:
        raise UsageError("name", f"{name!r} cannot be a job's name", allowed=safe_name(name))
    return name


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError("entry point", f"cannot be read: {error}") from None
    if not words:
        raise UsageError("entry point", "is empty", allowed="a command, such as python train.py")
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())
