"""From the words of a command line to a verb with its flags, words and command.

Words and flags may stand in any order, the global flags anywhere before ``--``, and all that
follows ``--`` is a command. argparse reads the flags of the one verb that is used; words are
counted here, since argparse cannot take them between flags. Every complaint is one line.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from launch_tui.cli.verbs import BY_WORDS, GLOBAL_FLAGS, VERBS, below
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.cli.grammar import Flag, Verb
    from launch_tui.sdk import Launch

UI_FLAGS = ("--read-only", "--ascii")
AGENT_ONLY = "--agent-only"
MOST = 2**31 - 1
"""Of any number flag; the database holds no more than twice as many digits."""
_TEXT = "TEXT"
"""What a flag or a place takes that may be empty: a note that is taken away."""
_DEEPEST = max(len(verb.words) for verb in VERBS)


class Globals:
    """The flags that may stand anywhere, and what is left of the command line."""

    # A plain class, as below: a dataclass costs every command line the making of its methods.
    def __init__(self) -> None:
        self.rest: list[str] = []
        self.command: list[str] | None = None
        self.home: str | None = None
        self.json = False
        self.debug = False
        self.help = False
        self.version = False


class Arguments:
    """One command line, understood: a verb with what it was given.

    ``words`` are the positional words, ``command`` what followed ``--`` (None without ``--``).
    """

    def __init__(
        self,
        verb: Verb,
        words: list[str],
        values: dict[str, Any],
        given: Globals,
        command: list[str] | None = None,
    ) -> None:
        self.verb = verb
        self.words = words
        self.values = values
        self.command = command
        self.home = given.home
        self.json = given.json

    def text(self, key: str) -> str:
        """Return the value of a flag, empty when it was not given."""
        return str(self.values.get(key, ""))

    def number(self, key: str) -> int | None:
        """Return the value of a number flag, None when it was not given."""
        value = self.values.get(key)
        return None if value is None else int(value)

    def many(self, key: str) -> tuple[str, ...]:
        """Return all values of a flag that may be repeated."""
        return tuple(self.values.get(key, ()))

    def on(self, key: str) -> bool:
        """Say whether a flag was given."""
        return key in self.values

    def open(self, *, read_only: bool = False) -> Launch:
        """Open the data directory."""
        from launch_tui.sdk import Launch

        launch = Launch(self.home, read_only=read_only)
        if launch.db.repaired:
            from launch_tui.cli.output import notes

            notes([launch.db.repaired])
        return launch


def split_globals(argv: Sequence[str]) -> Globals:
    """Take the global flags out of a command line."""
    found = Globals()
    words = list(argv)
    if "--" in words:
        at = words.index("--")
        words, found.command = words[:at], words[at + 1 :]
    switches = {"--json": "json", "--debug": "debug", "--version": "version"}
    switches |= {"-h": "help", "--help": "help"}
    rest = iter(words)
    for word in rest:
        if word in switches:
            setattr(found, switches[word], True)
        elif word == "--home":
            found.home = next(rest, None)
            if found.home is None:
                raise UsageError("--home", "needs a value", allowed="the path of a directory")
        elif word.startswith("--home="):
            found.home = word.removeprefix("--home=")
        else:
            found.rest.append(word)
    return found


def find_verb(rest: list[str]) -> tuple[Verb | None, list[str]]:
    """Return the verb that the words begin with and the words after it; None for the UI.

    Raises:
        UsageError: For an unknown or unfinished verb.
    """
    if AGENT_ONLY in rest:
        others = [word for word in rest if word != AGENT_ONLY]
        if others and not others[0].startswith("-"):
            raise UsageError(AGENT_ONLY, f"cannot stand together with {others[0]!r}")
        return BY_WORDS["agent", "run"], others
    if not rest or rest[0] in UI_FLAGS:
        return None, rest
    for depth in range(_DEEPEST, 0, -1):
        verb = BY_WORDS.get(tuple(rest[:depth]))
        if verb is not None:
            return verb, rest[depth:]
    _no_such_verb(rest)


def parse(verb: Verb, rest: list[str], given: Globals) -> Arguments:
    """Read the flags and words of a verb.

    Raises:
        UsageError: For what the verb does not take, naming the flag or word.
    """
    parser = _Parser(verb)
    try:
        values, words = parser.parse_known_args(rest)
    except argparse.ArgumentError as error:
        raise parser.as_usage_error(error, rest) from None
    for word in words:
        if _is_flag(word) and not (verb.dashes and word not in ("-h", "--help")):
            _no_such_flag(verb, word)
    _check_values(verb, vars(values))
    command = given.command
    if command is not None and not verb.command:
        words, command = [*words, *command], None
    if given.json and not verb.json:
        raise UsageError("--json", f"{verb.name} prints nothing to be read by a program")
    _count(verb, words)
    return Arguments(verb, words, vars(values), given, command)


class _Formatter(argparse.HelpFormatter):
    """Never shown; one of argparse's own would ask for the terminal's size at every flag."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)


