"""What a container runs first: a few lines of shell that take the token and become the job.

The token is taken in a folder of the attempt that is mounted, so that taking it is one act on this
machine's disk, whoever started the container and however often. The output goes into the mounted
log: every byte in its order, whatever becomes of the agent and the engine. Then the shell is
replaced by the command: pid, signals and exit status are the job's own. A command that cannot be
executed is noted beside the token, in the words that are used of a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.targets.container_mounts import INSIDE

if TYPE_CHECKING:
    from pathlib import Path

SHELL = "/bin/sh"
TOKEN_FOLDER = "token"
"""The folder of an attempt that its container writes the token into."""
LOG = "output.log"
NOT_STARTED, AGAIN = "not_started", "again"
"""Beside the token: why the command could not be executed, and that the token was taken already."""

LONGEST_NOTE = 4096

TAKEN, UNABLE = 96, 97
"""What the launcher ends with when the token is taken, and when it cannot write where it must."""
NOT_EXECUTABLE, NOT_FOUND = 126, 127
HOOK_VARIABLE, INPUTS_VARIABLE = "LAUNCH_TUI_HOOK", "LAUNCH_TUI_INPUTS"
"""The folder that goes first on PYTHONPATH, unless the second is empty (``tracking.declared``)."""
GROUP_VARIABLE = "TINI_KILL_PROCESS_GROUP"
"""Has Docker's init hand signals to all of the job's process group, as a terminal would."""

SCRIPT = f"""\
_lt={INSIDE}
_lt_why=
_lt_end() {{
  trap - EXIT
  printf '%s\\n' "launch_tui: $2"
  printf '%s\\n' "$2" >"$_lt/{TOKEN_FOLDER}/{NOT_STARTED}"
  exit "$1"
}}
_lt_failed() {{
  if [ "$1" -eq {NOT_FOUND} ]; then _lt_end {NOT_FOUND} "$2: no such interpreter"; fi
  _lt_end {NOT_EXECUTABLE} "cannot execute $2"
}}
case $1 in
*/*) _lt_found=$1 ;;
*)
  _lt_found=
  IFS=:
  set -f
  for _lt_each in $PATH; do
    if [ -f "${{_lt_each:-.}}/$1" ]; then
      _lt_found=${{_lt_each:-.}}/$1
      if [ -x "$_lt_found" ]; then break; fi
    fi
  done
  set +f
  unset IFS
  ;;
esac
if [ ! -e "$_lt_found" ]; then
  _lt_status={NOT_FOUND} _lt_why="command not found: $1"
elif [ -d "$_lt_found" ] || [ ! -x "$_lt_found" ]; then
  _lt_status={NOT_EXECUTABLE} _lt_why="permission denied: $1"
fi
(: >>"$_lt/{LOG}") || exit {UNABLE}
set -C
if ! (: >"$_lt/{TOKEN_FOLDER}/started") 2>/dev/null; then
  if [ -e "$_lt/{TOKEN_FOLDER}/started" ]; then
    (: >"$_lt/{TOKEN_FOLDER}/{AGAIN}") 2>/dev/null
    exit {TAKEN}
  fi
  (: >"$_lt/{TOKEN_FOLDER}/started")
  exit {UNABLE}
fi
set +C
exec >>"$_lt/{LOG}" 2>&1
if [ -n "$_lt_why" ]; then _lt_end "$_lt_status" "$_lt_why"; fi
unset {GROUP_VARIABLE}
if [ -n "${{{HOOK_VARIABLE}-}}" ]; then
  if [ -n "${{{INPUTS_VARIABLE}-}}" ]; then
    PYTHONPATH=${HOOK_VARIABLE}${{PYTHONPATH:+:$PYTHONPATH}}
    export PYTHONPATH
  fi
  unset {HOOK_VARIABLE}
fi
shopt -s execfail 2>/dev/null
trap '_lt_failed "$?" "$1"' EXIT
exec "$@"
_lt_failed "$?" "$1"
"""


def why_not_started(directory: Path) -> str:
    """Return why the command of an attempt could not be executed; empty when it could."""
    note = directory / TOKEN_FOLDER / NOT_STARTED
    try:
        with note.open("rb") as file:
            text = file.read(LONGEST_NOTE).decode("utf-8", "replace")
    except OSError:
        return ""
    # A full disk leaves the note empty.
    return " ".join(text.split()) or "the command could not be executed"
