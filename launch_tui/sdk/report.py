"""One text about a run that went wrong, to hand to somebody else: all that tells why, no secrets.

What is told is what was asked for (the spec), what differs from the version before, the end of the
log, what was recorded of the GPUs, what happened, and what launch_tui makes of it. Secrets are
masked by name and by value (``domain.redact``); the values that are known are those of this
process's environment, of the secrets' files, and of what the launch set.
"""

from __future__ import annotations

import json
import netrc
import os
import platform
from contextlib import suppress
from importlib import metadata
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.environment import looks_secret
from launch_tui.domain.quantities import write_size
from launch_tui.domain.redact import Redactor, is_secret_name
from launch_tui.domain.spec import dump_spec
from launch_tui.domain.text import log_line, plain, printable
from launch_tui.errors import LaunchError
from launch_tui.sdk.devices import DevicesFile
from launch_tui.sources import versions_diff
from launch_tui.store.logs import tail_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from launch_tui.domain.job import JobVersion
    from launch_tui.domain.run import Run
    from launch_tui.domain.slots import Gpu
    from launch_tui.domain.spec import RunSpec
    from launch_tui.sdk import Launch

LOG_LINES = 200
BUILD_LINES = 100
LINE_LIMIT = 2_000
POINTS = 20
"""Points of the history of one number of a GPU."""
MOST_SERIES = 40
_GPU = ("gpu", "cuda", "nvidia", "amd")


def failure_report(launch: Launch, reference: str) -> str:
    """Return the report of a run, as plain text.

    Args:
        launch: The data directory.
        reference: The run.

    Raises:
        NotFound: When there is no such run.
    """
    run = launch.runs.get(reference)
    spec = launch.runs.spec(run.id)
    redactor = Redactor(known_secrets(launch, run, spec))
    sections = (
        ("", _head(launch, run)),
        ("Asked for", _spec(spec, redactor)),
        ("Configuration", _json(redactor.tree(run.config))),
        ("Summary", _json(redactor.tree(run.summary))),
        ("Source", _source(launch, run, spec)),
        (f"Log, last {LOG_LINES} lines", _log(launch, run, LOG_LINES, build=False)),
        (f"Build log, last {BUILD_LINES} lines", _log(launch, run, BUILD_LINES, build=True)),
        ("GPUs", _gpus(launch, run)),
        ("Events", _events(launch, run)),
    )
    parts = [
        (f"== {title} ==\n" if title else "") + "\n".join(lines)
        for title, lines in ((title, list(found)) for title, found in sections)
        if lines
    ]
    # As a whole, not line by line: a private key goes over many.
    text = "\n\n".join(parts) + "\n"
    return redactor.learning(text).text(text)


