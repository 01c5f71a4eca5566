"""Takes secrets out of what leaves the machine: values whose key says so, and known values."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "[hidden]"
SHORTEST = 6
"""Characters of a value that is looked for: shorter ones are words that mean something else."""

_SECRET = re.compile(
    r"(?:^|[^a-z])(?:token|secret|password|passwd|passphrase|credentials?|api[-_.]?key|access[-_.]?key"
    r"|private[-_.]?key|auth|authorization|bearer)(?:$|[^a-z])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def names_a_secret(key: str) -> bool:
    """Say whether a key is one that secrets have: ``hf_token``, ``apiKey``; not ``max_tokens``."""
    return _SECRET.search(_CAMEL.sub("_", key)) is not None


def without_secrets(value: Any, known: Iterable[str] = ()) -> Any:  # noqa: ANN401
    """Return a value of JSON without its secrets, and with text for numbers that JSON has not.

    Args:
        value: Objects, lists, texts and numbers.
        known: Values that must not stand in any text.
    """
    return _cleaned(value, tuple(each for each in known if len(each) >= SHORTEST))


def _cleaned(value: Any, known: tuple[str, ...]) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {
            _cleaned(key, known): HIDDEN
            if inner and names_a_secret(str(key)) and not isinstance(inner, (bool, float))
            else _cleaned(inner, known)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_cleaned(inner, known) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        for secret in known:
            value = value.replace(secret, HIDDEN)
    return value
