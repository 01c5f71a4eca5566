"""The help: an overview laid out by hand, and the help of each verb from the table of verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.cli.parsing import find_verb
from launch_tui.cli.verbs import BY_WORDS, GLOBAL_FLAGS, VERBS, below
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.cli.grammar import Flag, Verb
    from launch_tui.cli.parsing import Arguments

OVERVIEW = """\
launch-tui: W&B Launch for your own machines, in the terminal

  launch-tui launch -- python train.py     enqueue this folder, as it is now
  launch-tui --agent-only                  run what is queued
  launch-tui logs -f @                     follow the newest run

Screens
  launch-tui [--read-only] [--ascii]
  serve [--port N]           the same in a browser on this machine, to look at
Launch
  launch        enqueue a run: a job, this folder, or a repository
  rerun         enqueue a run again, with changes
Runs
  runs  show  why            what there is, and why it is where it is
  logs  events  metrics  files  cp  sync  compare  report
  stop  cancel  hold  release  front  priority  edit
  tag  note  delete          filter list|save|delete
Jobs and queues
  job create code|git|image  make a job, or a new version of it
  job list|show|alias|diff|metric|delete|import
  queue create|list|show|edit|update|pause|resume|delete
Agent
  --agent-only, agent run    run the queues here
  agent status|drain|resume|stop
Data
  backup  restore            the data directory in one file, and back
  prune                      forget old runs, remove what nothing needs
Machine
  demo [--headless]          a real training job, from nothing
  doctor                     what was found on this machine
  fsck                       check the data directory, and repair it
  env list|prune             cached Python environments
  image list|prune           Docker images that were built
  completion bash|zsh|fish   shell completion

RUN is a run id, a unique prefix, @ for the newest or @~N; where a verb takes several, the id of a
group (launch --param) stands for all its runs. Flags stand anywhere; after -- comes a
command. Everywhere: --json, --home DIR (or LAUNCH_TUI_HOME), --debug, --help, --version.
launch-tui VERB --help tells about one verb."""


def print_help(words: Sequence[str]) -> int:
    """Print the help that goes with a command line."""
    verb_words = tuple(word for word in words if not word.startswith("-"))
    if not verb_words:
        print(OVERVIEW)
        return 0
    if below(verb_words):
        _print_group(verb_words)
        return 0
    verb, _ = find_verb(list(verb_words))
    if verb is not None:
        _print_verb(verb)
    return 0


def help_for(arguments: Arguments) -> int:
    """Print the help of a verb (``launch-tui help queue create``)."""
    words = tuple(arguments.words)
    if words and words not in BY_WORDS and not below(words):
        raise UsageError(" ".join(words), "there is no such verb", allowed=", ".join(below(())))
    return print_help(words)


def usage(verb: Verb) -> str:
    """Return the line that shows what a verb takes."""
    words = ["launch-tui", *verb.words, *verb.places]
    words += ["[FLAGS]"] if verb.flags else []
    words += ["[-- COMMAND...]"] if verb.command else []
    return " ".join(words)


def signature(flag: Flag) -> str:
    """Return the names of a flag with what it takes."""
    return ", ".join(flag.names) + (f" {flag.value}" if flag.value else "")


def explained(flag: Flag) -> str:
    """Return what a flag does, with its choices."""
    chosen = f" ({', '.join(flag.choices)})" if flag.choices else ""
    return flag.help + (" (may be repeated)" if flag.many else "") + chosen


def _print_group(words: tuple[str, ...]) -> None:
    verbs = [verb for verb in VERBS if verb.words[: len(words)] == words]
    lines = [(" ".join(("launch-tui", *verb.words, *verb.places)), verb.help) for verb in verbs]
    _print_columns(lines, indent="")


def _print_verb(verb: Verb) -> None:
    print(usage(verb))
    print(f"  {verb.help}")
    if verb.flags:
        print()
        _print_columns([(signature(flag), explained(flag)) for flag in verb.flags])
    print()
    anywhere = [flag for flag in GLOBAL_FLAGS if flag.names != ("--json",) or verb.json]
    _print_columns([(signature(flag), flag.help) for flag in anywhere])
    if verb.more:
        print(f"\n{verb.more}")


def _print_columns(lines: Sequence[tuple[str, str]], *, indent: str = "  ") -> None:
    width = min(max(len(left) for left, _ in lines), 38)
    for left, right in lines:
        print(f"{indent}{left:<{width}}  {right}")
