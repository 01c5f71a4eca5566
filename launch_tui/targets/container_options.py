"""What the engine is asked to create for an attempt, from its request and its configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.errors import StartFailed
from launch_tui.targets.container_gpus import gpu_options
from launch_tui.targets.container_launcher import GROUP_VARIABLE, LOG, SCRIPT, TOKEN_FOLDER
from launch_tui.targets.container_mounts import INSIDE
from launch_tui.targets.processes import HANDLE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from launch_tui.domain.attempt import Attempt
    from launch_tui.domain.container import ContainerRequest
    from launch_tui.engine.facts import EngineFacts
    from launch_tui.targets.container_config import ContainerConfig
    from launch_tui.targets.container_mounts import Volume
    from launch_tui.targets.container_values import Port

_UNCONFINED_PATHS = "systempaths=unconfined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that a container is made from.

    ``shell`` is the command that carries out the launcher, and ``lent`` the folder to mount for it
    where the image has none.
    """

    attempt: Attempt
    request: ContainerRequest
    config: ContainerConfig
    facts: EngineFacts
    labels: Mapping[str, str]
    shell: tuple[str, ...]
    lent: tuple[Path, str] | None = None


def body(order: Order) -> dict[str, Any]:
    """Return the body of the request that creates a container.

    Raises:
        StartFailed: A file that an option names cannot be read, or a variable's name is none.
    """
    config, request = order.config, order.request
    found = {
        "Image": request.image.id,
        "Entrypoint": [*order.shell, "-c", SCRIPT, "launch-tui"],
        "Cmd": list(order.attempt.command),
        "Env": variables(order),
        "WorkingDir": config.workdir or request.working_directory,
        "User": user_of(config, order.facts),
        "Hostname": config.hostname,
        "Labels": {**config.label, **request.labels, **order.labels},
        "ExposedPorts": {_port(port): {} for port in config.publish},
        "HostConfig": _host_config(order),
    }
    return {name: value for name, value in found.items() if value}


def variables(order: Order) -> list[str]:
    """Return the variables of a container as ``NAME=value``.

    Raises:
        StartFailed: One of them cannot be given to a process.
    """
    given = {**order.attempt.environment, HANDLE_VARIABLE: order.attempt.handle}
    if order.config.init:
        given[GROUP_VARIABLE] = "1"
    if not order.request.gpus:
        # Images with CUDA ask for all GPUs, and an engine may be set up to listen to that.
        given.setdefault("NVIDIA_VISIBLE_DEVICES", "void")
    for name, value in given.items():
        if not name or "=" in name or not _can_be_sent(name + value):
            raise StartFailed(f"not a name or value for an environment variable: {name!r}")
    return [f"{name}={value}" for name, value in given.items()]


def check_command(command: Sequence[str]) -> None:
    """Raise unless an engine can be given these words.

    Raises:
        StartFailed: There are none, or one of them is no text.
    """
    if not command:
        raise StartFailed("the job has no command", next_step="Give it an entry point")
    for word in command:
        if not _can_be_sent(word):
            raise StartFailed(f"the command contains what is no text: {word!r}")


