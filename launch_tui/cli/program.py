"""The command line as a whole: finds the verb, calls its module, turns errors into one line.

Exit status: 0 done; 1 the thing asked for failed; 2 wrong use; 130 interrupted; 141 when nobody
reads the output any more.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from launch_tui.cli.output import complain, prepare_streams
from launch_tui.cli.parsing import UI_FLAGS, Globals, find_verb, parse, split_globals
from launch_tui.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.cli.parsing import Arguments

INTERRUPTED = 130
NOBODY_READS = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: Its words without the program's name; those of this process when None.

    Returns:
        The exit status.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    prepare_streams()
    own = words[: words.index("--")] if "--" in words else words
    debug = "--debug" in own
    try:
        status = _run([_as_text(word) for word in words])
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
        return NOBODY_READS
    except KeyboardInterrupt:
        return INTERRUPTED
    except LaunchError as error:
        return _failed(error, error.exit_status, debug=debug)
    except Exception as error:
        described = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return _failed(error, 1, debug=debug, line=f"{described} (--debug shows where)")
    return status


def _run(words: list[str]) -> int:
    given = split_globals(words)
    if given.version:
        from launch_tui import __version__

        print(f"launch-tui {__version__}")
        return 0
    if given.help:
        from launch_tui.cli.help import print_help

        return print_help(given.rest)
    verb, rest = find_verb(given.rest)
    if verb is None:
        return _open_ui(rest, given)
    module, _, function = verb.handler.rpartition(".")
    arguments = parse(verb, rest, given)
    handler: Callable[[Arguments], int] = getattr(
        import_module(f"launch_tui.cli.{module}"), function
    )
    return handler(arguments)


def _as_text(word: str) -> str:
    """Return a word as text, also where the locale could not decode it but UTF-8 can."""
    if word.isascii() or word.isprintable():
        return word
    try:
        return os.fsencode(word).decode("utf-8")
    except UnicodeError:
        raise UsageError(ascii(word), "is not UTF-8 text") from None


def _open_ui(rest: list[str], given: Globals) -> int:
    for word in rest:
        if word not in UI_FLAGS:
            raise UsageError(word, "there is no such flag", allowed=", ".join(UI_FLAGS))
    if given.json:
        raise UsageError("--json", "goes with a verb", allowed="launch-tui VERB --json")
    from launch_tui.cli.ui import open_ui

    return open_ui(given.home, read_only="--read-only" in rest, ascii_only="--ascii" in rest)


def _failed(error: Exception, status: int, *, debug: bool, line: str = "") -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    try:
        complain(line or str(error))
    except OSError:
        # A full disk takes no output either; the status has to say it.
        _drop_stdout()
    return status


def _drop_stdout() -> None:
    """Have the interpreter's last flush go nowhere: who read it has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
