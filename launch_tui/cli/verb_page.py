"""``docs/verbs.md``, from the table of verbs: ``just verbs``; a test says when it is stale."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from launch_tui.cli.help import explained, signature, usage
from launch_tui.cli.verbs import GLOBAL_FLAGS, offered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from launch_tui.cli.grammar import Flag, Verb

_HEAD = """\
# Verbs

Written from `launch_tui/cli/verbs.py` by `just verbs`; `launch-tui VERB --help` says the same of
one verb. [command-line.md](command-line.md) tells how words, flags and exit statuses are meant, and
what the JSON of a verb is.

Without a verb `launch-tui` opens [the screens](ui.md): `--read-only` changes nothing, `--ascii`
draws with ASCII alone. `launch-tui --agent-only` is `launch-tui agent run`.
"""


def page() -> str:
    """Return the page."""
    sections = (line for verb in offered() if _has_section(verb) for line in _section(verb))
    return "\n".join(
        [_HEAD, *_overview(), "## With every verb\n", *_table(GLOBAL_FLAGS), *sections]
    )


def _overview() -> Iterator[str]:
    yield "| verb | does | `--json` |"
    yield "|---|---|---|"
    for verb in offered():
        yield f"| {_linked(verb)} | {_escaped(verb.help)} | {'yes' if verb.json else ''} |"
    yield ""


def _linked(verb: Verb) -> str:
    name = f"`{verb.name}`"
    if _has_section(verb):
        name = f"[{name}](#{'-'.join(verb.words)})"
    return " ".join([name, *(f"`{_escaped(place)}`" for place in verb.places)])


def _has_section(verb: Verb) -> bool:
    return bool(verb.flags or verb.more)


def _section(verb: Verb) -> Iterator[str]:
    yield f"## {verb.name}\n"
    yield f"`{usage(verb)}`\n"
    if verb.flags:
        yield from _table(verb.flags)
    if verb.more:
        yield f"```\n{verb.more}\n```\n"


def _table(flags: Iterable[Flag]) -> Iterator[str]:
    yield "| flag | does |"
    yield "|---|---|"
    for flag in flags:
        yield f"| `{_escaped(signature(flag))}` | {_escaped(explained(flag))} |"
    yield ""


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