class _Parser(argparse.ArgumentParser):
    """argparse for the flags of one verb, without a usage text of its own."""

    def __init__(self, verb: Verb) -> None:
        super().__init__(
            prog="launch-tui",
            add_help=False,
            allow_abbrev=False,
            exit_on_error=False,
            argument_default=argparse.SUPPRESS,
            formatter_class=_Formatter,
        )
        for flag in verb.flags:
            self._add(flag)

    def _add(self, flag: Flag) -> None:
        if not flag.value:
            self.add_argument(*flag.names, dest=flag.key, action="store_true")
        elif flag.number:
            self.add_argument(*flag.names, dest=flag.key, type=int)
        else:
            action = "append" if flag.many else "store"
            self.add_argument(*flag.names, dest=flag.key, action=action)

    def as_usage_error(self, error: argparse.ArgumentError, rest: Sequence[str]) -> UsageError:
        names = (error.argument_name or "").split("/")
        typed = {word.partition("=")[0] for word in rest}
        name = next((name for name in names if name in typed), names[0])
        message = error.message
        if message.startswith("expected one argument"):
            return UsageError(name, "needs a value")
        if message.startswith("invalid int value"):
            return UsageError(name, f"{message.partition(': ')[2]} is not a whole number")
        return UsageError(name, message)

    def error(self, message: str) -> NoReturn:
        raise UsageError("command line", message)


def _check_values(verb: Verb, values: dict[str, Any]) -> None:
    """Raise for a value that is empty, as an unset variable is, or out of all bounds."""
    for flag in verb.flags:
        if not flag.value or flag.key not in values:
            continue
        found = values[flag.key]
        name = max(flag.names, key=len)
        if flag.number and not -MOST <= found <= MOST:
            raise UsageError(name, f"{found} is out of all bounds", allowed=f"at most {MOST}")
        if flag.value != _TEXT and "" in (found if isinstance(found, list) else [found]):
            raise UsageError(name, "is empty", allowed=flag.value)


def _count(verb: Verb, words: list[str]) -> None:
    """Raise when there are too few or too many words for the verb."""
    places = verb.positions
    for at, word in enumerate(words):
        place = places[min(at, len(places) - 1)].name if places else "word"
        if not word and place != _TEXT:
            raise UsageError(place, "is empty", allowed=" ".join((verb.name, *verb.places)))
    least = sum(place.least for place in places)
    if len(words) < least:
        missing = places[min(len(words), len(places) - 1)].name
        usage = " ".join(("launch-tui", *verb.words, *verb.places))
        raise UsageError(missing, "is missing", allowed=usage)
    if any(place.most is None for place in places):
        return
    if len(words) > len(places):
        takes = f"{verb.name} takes {' '.join(verb.places) or 'no words'}"
        raise UsageError(words[len(places)], f"is one word too many: {takes}")


def _is_flag(word: str) -> bool:
    """Say whether a word that is no known flag was meant as one."""
    return len(word) > 1 and word[0] == "-" and " " not in word.partition("=")[0]


def _no_such_flag(verb: Verb, word: str) -> NoReturn:
    typed = word.partition("=")[0]
    names = [name for flag in (*verb.flags, *GLOBAL_FLAGS) for name in flag.names]
    near = nearest(typed, names)
    if near:
        raise UsageError(typed, f"{verb.name} has no such flag; did you mean {near}?")
    allowed = ", ".join(max(flag.names, key=len) for flag in (*verb.flags, *GLOBAL_FLAGS))
    raise UsageError(typed, f"{verb.name} has no such flag", allowed=allowed)


def _no_such_verb(rest: list[str]) -> NoReturn:
    word = rest[0]
    if word.startswith("-"):
        if word.partition("=")[0] in {name for v in VERBS for f in v.flags for name in f.names}:
            raise UsageError(word, "comes after a verb", allowed="launch-tui VERB FLAGS...")
        raise UsageError(word, "there is no such flag", allowed=", ".join((AGENT_ONLY, *UI_FLAGS)))
    path: tuple[str, ...] = ()
    for word in rest:
        if below((*path, word)):
            path = (*path, word)
            continue
        break
    choices = below(path)
    group = f"{' '.join(path)} " if path else ""
    if len(path) == len(rest) or word.startswith("-"):
        raise UsageError(group.strip(), "needs a verb", allowed=", ".join(choices))
    near = nearest(word, choices)
    if near:
        raise UsageError(word, f"there is no such verb; did you mean {group}{near}?")
    raise UsageError(word, "there is no such verb", allowed=", ".join(choices))


def nearest(word: str, known: Sequence[str]) -> str:
    """Return the known word that is most like this one, empty when none is."""
    import difflib

    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else ""
