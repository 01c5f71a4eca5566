"""Whom the agent tells of the ends of runs: addresses, and which ends each wants to hear of.

An address that is a secret, as those of chat services are, is written by reference: ``${NAME}``
stands for a variable or a file of secrets that the agent has, and its value is neither stored nor
shown. A password that stands in the file itself is refused.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from launch_tui.domain.run import RunState
from launch_tui.domain.text import printable
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLD = (RunState.FINISHED, RunState.FAILED, RunState.STOPPED, RunState.LOST)
"""The ends that can be told; what is preempted or retried goes on."""
DEFAULT = (RunState.FINISHED, RunState.FAILED, RunState.LOST)
"""What is told where it is not said."""
MOST = 16
LONGEST_URL = 2000

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[\w.-]{1,40}", re.ASCII)
_KEYS = ("url", "on", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One address. ``name`` says which without telling it; ``url`` is as it was written."""

    name: str
    url: str
    on: tuple[RunState, ...] = DEFAULT


def read_webhooks(value: object, field: str) -> tuple[Webhook, ...]:
    """Return the addresses that a list of sections gives.

    Raises:
        UsageError: When one of them is wrong; ``field[0].url`` is how it is named.
    """
    if not isinstance(value, list):
        raise UsageError(field, "is no list", allowed="- {url: https://..., on: [failed]}")
    if len(value) > MOST:
        raise UsageError(field, f"has {len(value)} entries", allowed=f"at most {MOST}")
    found: dict[str, Webhook] = {}
    for number, each in enumerate(value):
        hook = _read(each, f"{field}[{number}]")
        if hook.name in found:
            raise UsageError(f"{field}[{number}].name", f"{hook.name} is there twice",
                             allowed="a name of its own")  # fmt: skip
        found[hook.name] = hook
    return tuple(found.values())


def resolved(url: str, values: Mapping[str, str]) -> str:
    """Return an address with what its references stand for.

    Raises:
        KeyError: With the name that has no value.
    """
    return _REFERENCE.sub(lambda match: values[match[1]], url)


def references(url: str) -> tuple[str, ...]:
    """Return the names that an address refers to."""
    return tuple(_REFERENCE.findall(url))


def is_address(url: str) -> bool:
    """Say whether this is an address that one can post to."""
    return not _problem(url)


def _read(value: object, field: str) -> Webhook:
    if not isinstance(value, dict):
        raise UsageError(field, "is no section", allowed="url: https://..., on: [failed]")
    for key in value:
        if key not in _KEYS:
            raise UsageError(f"{field}.{printable(str(key))[:40]}", "there is no such key",
                             allowed=", ".join(_KEYS))  # fmt: skip
    url = _url(value.get("url"), f"{field}.url")
    return Webhook(
        name=_name(value.get("name"), f"{field}.name") or _name_of(url),
        url=url,
        on=_ends(value.get("on"), f"{field}.on"),
    )


def _url(value: object, field: str) -> str:
    if value is None:
        raise UsageError(field, "is missing", allowed="https://..., ${NAME}")
    url = value.strip() if isinstance(value, str) else ""
    # As it would be with something in the place of each reference.
    whole = _REFERENCE.sub("x", url)
    if url.startswith("${"):
        whole = f"https://x/{whole}"
    problem = _problem(whole)
    if not problem and urlsplit(_REFERENCE.sub("", url)).password:
        problem = "has a password in it, which does not belong into a file"
    if problem:
        raise UsageError(field, problem, allowed="https://..., ${NAME}")
    return url


def _problem(url: str) -> str:
    """Return what is wrong with an address; empty for nothing. Never repeats it."""
    if len(url) > LONGEST_URL:
        return f"has more than {LONGEST_URL} characters"
    if not url.isprintable() or not url.isascii() or " " in url:
        return "is no address"
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    return "is no address" if wrong else ""


def _name(value: object, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise UsageError(field, "is no name", allowed="letters, digits, . _ -")
    return value


def _name_of(url: str) -> str:
    """Return what tells one address from another and gives nothing of it away."""
    if names := references(url):
        return f"${{{names[0]}}}" if len(names) == 1 else "-".join(names)
    digest = hashlib.sha256(url.encode()).hexdigest()[:4]
    return f"{urlsplit(url).hostname}-{digest}"


def _ends(value: object, field: str) -> tuple[RunState, ...]:
    allowed = ", ".join(TOLD)
    if value is None:
        return DEFAULT
    words = value if isinstance(value, list) else [value]
    for word in words:
        if word not in TOLD:
            raise UsageError(field, f"{printable(str(word))[:40]!r} is no end of a run",
                             allowed=allowed)  # fmt: skip
    if not words:
        raise UsageError(field, "is empty", allowed=allowed)
    return tuple(end for end in TOLD if end in words)
