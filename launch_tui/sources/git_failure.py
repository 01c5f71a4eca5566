"""What a failed git command said, as one line without credentials, and what can be done about it.

git and ssh explain themselves in several lines, the remote's own words among them, and the reason
is seldom the last one. The words matched here are git's own in the C locale, which GitPython sets.
"""

from __future__ import annotations

import re

_LOGIN = re.compile(r"(?<=://)[^/\s@'\"]+@")
_PREFIX = re.compile(r"^(?:(?:remote|fatal|error|ERROR): *)+")
_BOILERPLATE = re.compile(
    r"Could not read from remote repository|Please make sure you have|and the repository exists"
    r"|the remote end hung up|early EOF|^\s*$|^warning:|^hint:|^Warning: Permanently added"
)
_NEXT_STEPS = (
    (
        r"could not resolve host|name or service not known",
        "Check the host's name and this machine's network",
    ),
    (
        r"could not read (username|password)|authentication failed|permission denied"
        r"|prompts disabled|access denied|HTTP 40[13]|error: 40[13]",
        "It needs authentication, or does not exist: set up git's credential helper or an ssh "
        "key, so that `git ls-remote` of it works without asking",
    ),
    (r"host key verification failed", "Connect to the host with ssh once, to accept its key"),
    (
        r"dubious ownership",
        "The repository belongs to another user; if you trust it: git config --global "
        "--add safe.directory PATH",
    ),
    (r"transport '.*' not allowed", "Your git configuration rewrites it to a refused transport"),
    (
        r"connection (refused|timed out|reset)|failed to connect|couldn't connect|took longer",
        "Check that the host can be reached from this machine, and try again",
    ),
    (r"not found|not appear to be a git repository|does not exist", "Check the address"),
    (r"no space left", "Free some space on the disk of the data directory"),
)


class GitFailed(Exception):
    """A git command failed. ``reason`` is one line without credentials; ``text`` is all of stderr.

    Never leaves ``sources``: the callers turn it into an error of the tree.
    """

    def __init__(self, text: str) -> None:
        self.text = _LOGIN.sub("", text)
        self.reason = _reason(self.text)
        super().__init__(self.reason)

    @property
    def next_step(self) -> str:
        """What the person can do about it, or an empty text."""
        for pattern, step in _NEXT_STEPS:
            if re.search(pattern, self.text, re.IGNORECASE):
                return step
        return ""


def _reason(text: str) -> str:
    """Pick the line that says why: git's first ``fatal``, else what stands before its epilogue."""
    lines = [line for line in text.splitlines() if not _BOILERPLATE.search(line)]
    fatal = [line for line in lines if line.startswith("fatal:")]
    chosen = fatal[0] if fatal else (lines[-1] if lines else "git gave no reason")
    shown = "".join(c if c.isprintable() else " " for c in _PREFIX.sub("", chosen))
    return shown.strip().rstrip(".") or "git gave no reason"
