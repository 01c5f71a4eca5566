"""Values of a container's keys, read as ``docker run`` reads them: networks, ports, users, rights.

Each function takes what the kind of the key has read and the field that an error names. A value may
hold macros, which are replaced when the run starts and checked once more then. Patterns are
compiled when a key is used: a launch that has none of them is not to wait for that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from launch_tui.domain.config_keys import did_you_mean, shown_value, wrong
from launch_tui.errors import UsageError

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""What the engine takes as the name of a network, a volume or a container."""

CAPABILITIES = (
    "ALL", "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF",
    "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID",
    "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE",
    "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE",
    "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG", "WAKE_ALARM",
)  # fmt: skip

SECURITY_OPTIONS = ("apparmor", "label", "no-new-privileges", "seccomp", "systempaths")
PROTOCOLS = ("tcp", "udp", "sctp")
LARGEST_PORT = 65_535
LONGEST_HOSTNAME = 63

_MACRO = r"\$\{\w+\}"
_CPUS = r"\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_PUBLISH = (
    r"(?:(?:(?P<ip>\[[0-9A-Fa-f:.]+\]|\d+\.\d+\.\d+\.\d+):)?(?P<host>\d{1,5}(?:-\d{1,5})?)?:)?"
    r"(?P<inside>\d{1,5}(?:-\d{1,5})?)(?:/(?P<protocol>[a-z]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of the container that the machine has too; ``host`` 0 is any that is free."""

    inside: int
    protocol: str
    host: int = 0
    ip: str = ""


def fits(pattern: str, value: str) -> bool:
    """Say whether a text has this form, with any macro in it counting as one letter."""
    return re.fullmatch(pattern, re.sub(_MACRO, "x", value), re.ASCII) is not None


def cpuset(value: Any, field: str) -> str:  # noqa: ANN401
    """Read a set of CPUs or memory nodes: ``0-3,8``."""
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    if isinstance(value, bool) or not fits(_CPUS, text):
        raise wrong(field, value, "numbers and ranges of them, such as 0-3,8")
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and last.isdigit() and int(first) > int(last):
            raise wrong(field, value, f"ranges that go up, such as {last}-{first}")
    return text


def network(value: str, field: str) -> str:
    """Read a network: its name, or that of another container whose network it is."""
    return _mode(value, field, ("bridge", "host", "none"), "the name of a network")


def ipc(value: str, field: str) -> str:
    """Read whose shared memory and semaphores the container has."""
    return _mode(value, field, ("private", "shareable", "none", "host"))


def pid(value: str, field: str) -> str:
    """Read whose processes the container sees."""
    return _mode(value, field, ("host",))


def _mode(value: str, field: str, words: tuple[str, ...], other: str = "") -> str:
    text = value.strip()
    if text in words or fits(f"container:{NAME}", text) or (other and fits(NAME, text)):
        return text
    raise wrong(field, value, ", ".join((*words, "container:NAME", *([other] if other else ()))))


def add_host(value: tuple[str, ...], field: str) -> tuple[str, ...]:
    """Read lines of ``HOST:IP``, where ``host-gateway`` is this machine's address."""
    return tuple(_host(line, f"{field}[{at}]") for at, line in enumerate(value))


def _host(line: str, field: str) -> str:
    name, separator, address = line.strip().partition("=" if "=" in line else ":")
    known = address == "host-gateway" or _is_address(address.strip("[]"))
    if not separator or not fits(rf"{_HOST}(\.{_HOST})*|_?{NAME}", name) or not known:
        raise wrong(field, line, "HOST:IP, or HOST:host-gateway for this machine")
    return f"{name}:{address.strip('[]')}"


def dns(value: tuple[str, ...], field: str) -> tuple[str, ...]:
    """Read addresses of name servers."""
    for at, line in enumerate(value):
        if not _is_address(line.strip()):
            raise wrong(f"{field}[{at}]", line, "an IP address")
    return tuple(line.strip() for line in value)


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def publish(value: Any, field: str) -> tuple[Port, ...]:  # noqa: ANN401
    """Read ports as Docker writes them: ``8888``, ``8080:80``, ``127.0.0.1:53:53/udp``."""
    lines = _listed(value, field)
    return tuple(port for at, line in enumerate(lines) for port in _ports(line, f"{field}[{at}]"))


