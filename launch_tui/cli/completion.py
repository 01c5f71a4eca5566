"""Shell completion: scripts for bash, zsh and fish, written from the table of verbs.

Verbs and flags are in the script itself, so pressing TAB starts no process. Only names of jobs,
queues and runs are asked for, by ``launch-tui __complete KIND``, with the ``--home`` of the line.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from launch_tui.cli.parsing import AGENT_ONLY, UI_FLAGS
from launch_tui.cli.verbs import GLOBAL_FLAGS, VERBS, below, offered
from launch_tui.errors import LaunchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from launch_tui.cli.grammar import Flag, Verb
    from launch_tui.cli.parsing import Arguments

SHELLS = ("bash", "zsh", "fish")
OFFERED = 200
"""Runs that a shell is offered."""

_PLACE_KINDS = {
    "JOB": "job", "RUN": "run", "QUEUE": "queue", "PATH": "directory", "DEST": "file",
    "URL": "directory", "SHELL": "shell",
}  # fmt: skip

_BASH = """\
# bash completion for launch-tui:  source <(launch-tui completion bash)
_launch_tui() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local verb="" word offered="" kind="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        [[ $word == -- ]] && { COMPREPLY=($(compgen -f -- "$cur")); return; }
        # bash itself splits words at =, zsh does not.
        [[ $word == --home && ${COMP_WORDS[i+1]} == = ]] && ((i++))
        [[ $word == --home ]] && { ((i++)); continue; }
        _launch_tui_is_verb "${verb:+$verb }$word" && verb="${verb:+$verb }$word"
    done
    _launch_tui_value "$verb" "$prev"
    if [[ -z $kind && $cur == -* ]]; then
        _launch_tui_flags "$verb"
        COMPREPLY=($(compgen -W "$offered" -- "$cur"))
        return
    fi
    [[ -z $kind ]] && _launch_tui_place "$verb"
    case $kind in
        file) COMPREPLY=($(compgen -f -- "$cur")) ;;
        directory) COMPREPLY=($(compgen -d -- "$cur")) ;;
        job|queue|run)
            offered=$(_launch_tui_names $kind)
            COMPREPLY=($(compgen -W "$offered" -- "$cur")) ;;
        =*) COMPREPLY=($(compgen -W "${kind#=}" -- "$cur")) ;;
    esac
}
_launch_tui_names() {
    local home="" i
    for ((i = 1; i < ${#COMP_WORDS[@]}; i++)); do
        case ${COMP_WORDS[i]} in
            --) break ;;
            --home=*) home=${COMP_WORDS[i]#--home=} ;;
            --home) [[ ${COMP_WORDS[i+1]} == = ]] && ((i++)); home=${COMP_WORDS[i+1]} ;;
        esac
    done
    launch-tui __complete $1 ${home:+"--home=$home"} 2>/dev/null
}
_launch_tui_is_verb() {
    case $1 in
@VERBS@
    esac
    return 1
}
_launch_tui_flags() {
    case $1 in
@FLAGS@
    esac
}
_launch_tui_value() {
    case "$1 $2" in
@VALUES@
    esac
}
_launch_tui_place() {
    case $1 in
@PLACES@
    esac
}
complete -o default -F _launch_tui launch-tui
"""

_ZSH = """\
#compdef launch-tui
# zsh completion for launch-tui:  source <(launch-tui completion zsh)
autoload -U +X bashcompinit && bashcompinit
@BASH@"""


_FISH = """\
# fish completion for launch-tui:  launch-tui completion fish | source
function __launch_tui_words
    set -l before
    for word in (commandline -opc)[2..]
        string match -q -- '-*' $word; or test "$before" = --home; or echo $word
        set before $word
    end
end
function __launch_tui_at
    contains -- -- (commandline -opc); and return 1
    set -l verbs (__launch_tui_words)
    test (count $verbs) -ge (count $argv); or return 1
    for i in (seq (count $argv))
        test "$verbs[$i]" = $argv[$i]; or return 1
    end
end
function __launch_tui_next
    test (count (__launch_tui_words)) -eq (count $argv); and __launch_tui_at $argv
end
function __launch_tui_names
    set -l home
    set -l words (commandline -op)[2..]
    for i in (seq (count $words))
        switch $words[$i]
            case --
                break
            case --home
                set home --home=$words[(math $i + 1)]
            case '--home=*'
                set home $words[$i]
        end
    end
    launch-tui __complete $argv[1] $home 2>/dev/null
end
complete -c launch-tui -f
complete -c launch-tui -n 'contains -- -- (commandline -opc)' -F"""


def completion(arguments: Arguments) -> int:
    """Print the completion script of a shell."""
    scripts: dict[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
    shell = arguments.words[0]
    if shell not in scripts:
        raise UsageError(
            "SHELL", f"there is no completion for {shell!r}", allowed=", ".join(SHELLS)
        )
    print(scripts[shell](), end="")
    return 0


def candidates(arguments: Arguments) -> int:
    """Print the names that a shell can offer; nothing at all when there is any trouble."""
    if arguments.home is not None:
        arguments.home = _as_read(arguments.home)
    try:
        with arguments.open(read_only=True) as sdk:
            kind = arguments.words[0]
            if kind == "job":
                names = [job.name for job in sdk.jobs.list()]
            elif kind == "queue":
                names = [queue.name for queue in sdk.queues.list()]
            else:
                names = [run.id for run in sdk.runs.list(limit=OFFERED)]
    except LaunchError:
        return 0
    print("\n".join(names))
    return 0


def _as_read(word: str) -> str:
    """Return what a word that was typed means: shells hand over its quotes, ``~`` and ``$NAME``."""
    try:
        read = shlex.split(word)
    except ValueError:
        return word
    # fish has taken the quotes away: what is several words without them is one.
    return os.path.expandvars(read[0] if len(read) == 1 else word)


def bash() -> str:
    """Return the script for bash."""
    paths = "|".join(f'"{path}"' for path in _paths())
    script = _BASH.replace("@VERBS@", f"        {paths}) return 0 ;;")
    script = script.replace("@FLAGS@", "\n".join(_bash_flags()))
    script = script.replace("@VALUES@", "\n".join(_bash_values()))
    return script.replace("@PLACES@", "\n".join(_bash_places()))


def zsh() -> str:
    """Return the script for zsh, which reads bash's."""
    return _ZSH.replace("@BASH@", bash())


def fish() -> str:
    """Return the script for fish."""
    lines = [_FISH]
    anywhere = "complete -c launch-tui -n __launch_tui_next"
    lines += [f"{anywhere} -l {name[2:]}" for name in (AGENT_ONLY, *UI_FLAGS)]
    lines += [f"{anywhere} {_fish_flag(flag)}" for flag in GLOBAL_FLAGS]
    for path in ((), *_groups()):
        condition = f"-n '__launch_tui_next {' '.join(path)}'"
        lines += [
            f"complete -c launch-tui {condition} -a {word}{_described((*path, word))}"
            for word in below(path)
        ]
    for verb in offered():
        condition = f"-n '__launch_tui_at {verb.name}'"
        lines += [f"complete -c launch-tui {condition} {_fish_flag(flag)}" for flag in _flags(verb)]
        kind = _kind_of_place(verb)
        if kind:
            lines.append(f"complete -c launch-tui {condition} {_fish_argument(kind)}")
    return "\n".join(lines) + "\n"


def _groups() -> list[tuple[str, ...]]:
    prefixes = [verb.words[:depth] for verb in offered() for depth in range(1, len(verb.words))]
    return list(dict.fromkeys(prefixes))


def _paths() -> list[str]:
    return [" ".join(words) for words in (*_groups(), *(verb.words for verb in offered()))]


def _flags(verb: Verb) -> tuple[Flag, ...]:
    usable = [flag for flag in GLOBAL_FLAGS if flag.names != ("--json",) or verb.json]
    return (*verb.flags, *usable)


def _kind_of_value(flag: Flag) -> str:
    """Return what may follow a flag: a kind of name, or ``=`` and words; empty for a switch."""
    if not flag.value:
        return ""
    return flag.completes or "=" + " ".join(flag.choices)


def _kind_of_place(verb: Verb) -> str:
    name = verb.positions[0].name.partition(":")[0] if verb.places else ""
    kind = _PLACE_KINDS.get(name, "")
    return "=" + " ".join(SHELLS) if kind == "shell" else kind


def _bash_flags() -> Iterator[str]:
    names = (AGENT_ONLY, *UI_FLAGS, *(name for flag in GLOBAL_FLAGS for name in flag.names))
    yield f'        "") offered="{" ".join(names)}" ;;'
    for verb in offered():
        names = tuple(name for flag in _flags(verb) for name in flag.names)
        yield f'        "{verb.name}") offered="{" ".join(names)}" ;;'


def _bash_values() -> Iterator[str]:
    flags = {"": GLOBAL_FLAGS, **{verb.name: _flags(verb) for verb in offered()}}
    for verb, taken in flags.items():
        for flag in taken:
            kind = _kind_of_value(flag)
            if kind:
                patterns = "|".join(f'"{verb} {name}"' for name in flag.names)
                yield f'        {patterns}) kind="{kind}" ;;'


def _bash_places() -> Iterator[str]:
    yield f'        "") kind="={" ".join(below(()))}" ;;'
    for words in _groups():
        yield f'        "{" ".join(words)}") kind="={" ".join(below(words))}" ;;'
    for verb in offered():
        kind = _kind_of_place(verb)
        if kind:
            yield f'        "{verb.name}") kind="{kind}" ;;'


def _described(words: tuple[str, ...]) -> str:
    text = next((verb.help for verb in VERBS if verb.words == words), "")
    return f" -d {_quoted(text)}" if text else ""


def _fish_flag(flag: Flag) -> str:
    parts = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names]
    kind = _kind_of_value(flag)
    if kind:
        parts.append(_fish_argument(kind).replace("-a ", "-x -a ", 1))
    return " ".join([*parts, f"-d {_quoted(flag.help)}"])


def _fish_argument(kind: str) -> str:
    if kind.startswith("="):
        return f"-a {_quoted(kind[1:])}"
    if kind in ("file", "directory"):
        function = "__fish_complete_path" if kind == "file" else "__fish_complete_directories"
        return f"-a '({function})'"
    return f"-a '(__launch_tui_names {kind})'"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
