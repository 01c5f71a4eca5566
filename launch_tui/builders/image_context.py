"""Which Dockerfile an image is built from, with which build context, and why.

In this order: the launch's Dockerfile, the job's, ``Dockerfile.wandb`` beside the script that the
entry point runs, one that is written here. The first three are read where they lie; what is written
here goes into a directory of its own, so the job's files are never changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.builders.dockerfile import Recipe, generate
from launch_tui.builders.image_packages import FROZEN, read_packages
from launch_tui.domain.image import parse_image
from launch_tui.errors import BuildFailed, UsageError

if TYPE_CHECKING:
    from launch_tui.builders.image_order import ImageOrder
    from launch_tui.builders.image_packages import Packages

BESIDE_SCRIPT = "Dockerfile.wandb"
GENERATED = "a generated Dockerfile"
_IGNORED = (".git", ".venv", "**/__pycache__")
_WANDB = "wandb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an image is built.

    ``context`` is the build context and ``place`` its path in the job's files. ``dockerfile`` is
    the file, None where it is written here; ``text`` is what it says, and ``plain_text`` the same
    for a builder that is not BuildKit. ``ignored`` is the .dockerignore for a Dockerfile that is
    written here. ``entry_point`` is the job's command as it is called from where the image has it.
    ``notes`` say what was chosen, and why.
    """

    context: Path
    place: str
    dockerfile: Path | None
    text: str
    plain_text: str
    entry_point: tuple[str, ...]
    notes: tuple[str, ...]
    ignored: str = ""


def plan_image(order: ImageOrder, default_python: str) -> Plan:
    """Return how the image of an order is built.

    Args:
        order: What is asked for.
        default_python: The version ``3.X`` of a generated image where the job names none.

    Raises:
        BuildFailed: When a Dockerfile or build context is not there or lies outside the job's
            files, or none can be written; it names the field.
    """
    root = order.source.resolve()
    place = order.environment.context
    context = _inside(root, root, place, "build context", folder=True) if place else root
    given = (
        (order.dockerfile, "Dockerfile of the launch"),
        (order.environment.dockerfile, "Dockerfile of the job"),
    )
    for path, field in given:
        if path:
            file = _inside(root, context, path, field)
            return _own(order, root, context, file, f"{path}, the {field}")
    beside = _beside_script(root, order.entry_point)
    if beside is not None:
        why = f"{beside.relative_to(root)}, because it lies beside the script"
        plan = _own(order, root, context if place else beside.parent, beside, why)
        words = (_shortened(word, root, plan.context) for word in order.entry_point)
        return replace(plan, entry_point=tuple(words))
    return _generated(order, root, context, default_python)


def _inside(root: Path, start: Path, path: str, field: str, *, folder: bool = False) -> Path:
    found = Path(start, path).resolve()
    if not found.is_relative_to(root):
        raise BuildFailed(
            f"{field}: {path} lies outside the job's files",
            next_step="Give a path within the job's folder",
        )
    if found.is_dir() if folder else found.is_file():
        return found
    where = "the job's files" if start == root else f"the build context {start.relative_to(root)}"
    kind = "folder" if folder else "file"
    raise BuildFailed(
        f"{field}: there is no {kind} {path} in {where}",
        next_step="Check the path; files that git ignores are not taken into a job",
    )


def _beside_script(root: Path, entry_point: tuple[str, ...]) -> Path | None:
    for word in entry_point:
        script = Path(root, word).resolve()
        if script.is_relative_to(root) and script.is_file():
            folder = script.parent
            break
    else:
        folder = root
    file = (folder / BESIDE_SCRIPT).resolve()
    return file if file.is_file() and file.is_relative_to(root) else None


def _own(order: ImageOrder, root: Path, context: Path, file: Path, why: str) -> Plan:
    text = file.read_bytes().decode("utf-8-sig", errors="replace")
    place = _place(root, context)
    return Plan(
        context=context,
        place=place,
        dockerfile=file,
        text=text,
        plain_text=text,
        entry_point=order.entry_point,
        notes=(f"the image is built from {why}; its build context is {_shown(place)}",),
    )


def _shortened(word: str, root: Path, context: Path) -> str:
    path = Path(root, word)
    if word.startswith("/") or not path.is_file() or not path.resolve().is_relative_to(context):
        return word
    return str(path.resolve().relative_to(context))


def _generated(order: ImageOrder, root: Path, context: Path, default_python: str) -> Plan:
    packages = read_packages(context)
    base, note = _base(order)
    version = order.environment.python_version or ("" if base else default_python)
    recipe = Recipe(
        packages=packages,
        entry_point=order.entry_point,
        python_version=version,
        base=base,
        build_args=tuple(sorted(order.build_args)),
        secrets=tuple(sorted(order.secrets)),
    )
    place = _place(root, context)
    begin = f"{base} and its own Python" if base else f"Python {version}"
    why = f"there is none for this job: {begin} {_contents(packages)}"
    notes = [f"the image is built from {GENERATED}, because {why}", *note]
    if not packages.wandb:
        notes.append(
            "wandb is not asked for: a job that calls wandb.init needs it in its base image"
        )
    return Plan(
        context=context,
        place=place,
        dockerfile=None,
        text=generate(recipe),
        plain_text=generate(replace(recipe, secrets=()), mounts=False),
        entry_point=order.entry_point,
        notes=tuple(notes),
        ignored=_ignored(context, packages),
    )


def _base(order: ImageOrder) -> tuple[str, list[str]]:
    """Return the image to begin from, and what is to be said about the choice."""
    chosen, field = order.accelerator, "builder.accelerator.base_image"
    if not chosen:
        chosen, field = order.base_image, "builder.base_image"
    if not chosen:
        return "", []
    try:
        base = str(parse_image(chosen, field=field))
    except UsageError as error:
        raise BuildFailed(
            str(error), next_step="Correct it in the queue's configuration"
        ) from error
    if order.accelerator and order.base_image:
        return base, [f"builder.base_image is not used, because {field} is given"]
    return base, []


def _contents(packages: Packages) -> str:
    if not packages.made_from:
        return f"without packages, because no {_or_list()} asks for any"
    unused = " and ".join(packages.ignored)
    rest = f" ({unused} is there too and not used)" if unused else ""
    return f"with what {packages.made_from} asks for{rest}"


def _or_list() -> str:
    return f"requirements.txt, pyproject.toml or {FROZEN}"


def _ignored(context: Path, packages: Packages) -> str:
    """Return what is left out: the job's own .dockerignore, and what is never code."""
    try:
        own = (context / ".dockerignore").read_text("utf-8", errors="surrogateescape")
    except OSError:
        own = ""
    never = list(_IGNORED)
    if not (context / _WANDB / "__init__.py").exists():
        never.append(_WANDB)
    # Whatever it says: without these nothing can be installed.
    needed = () if packages.whole else tuple(f"!{name}" for name in packages.files)
    return "\n".join([*own.splitlines(), *never, *needed, ""])


def _place(root: Path, context: Path) -> str:
    return "" if context == root else str(context.relative_to(root))


def _shown(place: str) -> str:
    return place or "the job's folder"
