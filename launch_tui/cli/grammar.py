"""What a verb and its flags are: the values that the parser, the help and the completion share."""

from __future__ import annotations

import re
from typing import NamedTuple

_PLACE = re.compile(r"(\[)?([A-Za-z:=]+)(\.\.\.)?(\])?(\.\.\.)?\Z")


class Flag(NamedTuple):
    """One flag of a verb.

    ``value`` names what it takes, empty for a switch. ``many`` flags may be repeated; ``number``
    ones take an integer; ``choices`` are what help and shell offer (the SDK says what is allowed);
    ``completes`` says what else a shell can offer: ``job``, ``queue``, ``run``, ``file``,
    ``directory``.
    """

    names: tuple[str, ...]
    help: str
    value: str = ""
    many: bool = False
    number: bool = False
    choices: tuple[str, ...] = ()
    completes: str = ""

    @property
    def key(self) -> str:
        """The name under which its value is found: the long one, else the short."""
        return max(self.names, key=len).lstrip("-").replace("-", "_")


class Place(NamedTuple):
    """One positional argument: how many words it takes (``most`` None: any number)."""

    name: str
    least: int
    most: int | None


class Verb(NamedTuple):
    """One verb of the command line.

    ``words`` are its name (``("queue", "create")``), ``places`` its positional arguments as the
    usage line shows them: ``RUN``, ``[JOB]``, ``RUN...``, ``[KEY]...``. ``handler`` is
    ``module.function`` within ``launch_tui.cli``. ``command`` says whether words may follow
    ``--``, ``dashes`` whether a word may begin with ``-`` though it is no flag.
    """

    words: tuple[str, ...]
    help: str
    handler: str
    places: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    json: bool = False
    command: bool = False
    dashes: bool = False
    more: str = ""

    @property
    def name(self) -> str:
        """The words of the verb as they are typed."""
        return " ".join(self.words)

    @property
    def positions(self) -> tuple[Place, ...]:
        """What ``places`` say."""
        return tuple(_place(text) for text in self.places)


def _place(text: str) -> Place:
    match = _PLACE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no positional argument")
    optional = bool(match[1])
    repeated = bool(match[3] or match[5])
    return Place(match[2], 0 if optional else 1, None if repeated else 1)
