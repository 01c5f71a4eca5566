"""The lines of shell that set a job's ulimits.

Limits are given as ``setrlimit`` and Docker take them (bytes, seconds, counts; -1 is unlimited);
shells have a letter for each and count some of them in blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.errors import StartFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OF_BASH = {
    # name: option of the shells' ulimit, and what one unit of it is, in units of setrlimit
    "as": ("v", 1024),
    "core": ("c", 1024),
    "cpu": ("t", 1),
    "data": ("d", 1024),
    "fsize": ("f", 1024),
    "locks": ("x", 1),
    "memlock": ("l", 1024),
    "msgqueue": ("q", 1),
    "nice": ("e", 1),
    "nofile": ("n", 1),
    "nproc": ("u", 1),
    "rss": ("m", 1024),
    "rtprio": ("r", 1),
    "rttime": ("R", 1),
    "sigpending": ("i", 1),
    "stack": ("s", 1024),
}
_OF_SH = {**_OF_BASH, "core": ("c", 512), "fsize": ("f", 512), "nproc": ("p", 1)}
"""dash has its own letter for processes, and counts blocks of 512 bytes."""


def ulimit_lines(limits: Mapping[str, tuple[int, int]], *, bash: bool, fail: str) -> Iterator[str]:
    """Yield the lines that set each limit, in the order of their names.

    Args:
        limits: Soft and hard limit by name (``resource.RLIMIT_*`` in lower case).
        bash: Whether the shell is bash, and not one like dash.
        fail: The shell function that is called with what could not be set.

    Raises:
        StartFailed: For a name that shells do not have.
    """
    known = _OF_BASH if bash else _OF_SH
    for name, (soft, hard) in sorted(limits.items()):
        if name not in known:
            step = f"Known are {', '.join(sorted(known))}"
            raise StartFailed(f"ulimit {name} is not known", next_step=step)
        option, unit = known[name]
        first = f"ulimit -S{option} {_in_units(soft, unit)}"
        second = f"ulimit -H{option} {_in_units(hard, unit)}"
        # Soft first, or the new hard limit would be below the old soft one; the other order is for
        # those who may raise their hard limit.
        yield (
            f"{{ {first} && {second}; }} 2>/dev/null || {{ {second} && {first}; }} || "
            f"{fail} 'ulimit {name}={soft}:{hard} cannot be set'\n"
        )


def _in_units(value: int, unit: int) -> str:
    return "unlimited" if value < 0 else str(-(-value // unit))
