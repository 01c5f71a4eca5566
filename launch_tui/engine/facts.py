"""What an engine is and can do, read from what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.container import BuiltImage
from launch_tui.errors import EngineUnfit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from launch_tui.domain.image import ImageReference

CDI_DIRECTORIES = ("/etc/cdi", "/var/run/cdi")
"""Where Podman looks for descriptions of devices; Docker says where it does, if it does."""
NVIDIA_CDI = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """An engine as it answered when it was connected to.

    ``id`` is what it calls itself; an older Docker keeps it in /etc/docker, so that two on one
    machine have the same. ``runtimes`` are the names of its OCI runtimes.
    ``has_nvidia`` says whether it can hand out NVIDIA GPUs, by a runtime or by CDI. ``insecure``
    are the registries, as hosts or as networks, that it asks without checking who answers.
    """

    id: str
    name: str
    version: str
    api_version: str
    os: str
    architecture: str
    podman: bool
    rootless: bool
    userns_remapped: bool
    cgroup_version: int
    runtimes: tuple[str, ...]
    has_nvidia: bool
    init_binary: str
    buildkit: bool
    insecure: tuple[str, ...] = ()

    @property
    def platform(self) -> str:
        """The platform whose images it runs, such as ``linux/amd64``."""
        return f"{self.os}/{self.architecture}"


def read_facts(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineFacts:
    """Return the facts from the engine's answers to ``/version`` and ``/info``.

    Raises:
        EngineUnfit: When it runs containers of another system than Linux.
    """
    podman = any(
        "podman" in str(component.get("Name", "")).lower()
        for component in version.get("Components") or ()
    )
    system = str(info.get("OSType") or version.get("Os") or "linux")
    if system != "linux":
        raise EngineUnfit(f"the Docker engine runs containers of {system}, and jobs are for Linux")
    security = [str(option) for option in info.get("SecurityOptions") or ()]
    runtimes = tuple(sorted(info.get("Runtimes") or ()))
    return EngineFacts(
        id=str(info.get("ID", "")),
        name=str(info.get("Name", "")),
        version=str(version.get("Version", "")),
        api_version=str(version.get("ApiVersion", "")),
        os=system,
        architecture=str(version.get("Arch") or info.get("Architecture") or ""),
        podman=podman,
        rootless="name=rootless" in security,
        userns_remapped="name=userns" in security,
        cgroup_version=2 if str(info.get("CgroupVersion", "1")) == "2" else 1,
        runtimes=runtimes,
        has_nvidia=_has_nvidia(info, runtimes, podman),
        init_binary=str(info.get("InitBinary", "")),
        # Podman builds with Buildah, whatever its interface looks like.
        buildkit=not podman,
        insecure=tuple(_insecure(info.get("RegistryConfig") or {})),
    )


def read_image(
    inspected: Mapping[str, Any], reference: str, parsed: ImageReference | None
) -> BuiltImage:
    """Return the image that the engine's answer to an inspection describes."""
    config = inspected.get("Config") or {}
    variables = (str(pair).partition("=") for pair in config.get("Env") or ())
    image_id = str(inspected["Id"])
    # Podman leaves out what Docker always writes.
    image_id = image_id if image_id.startswith("sha256:") else f"sha256:{image_id}"
    return BuiltImage(
        reference=reference,
        id=image_id,
        digest=_digest(inspected, parsed) or image_id,
        entry_point=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        working_directory=str(config.get("WorkingDir") or ""),
        user=str(config.get("User") or ""),
        variables={name: value for name, _, value in variables},
    )


def _digest(inspected: Mapping[str, Any], parsed: ImageReference | None) -> str:
    """Return the digest in the registry of the reference, else in any."""
    if parsed is not None and parsed.digest:
        return parsed.digest
    found = [str(each).partition("@")[::2] for each in inspected.get("RepoDigests") or ()]
    names = () if parsed is None else (parsed.name, parsed.full_name)
    own = [digest for name, digest in found if name in names]
    return (own or [digest for _, digest in found] or [""])[0]


def _has_nvidia(info: Mapping[str, Any], runtimes: tuple[str, ...], podman: bool) -> bool:
    if "nvidia" in runtimes:
        return True
    devices = [str(device.get("ID", "")) for device in info.get("DiscoveredDevices") or ()]
    if any(device.startswith(NVIDIA_CDI) for device in devices):
        return True
    directories = info.get("CDISpecDirs") or (CDI_DIRECTORIES if podman else ())
    return any(_describes_nvidia(Path(directory)) for directory in directories)


def _describes_nvidia(directory: Path) -> bool:
    for pattern in ("*.yaml", "*.json"):
        for file in directory.glob(pattern):
            try:
                if NVIDIA_CDI in file.read_text("utf-8", "replace"):
                    return True
            except OSError:
                continue
    return False


def _insecure(registries: Mapping[str, Any]) -> Iterator[str]:
    for network in registries.get("InsecureRegistryCIDRs") or ():
        yield str(network)
    for name, known in (registries.get("IndexConfigs") or {}).items():
        if isinstance(known, dict) and not known.get("Secure", True):
            yield str(name)
