"""Which lines of a log look like an error: what the next-error key of a log view goes to.

A line counts when a person who scrolls for the reason of a failure would stop at it: a level of a
logger, the head or the last line of a traceback, what a shell, the kernel, CUDA or a compiler says
before the end. A metric that is called error does not: ``val_error=0.12`` or ``error: 0.034``.
"""

from __future__ import annotations

import re

_LEVEL = r"(?<![\w.=/-])(?:ERROR|CRITICAL|FATAL)(?![\w=/-])"
_TRACEBACK = r"Traceback \(most recent call last\)"
_EXCEPTION = r"(?<![=(\w.])[\w.]*(?:Error|Exception|KeyboardInterrupt)(?::(?!:)|$)"
_SAID = r"(?<![\w=-])(?:[Ff]atal|[Ee]rror|fatal error)(?:\[\w+\])?: (?! *[-+]?[.\d])"
_ENDS = (
    r"Segmentation fault|\bKilled\b|[Oo]ut of memory|^panic: |\bFAILED\b|[Pp]ermission denied"
    r"|No such file or directory|: (?:command )?not found$"
)

ERROR_LINE = "|".join((_LEVEL, _TRACEBACK, _EXCEPTION, _SAID, _ENDS))
"""The regular expression of a line that looks like an error, without its colours."""

_search = re.compile(ERROR_LINE).search


def looks_like_error(line: str) -> bool:
    """Say whether a line without colours looks like an error."""
    return _search(line) is not None
