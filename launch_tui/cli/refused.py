"""What the command line's contract has and this version does not do: refused, never ignored.

One table, from the verb and flag to what it is for. A verb that begins with the entry's verb is
meant too: ``job create`` stands for ``job create code`` and ``job create git``.
"""

from __future__ import annotations

from launch_tui.errors import NotAvailable

REFUSED: dict[str, str] = {
    "job import": "takes over job definitions of W&B",
    "prune": "removes the directories of old runs",
    "backup": "writes a copy of the data directory",
    "restore": "brings a copy of the data directory back",
    "fsck": "checks the data directory and repairs it",
}


def check_verb(words: list[str]) -> None:
    """Raise NotAvailable when the words begin with a verb that is refused."""
    for depth in (1, 2, 3):
        name = " ".join(words[:depth])
        if name in REFUSED:
            raise refusal(name, REFUSED[name])


def check_flag(verb: str, flag: str) -> None:
    """Raise NotAvailable when a verb's flag is refused.

    Args:
        verb: The verb's words.
        flag: The flag as it was typed; ``=value`` or a value right after a short flag is ignored.
    """
    name = flag.partition("=")[0]
    # A run that is enqueued again takes the flags of a launch.
    prefix = "launch" if verb == "rerun" else verb
    for entry, purpose in REFUSED.items():
        owner, dash, names = entry.partition(" -")
        if not dash or not f"{prefix} ".startswith(f"{owner} "):
            continue
        for refused in f"-{names}".split(", "):
            is_short = len(refused) == 2
            if name == refused or (is_short and name[:2] == refused and name[1] != "-"):
                raise refusal(refused, purpose)


def refusal(name: str, purpose: str) -> NotAvailable:
    """Return the error for something that is not built yet."""
    return NotAvailable(name, f"not available yet ({purpose})")
