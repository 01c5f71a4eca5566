"""What a container sees of this machine's files, as ``docker run`` writes it.

``volume`` and ``mount`` say the same in two ways. A source is a path of this machine, which has to
be there when the run starts, or the name of a volume of the engine's. No path may climb with
``..``: a part of it may be a macro, and so a name that whoever launches has chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from launch_tui.domain.config_keys import did_you_mean, wrong
from launch_tui.domain.quantities import parse_size
from launch_tui.errors import UsageError
from launch_tui.targets.container_values import NAME, fits

INSIDE = "/.launch-tui"
"""Where in a container our own files are."""

PROPAGATION = ("private", "rprivate", "rshared", "rslave", "shared", "slave")
RELABEL = ("z", "Z")
SOURCE = "an absolute path, one from ~, or the name of a volume"

_VOLUME_FORM = "HOST-PATH:PATH or VOLUME:PATH, with :ro after it to read only"
_MOUNT_KEYS = {
    "source": "source", "src": "source", "target": "target", "dst": "target",
    "destination": "target", "type": "type", "readonly": "readonly", "ro": "readonly",
    "bind-propagation": "bind-propagation", "volume-nocopy": "volume-nocopy",
    "tmpfs-size": "tmpfs-size", "tmpfs-mode": "tmpfs-mode",
}  # fmt: skip
_FLAGS = ("readonly", "volume-nocopy")
_ONLY_OF = {"bind-propagation": "bind", "volume-nocopy": "volume", "tmpfs-size": "tmpfs",
            "tmpfs-mode": "tmpfs"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Files that a container sees at ``target``.

    ``kind`` is ``bind``, ``volume`` or ``tmpfs``. ``relabel`` is SELinux's, ``size`` and ``mode``
    are those of a tmpfs, and ``copy`` says whether a new volume begins with the image's files.
    """

    kind: str
    source: str
    target: str
    read_only: bool = False
    propagation: str = ""
    relabel: str = ""
    copy: bool = True
    size: int = 0
    mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of this machine, and what the container may do with it: ``rwm``."""

    source: str
    target: str
    permissions: str


def volume(value: tuple[str, ...], field: str) -> tuple[Volume, ...]:
    """Read lines as ``--volume`` takes them."""
    return tuple(_volume(line.strip(), f"{field}[{at}]") for at, line in enumerate(value))


def mount(value: tuple[str, ...], field: str) -> tuple[Volume, ...]:
    """Read lines as ``--mount`` takes them."""
    return tuple(_mount(line.strip(), f"{field}[{at}]") for at, line in enumerate(value))


def tmpfs(value: tuple[str, ...], field: str) -> dict[str, str]:
    """Read lines of ``PATH[:OPTIONS]``, as ``--tmpfs`` takes them."""
    found: dict[str, str] = {}
    for at, line in enumerate(value):
        path, _, options = line.strip().partition(":")
        found[place(path, f"{field}[{at}]")] = options
    return found


def device(value: tuple[str, ...], field: str) -> tuple[Device, ...]:
    """Read lines of ``PATH[:PATH][:rwm]``, as ``--device`` takes them."""
    return tuple(_device(line.strip(), f"{field}[{at}]") for at, line in enumerate(value))


def place(path: str, field: str) -> str:
    """Return where in the container something is to be seen."""
    if not path.startswith("/") or path.strip("/") in ("", ".") or _climbs(path):
        raise wrong(field, path, "an absolute path in the container")
    if path == INSIDE or path.startswith(f"{INSIDE}/"):
        raise UsageError(field, f"{path} is where launch_tui's own files are")
    return path.rstrip("/")


def _volume(line: str, field: str) -> Volume:
    source, separator, rest = line.partition(":")
    target, _, options = rest.partition(":")
    if not separator or ":" in options:
        raise wrong(field, line, _VOLUME_FORM)
    kind, source = _source(source, field)
    read_only, propagation, relabel, copy = False, "", "", True
    for option in filter(None, options.split(",")):
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in PROPAGATION and kind == "bind":
            propagation = option
        elif option in RELABEL:
            relabel = option
        elif option == "nocopy" and kind == "volume":
            copy = False
        else:
            raise wrong(field, option, "ro, rw, z, Z, nocopy, " + ", ".join(PROPAGATION))
    return Volume(
        kind=kind,
        source=source,
        target=place(target, field),
        read_only=read_only,
        propagation=propagation,
        relabel=relabel,
        copy=copy,
    )


def _mount(line: str, field: str) -> Volume:
    given = _fields(line, field)
    kind = given.get("type", "volume")
    if kind not in ("bind", "volume", "tmpfs"):
        raise wrong(f"{field} type", kind, "bind, volume or tmpfs")
    for name, only in _ONLY_OF.items():
        if name in given and kind != only:
            raise UsageError(f"{field} {name}", f"is for type={only}")
    if "target" not in given:
        raise UsageError(field, "target is missing", allowed="type=bind,source=PATH,target=PATH")
    source = given.get("source", "")
    if kind == "tmpfs" and source:
        raise UsageError(f"{field} source", "is not for type=tmpfs")
    if kind == "bind" or source:
        found, source = _source(source, f"{field} source")
        if found != kind:
            raise wrong(f"{field} source", source, f"what type={kind} takes: {SOURCE}")
    if given.get("bind-propagation", PROPAGATION[0]) not in PROPAGATION:
        allowed = ", ".join(PROPAGATION)
        raise wrong(f"{field} bind-propagation", given["bind-propagation"], allowed)
    return Volume(
        kind=kind,
        source=source,
        target=place(given["target"], f"{field} target"),
        read_only=given.get("readonly") == "true",
        propagation=given.get("bind-propagation", ""),
        copy=given.get("volume-nocopy") != "true",
        size=parse_size(given.get("tmpfs-size", 0), field=f"{field} tmpfs-size"),
        mode=_octal(given["tmpfs-mode"], f"{field} tmpfs-mode") if "tmpfs-mode" in given else None,
    )


def _fields(line: str, field: str) -> dict[str, str]:
    """Return the fields of a mount, which are written as a line of CSV."""
    import csv

    found: dict[str, str] = {}
    for part in next(csv.reader([line]), []):
        name, separator, value = part.partition("=")
        key = _MOUNT_KEYS.get(name.strip().lower())
        if key is None:
            problem = f"{name!r} is not known{did_you_mean(name, _MOUNT_KEYS)}"
            raise UsageError(field, problem, allowed=", ".join(dict.fromkeys(_MOUNT_KEYS.values())))
        if key in found:
            raise UsageError(field, f"{key} is given twice")
        if key in _FLAGS:
            value = {"": "true", "1": "true", "0": "false"}.get(value, value.lower())
            if value not in ("true", "false"):
                raise wrong(f"{field} {key}", value, "true or false")
        elif not separator or not value:
            raise UsageError(f"{field} {key}", "has no value", allowed=f"{key}=…")
        found[key] = value
    return found


def _device(line: str, field: str) -> Device:
    source, *rest = line.split(":")
    permissions = rest.pop() if rest and not rest[-1].startswith("/") else "rwm"
    target = rest.pop() if rest else source
    known = set(permissions) <= set("rwm") and permissions and not rest
    if not known or not source.startswith("/") or _climbs(source):
        raise wrong(field, line, "PATH, PATH:PATH or PATH:PATH:rwm, such as /dev/fuse")
    return Device(source=source, target=place(target, field), permissions=permissions)


def _source(text: str, field: str) -> tuple[str, str]:
    """Return the kind of a source, ``bind`` or ``volume``, and the source."""
    is_path = text.startswith(("/", "~/")) or text == "~"
    if is_path and not _climbs(text):
        return "bind", text
    if not is_path and fits(NAME, text):
        return "volume", text
    raise wrong(field, text, SOURCE)


def _climbs(path: str) -> bool:
    return ".." in PurePosixPath(path).parts


def _octal(text: str, field: str) -> int:
    if not fits("0?[0-7]{3,4}", text):
        raise wrong(field, text, "octal digits, such as 1777")
    return int(text, 8)