def write_report(path: Path, text: str) -> None:
    """Write a report to a file, for the person's own eyes where it is a new one.

    Raises:
        LaunchError: When it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise LaunchError(f"cannot write {path}: {error.strerror}") from error


def known_secrets(launch: Launch, run: Run, spec: RunSpec) -> list[str]:
    """Return the values that are known to be secret, as far as they can be had here."""
    values = [value for name, value in os.environ.items() if _is_secret(name)]
    for name in (*spec.secrets, *(name for name in spec.pass_env if _is_secret(name))):
        values.append(os.environ.get(name, ""))
        with suppress(OSError, ValueError):
            values.append((launch.home.root / "secrets" / name).read_text("utf-8").strip())
    values += [value for name, value in spec.setenv.items() if _is_secret(name)]
    for tree in (
        run.config, run.summary, spec.resources, spec.resource_args, spec.template_variables
    ):  # fmt: skip
        values += _named_secret(tree)
    for flag, word in pairwise(spec.command):
        if flag.startswith("-") and is_secret_name(flag) and not word.startswith("-"):
            values.append(word)
    return [*values, *_passwords()]


def _is_secret(name: str) -> bool:
    return looks_secret(name) or is_secret_name(name)


def _named_secret(tree: Mapping[str, Any]) -> Iterator[str]:
    for key, value in tree.items():
        if is_secret_name(key):
            yield from _texts(value)
        elif isinstance(value, dict):
            yield from _named_secret(value)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _passwords() -> list[str]:
    """Return the passwords of the person's netrc, among them wandb's key."""
    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    with suppress(OSError, ValueError, netrc.NetrcParseError, RuntimeError):
        return [entry[2] for entry in netrc.netrc(str(path)).hosts.values() if entry[2]]
    return []


def _head(launch: Launch, run: Run) -> Iterator[str]:
    ended = f"{run.state}" + (f" in {run.phase}" if run.phase else "")
    facts = {
        "run": f"{run.id}  {run.job}:{run.version}  {run.name}",
        "state": ended + (f", exit {run.exit_code}" if run.exit_code is not None else ""),
        "kind": run.failure or "",
        "cause": run.cause or "",
        "next step": run.next_step or "",
        "attempt": f"{run.attempt}" + (f", {run.retried} of them retries" if run.retried else ""),
        "queue": f"{run.queue} ({run.resource})",
        "image": run.image or "",
        "created": run.created_at,
        "claimed": run.claimed_at or "",
        "started": run.started_at or "",
        "ended": run.ended_at or "",
        "agent": run.agent or "",
        "why": launch.runs.why(run.id).reason if run.ended_at is None else "",
        "written by": f"launch_tui {_version()}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}",
    }
    yield f"launch_tui report of run {run.id}"
    yield from (f"{name:<10}  {printable(value)}" for name, value in facts.items() if value)


def _version() -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("launch-tui")
    return "unknown"


def _spec(spec: RunSpec, redactor: Redactor) -> Iterator[str]:
    values = json.loads(dump_spec(spec))
    names = {key: values.pop(key) for key in ("secrets", "pass_env")}
    values["command"] = redactor.words(spec.command)
    values["setenv"] = {
        name: "••••" if _is_secret(name) else value for name, value in spec.setenv.items()
    }
    yield from _json(redactor.tree(values))
    yield from (f"{key}, by name: {', '.join(found)}" for key, found in names.items() if found)


def _json(tree: Mapping[str, Any]) -> list[str]:
    if not tree:
        return []
    return json.dumps(tree, indent=2, ensure_ascii=False, default=str).splitlines()


def _source(launch: Launch, run: Run, spec: RunSpec) -> Iterator[str]:
    yield f"{run.job}:{run.version}"
    if spec.in_place:
        yield f"ran in {spec.in_place} as it was: no version of it was kept"
        return
    before = _version_before(launch, run)
    if before is None:
        yield "there is no version before it"
        return
    differing = versions_diff.describe(
        before.source, spec.source, launch.jobs.artifacts, launch.home.repositories
    )
    try:
        fields = launch.jobs.diff(f"{before.name}:{before.version}", f"{run.job}:{run.version}")
        changed = [f"{name}: {old} -> {new}" for name, old, new in fields.fields]
    except LaunchError:
        changed = []
    yield (
        f"changes since {before.version}:"
        if differing or changed
        else (f"the same files and settings as {before.version}")
    )
    yield from changed
    yield from (plain(line) for line in differing)


def _version_before(launch: Launch, run: Run) -> JobVersion | None:
    """Return the version of the job before the run's; None where there is none any more."""
    try:
        versions = launch.jobs.versions(run.job)
    except LaunchError:
        return None
    names = [version.version for version in versions]
    at = names.index(run.version) if run.version in names else len(names)
    return versions[at + 1] if at + 1 < len(versions) else None


def _log(launch: Launch, run: Run, lines: int, *, build: bool) -> list[str]:
    path = launch.runs.log_path(run.id, build=build)
    return [plain(log_line(raw))[:LINE_LIMIT] for raw in tail_lines(path, lines)]


def _gpus(launch: Launch, run: Run) -> Iterator[str]:
    """Yield which GPUs it had, what the agent saw there last, and what wandb recorded of them."""
    devices = DevicesFile(launch.home)
    devices.look()
    machine = devices.devices.machine if devices.devices is not None else None
    known = {gpu.uuid: gpu for gpu in machine.gpus} if machine is not None else {}
    for uuid in run.gpus:
        gpu = known.get(uuid)
        yield f"assigned: {uuid}" + (f", {_seen(gpu)}" if gpu else "")
    try:
        reader = launch.runs.series(run.id)
        if reader is None:
            return
        with reader:
            names = [info.name for info in reader.stats_keys() if _is_of_gpu(info.name)]
            for name in names[:MOST_SERIES]:
                points = reader.stats_chart(name, POINTS)
                yield f"{name}: {_told(point.last for point in points)}"
            if len(names) > MOST_SERIES:
                yield f"... and {len(names) - MOST_SERIES} more"
    except LaunchError as error:
        yield f"the record cannot be read: {error.cause}"


def _seen(gpu: Gpu) -> str:
    """Return what the agent saw of a GPU last, which may be after the run."""
    told = [
        f"GPU {gpu.index}",
        gpu.name,
        f"{write_size(gpu.memory_used)} of {write_size(gpu.memory_total)} in use at the last look",
        "" if gpu.utilization is None else f"{gpu.utilization}%",
        "" if gpu.temperature is None else f"{gpu.temperature} C",
        *(
            f"also pid {stranger.pid} of {stranger.user}"
            if stranger.pid
            else "also a hidden process"
            for stranger in gpu.strangers
        ),
    ]
    return ", ".join(filter(None, told))


def _is_of_gpu(name: str) -> bool:
    return any(word in name.lower() for word in _GPU)


def _told(values: Iterable[float]) -> str:
    return " ".join(f"{value:.4g}" if isfinite(value) else "-" for value in values)


def _events(launch: Launch, run: Run) -> Iterator[str]:
    for event in launch.runs.events(run.id):
        what = " ".join(filter(None, (event.state, event.phase and f"in {event.phase}")))
        actor = event.actor.partition(":")[0]
        yield f"{event.at}  {what:<22}  {printable(actor)}  {printable(event.message)}".rstrip()
