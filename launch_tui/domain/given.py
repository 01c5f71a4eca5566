"""What a person gives with a launch in free words: its names, tags, variables, configuration.

All of it reaches the job through its environment, and some of it ``wandb``. What no process can be
given (a NUL character, more than the kernel takes) and what ``wandb.init`` would refuse is refused
here, when it is entered: an hour later, when the run starts, nobody is there to correct it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from launch_tui.domain.config_secrets import MARK, check_references
from launch_tui.domain.document import check_plain
from launch_tui.domain.environment import check_own_variable
from launch_tui.domain.managed_files import check_files
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_NAME = 1_024
"""Characters of a run's name."""
MAX_PROJECT = 128
"""Characters of a project or an entity, as in W&B."""
MAX_TAG = 64
"""Characters of a tag, as in W&B."""
MAX_TEXT = 65_536
"""Bytes of a note or a description."""
MAX_VARIABLE = 131_071
"""Bytes of ``NAME=value``: Linux gives a process no longer one."""
MAX_CONFIG = 1_000_000
"""Characters of a configuration as JSON: it goes to the job through its environment."""

_NOT_IN_PROJECT = re.compile(r"[/\\#?%:\x00-\x1f\x7f]")
_NOT_IN_TAG = re.compile(r"[,\x00]")


def check_name(value: str, *, field: str = "--name") -> str:
    """Return ``value`` if a run may be called so."""
    if len(value) > MAX_NAME:
        raise UsageError(field, "is too long", allowed=f"at most {MAX_NAME:,} characters")
    return check_text(value, field=field)


def check_project(value: str, *, field: str) -> str:
    """Return ``value`` if a project or an entity of W&B may be called so."""
    found = _NOT_IN_PROJECT.search(value)
    if found:
        allowed = "anything but / \\ # ? % : and control characters"
        raise UsageError(field, f"holds {found[0]!r}", allowed=allowed)
    if len(value) > MAX_PROJECT:
        raise UsageError(field, "is too long", allowed=f"at most {MAX_PROJECT} characters")
    if value in (".", ".."):
        # Both are part of addresses, in which these two mean another place.
        raise UsageError(field, f"cannot be {value!r}", allowed="a name")
    return _seen(value, field) if value else value


def check_tag(value: str, *, field: str = "--tag") -> str:
    """Return ``value`` if it can be one tag: commas are what separates them on their way."""
    allowed = f"1 to {MAX_TAG} characters without a comma"
    if not 1 <= len(value) <= MAX_TAG or _NOT_IN_TAG.search(value):
        shown = repr(value) if len(value) <= MAX_TAG else "a text of that length"
        raise UsageError(field, f"{shown} cannot be a tag", allowed=allowed)
    return _seen(value, field)


def check_text(value: str, *, field: str) -> str:
    """Return ``value`` if it can be handed to a process at all, and is empty or can be seen."""
    if "\0" in value:
        raise UsageError(field, "holds a NUL character", allowed="text")
    _whole(value, field)
    if len(value.encode()) > MAX_TEXT:
        raise UsageError(field, "is too long", allowed=f"at most {MAX_TEXT >> 10} KiB")
    return _seen(value, field) if value else value


def check_command(words: Iterable[str], *, field: str) -> None:
    """Refuse words that no process can be started with."""
    for word in words:
        if "\0" in word:
            raise UsageError(field, "holds a NUL character", allowed="the words of a command")
        _whole(word, field)


def check_variables(variables: Mapping[str, str], *, field: str = "--setenv") -> None:
    """Refuse variables that no process can be given, or a launch cannot say."""
    for name, value in variables.items():
        check_own_variable(name, field=field)
        if "\0" in value:
            raise UsageError(f"{field} {name}", "holds a NUL character", allowed="text")
        _whole(value, f"{field} {name}")
        if f"{MARK}:" in value:
            # It would reach the job as it stands: a value that is set is stored, a secret's is not.
            problem = "refers to a secret, which is not looked up here"
            raise UsageError(f"{field} {name}", problem, allowed="--secret NAME")
        if len(name) + 1 + len(value.encode()) > MAX_VARIABLE:
            raise UsageError(f"{field} {name}", "is too long", allowed="at most 128 KiB")


def check_config(config: Mapping[str, Any], *, field: str = "config") -> None:
    """Refuse a configuration that JSON cannot hold, or that is too large to be handed on."""
    if not config:
        return
    check_plain(config, field)
    check_files(config, field=field)
    text = json.dumps(config)
    if MARK in text:
        check_references(config)
    if len(text) > MAX_CONFIG:
        allowed = f"{MAX_CONFIG // 1_000_000} MB; a file of the job for more"
        raise UsageError(field, "is too large", allowed=allowed)


def _seen(value: str, field: str) -> str:
    """Return ``value`` if there is something to see of it: what shows nothing is found no more."""
    _whole(value, field)
    if not any(letter.isprintable() and not letter.isspace() for letter in value):
        raise UsageError(field, f"{value!r} shows nothing", allowed="text that can be seen")
    return value


def _whole(value: str, field: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(field, "holds half a character (a lone surrogate)") from None
    return value