def _can_be_sent(text: str) -> bool:
    """Say whether a process can be given a text by way of the engine, which takes only UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def user_of(config: ContainerConfig, facts: EngineFacts) -> str:
    """Return whom the job runs as: the configured user, else the agent's own.

    A rootless engine has root mapped onto the user that it runs as.
    """
    if config.user:
        return config.user
    return "0:0" if facts.rootless else f"{os.getuid()}:{os.getgid()}"


def _host_config(order: Order) -> dict[str, Any]:
    config, facts = order.config, order.facts
    sources = (*config.volume, *config.mount)
    found: dict[str, Any] = {
        "Mounts": [*_own_mounts(order), *(_mount(each) for each in sources if not each.relabel)],
        # SELinux's labels can be asked for only in the older form.
        "Binds": [_bind(each) for each in sources if each.relabel],
        "Tmpfs": config.tmpfs,
        "NetworkMode": config.network,
        "ExtraHosts": list(config.add_host),
        "Dns": list(config.dns),
        "PortBindings": _port_bindings(config.publish),
        "GroupAdd": list(config.group_add),
        "IpcMode": config.ipc,
        "PidMode": config.pid,
        "CapAdd": list(config.cap_add),
        "CapDrop": list(config.cap_drop),
        "Privileged": config.privileged,
        "UsernsMode": "host" if facts.userns_remapped else "",
        "Devices": [
            {
                "PathOnHost": d.source,
                "PathInContainer": d.target,
                "CgroupPermissions": d.permissions,
            }
            for d in config.device
        ],
        "SecurityOpt": [_profile(o) for o in config.security_opt if o != _UNCONFINED_PATHS],
        **_limits(config),
    }
    found = {name: value for name, value in found.items() if value}
    found["Init"] = config.init
    if _UNCONFINED_PATHS in config.security_opt:
        # Empty lists, as against none, take the usual ones away.
        found |= {"MaskedPaths": [], "ReadonlyPaths": []}
    # Only what the launcher says before it has the log; the rest goes to that.
    found["LogConfig"] = {"Type": "json-file", "Config": {"max-size": "1m"}}
    if not facts.podman:
        # Or the engine's own settings for logs would hold, and some of them are for several files.
        found["LogConfig"]["Config"] |= {"max-file": "1", "compress": "false", "mode": "blocking"}
    for name, value in gpu_options(order.request.gpus, facts).items():
        found[name] = [*found.get(name, ()), *value]
    return found


def _limits(config: ContainerConfig) -> dict[str, Any]:
    return {
        "NanoCpus": int(config.cpus * 1e9),
        "CpusetCpus": config.cpuset_cpus,
        "CpusetMems": config.cpuset_mems,
        "CpuShares": config.cpu_shares,
        "CpuPeriod": config.cpu_period,
        "CpuQuota": config.cpu_quota,
        "Memory": config.memory,
        "MemoryReservation": config.memory_reservation,
        "MemorySwap": config.memory_swap,
        "ShmSize": config.shm_size,
        "PidsLimit": config.pids_limit,
        "Ulimits": [
            {"Name": name, "Soft": soft, "Hard": hard}
            for name, (soft, hard) in sorted(config.ulimit.items())
        ],
    }


def _profile(option: str) -> str:
    """Return a security option as the engine takes it; a file is read here, as ``docker`` does."""
    name, separator, value = option.partition("=")
    if name != "seccomp" or not separator or value in ("unconfined", "builtin", "default"):
        return option
    try:
        return f"seccomp={Path(value).expanduser().read_text('utf-8')}"
    except (OSError, ValueError) as error:
        raise StartFailed(
            f"security-opt: the seccomp profile {value} cannot be read: {error}",
            next_step="Correct `security-opt` in the queue, then rerun",
        ) from error


def _own_mounts(order: Order) -> Iterator[dict[str, Any]]:
    directory = order.attempt.directory.absolute()
    yield _bound(directory / LOG, f"{INSIDE}/{LOG}")
    yield _bound(directory / TOKEN_FOLDER, f"{INSIDE}/{TOKEN_FOLDER}")
    if order.lent is not None:
        folder, place = order.lent
        yield _bound(folder, place, read_only=True)
    for mount in order.request.mounts:
        yield _bound(mount.source, mount.target, read_only=mount.read_only)


def _bound(source: Path, target: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": read_only}


def _mount(volume: Volume) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Type": volume.kind,
        "Target": volume.target,
        "ReadOnly": volume.read_only,
    }
    if volume.kind == "bind":
        found["Source"] = str(Path(volume.source).expanduser())
        if volume.propagation:
            found["BindOptions"] = {"Propagation": volume.propagation}
    elif volume.kind == "volume":
        found |= {"Source": volume.source, "VolumeOptions": {"NoCopy": not volume.copy}}
    else:
        found["TmpfsOptions"] = {"SizeBytes": volume.size} if volume.size else {}
        if volume.mode is not None:
            found["TmpfsOptions"]["Mode"] = volume.mode
    return found


def _bind(volume: Volume) -> str:
    source = str(Path(volume.source).expanduser()) if volume.kind == "bind" else volume.source
    options = [volume.relabel, "ro" if volume.read_only else "rw"]
    options += [volume.propagation] if volume.propagation else []
    options += [] if volume.copy else ["nocopy"]
    return f"{source}:{volume.target}:{','.join(options)}"


def _port(port: Port) -> str:
    return f"{port.inside}/{port.protocol}"


def _port_bindings(ports: tuple[Port, ...]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        binding = {"HostIp": port.ip, "HostPort": str(port.host or "")}
        found.setdefault(_port(port), []).append(binding)
    return found