def _ports(line: str, field: str) -> list[Port]:
    match = re.fullmatch(_PUBLISH, line)
    protocol = (match and match["protocol"]) or PROTOCOLS[0]
    if match is None or protocol not in PROTOCOLS:
        raise wrong(field, line, "[[IP:]PORT:]PORT[/udp], such as 127.0.0.1:8888:8888")
    inside = _range(match["inside"], field)
    host = _range(match["host"], field) if match["host"] else [0] * len(inside)
    if len(host) != len(inside):
        raise UsageError(field, f"the two ranges of {line!r} have not the same length")
    ip = (match["ip"] or "").strip("[]")
    return [
        Port(inside=here, protocol=protocol, host=there, ip=ip)
        for here, there in zip(inside, host, strict=True)
    ]


def _range(text: str, field: str) -> list[int]:
    first, _, last = text.partition("-")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[0] < 1 or ports[-1] > LARGEST_PORT:
        raise wrong(field, text, f"ports from 1 to {LARGEST_PORT}")
    return list(ports)


def user(value: Any, field: str) -> str:  # noqa: ANN401
    """Read a user, with a group or without: names or numbers."""
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    if isinstance(value, bool) or not fits(f"{_USER}(:{_USER})?", text):
        raise wrong(field, value, 'USER or USER:GROUP, names or numbers in quotes: "1000:1000"')
    return text


def group_add(value: Any, field: str) -> tuple[str, ...]:  # noqa: ANN401
    """Read groups, names or numbers."""
    groups = _listed(value, field)
    for at, group in enumerate(groups):
        if not fits(_USER, group):
            raise wrong(f"{field}[{at}]", group, "the name or number of a group")
    return groups


def _listed(value: Any, field: str) -> tuple[str, ...]:  # noqa: ANN401
    """Return the lines of a list or of one value; numbers are as good as their digits."""
    values = value if isinstance(value, (list, tuple)) else [value]
    lines: list[str] = []
    for at, each in enumerate(values):
        if isinstance(each, bool) or not isinstance(each, (str, int)):
            raise UsageError(f"{field}[{at}]", f"{shown_value(each)} is not a text", allowed="text")
        lines += [line.strip() for line in str(each).splitlines() if line.strip()]
    return tuple(lines)


def hostname(value: str, field: str) -> str:
    """Read the name that the container has for itself."""
    if not fits(rf"{_HOST}(\.{_HOST})*", value) or len(value) > LONGEST_HOSTNAME:
        allowed = f"letters, digits, dots and dashes, at most {LONGEST_HOSTNAME}"
        raise wrong(field, value, allowed)
    return value


def platform(value: str, field: str) -> str:
    """Read the platform of an image."""
    if not fits(r"linux/[a-z0-9]+(/[a-z0-9.]+)?", value):
        raise wrong(field, value, "such as linux/amd64 or linux/arm64")
    return value


def entrypoint(value: Any, field: str) -> tuple[str, ...]:  # noqa: ANN401
    """Read a command: a list of words, or a text that is split as a shell splits it."""
    import shlex

    words = value if isinstance(value, (list, tuple)) else ()
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError:
            raise wrong(field, value, "a text whose quotes are closed") from None
    if not words or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise wrong(field, value, "a command: a text, or a list of words")
    return tuple(words)


def capabilities(value: tuple[str, ...], field: str) -> tuple[str, ...]:
    """Read capabilities of the kernel, with ``CAP_`` before them or without."""
    found = tuple(line.strip().upper().removeprefix("CAP_") for line in value)
    for at, name in enumerate(found):
        if name not in CAPABILITIES:
            hint = did_you_mean(name, CAPABILITIES)
            problem = f"{value[at]!r} is no capability{hint}"
            raise UsageError(f"{field}[{at}]", problem, allowed="such as SYS_PTRACE, or ALL")
    return found


def security_opt(value: tuple[str, ...], field: str) -> tuple[str, ...]:
    """Read security options as Docker has them, ``seccomp=FILE`` among them."""
    options = tuple(line.strip() for line in value)
    for at, option in enumerate(options):
        name = re.split("[=:]", option, maxsplit=1)[0]
        if name not in SECURITY_OPTIONS or (name == option and name != "no-new-privileges"):
            problem = f"{option!r} is no security option{did_you_mean(name, SECURITY_OPTIONS)}"
            allowed = ", ".join(f"{known}=…" for known in SECURITY_OPTIONS)
            raise UsageError(f"{field}[{at}]", problem, allowed=allowed)
    return options


def image(value: str, field: str) -> str:
    """Read the name of an image."""
    from launch_tui.domain.image import parse_image

    parse_image(re.sub(_MACRO, "x", value), field=field)
    return value


def secrets(value: tuple[str, ...], field: str) -> tuple[str, ...]:
    """Read names of secrets, which the agent resolves."""
    from launch_tui.domain.environment import check_variable

    names = [line.strip() for line in value if line.strip()]
    return tuple(check_variable(name, field=f"{field}[{at}]") for at, name in enumerate(names))
