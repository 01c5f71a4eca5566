"""uv's output, turned into the one line that says which package failed and why.

uv prints a chain (``error:`` and ``cause:``, before 0.13 a drawn tree) and below it, when a
package's own build failed, what its build backend printed. Both shapes are read into the same
chain; the first rule that knows it makes the cause, and what no rule knows is shown as uv said it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from launch_tui.builders.package_index import redacted

MAX_CAUSE = 300

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_START = re.compile(r"^(?:error: | {0,2}\u00d7 )")
_LINK = re.compile(r"^(?:error: | {0,2}\u00d7 |\s*(?:cause|Caused by): |\s*[├╰]─▶ )")
_END = re.compile(r"^(?:hint: |help: |warning: )")
_STREAM = re.compile(r"^\s*(?:\[(?:stderr|stdout)\]|--- (?:stderr|stdout))$")
_TELLING = re.compile(r"(?:^|\W)(?:\w*(?:Error|Exception)|[Ee]rror|fatal): ")
_WRAPPER = re.compile(r"^error: (?:Command|command|subprocess)")

_CHECK_NAME = "Check the name and the package index (pip.conf, UV_INDEX)"
_CHECK_NETWORK = "Check the network, the proxy and the package index (pip.conf, UV_INDEX)"
_FREE_SPACE = "Free some space, e.g. with `launch-tui env prune`, and rerun"
_CHANGE_PYTHON = "Create the job with another Python (`-r 3.X`) or ask for another version"
_SEE_LOG = "See the build log for all that it printed"


@dataclass(frozen=True, slots=True)
class _Output:
    """What uv said: its chain of causes as one line each, and the lines of a build backend."""

    chain: list[str]
    details: list[str]

    @property
    def text(self) -> str:
        return "; ".join(self.chain)


def explain(output: str, status: int) -> tuple[str, str]:
    """Return the cause and the next step of a failed uv command.

    Args:
        output: What uv printed, all of it.
        status: Its exit status; 128 + N when signal N ended it.
    """
    parsed = _parse(_ANSI.sub("", output))
    for rule in _RULES:
        found = rule(parsed)
        if found is not None:
            return _one_line(found[0]), found[1]
    if status > 128:
        return f"uv was ended by signal {status - 128}", "Is the machine out of memory?"
    return _one_line(parsed.text or f"uv ended with status {status}"), _SEE_LOG


def is_error(line: str) -> bool:
    """Whether uv's account of what failed begins with this line."""
    return _START.match(line) is not None


def _parse(output: str) -> _Output:
    lines = output.splitlines()
    starts = [number for number, line in enumerate(lines) if _START.match(line)]
    result = _Output([], [])
    in_details = False
    for line in lines[starts[-1] :] if starts else []:
        if _END.match(line):
            break
        link = _LINK.match(line)
        if link is not None and not (in_details and line.startswith("error: ")):
            result.chain.append(line[link.end() :].strip())
            in_details = False
        elif in_details or _STREAM.match(line):
            in_details = True
            result.details.append(line.strip())
        elif line.strip(" │"):
            result.chain[-1] += " " + line.strip(" │")
    return result


def _no_space(output: _Output) -> tuple[str, str] | None:
    text = output.text + " ".join(output.details)
    if "No space left on device" not in text and "os error 28" not in text:
        return None
    package = re.search(r"Failed to install: .*?\(([^)]+)\)", output.text)
    doing = f"installing {package[1]}" if package is not None else "making the environment"
    return f"no space left on the disk while {doing}", _FREE_SPACE


def _backend(output: _Output) -> tuple[str, str] | None:
    failed = re.search(
        r"(?:Failed to (?:download and )?build|Failed to prepare) `([^`]+)`", output.text
    )
    if failed is None and not re.search(r"[Bb]uild backend", output.text):
        return None
    package = failed[1].partition(" @ ")[0] if failed is not None else "a local project"
    reason = _telling_line(output.details) or output.chain[-1]
    return f"{package}: its build failed: {reason}", _SEE_LOG


def _telling_line(details: list[str]) -> str:
    lines = [line for line in details if line and not _STREAM.match(line)]
    telling = [line for line in lines if _TELLING.search(line) and not _WRAPPER.match(line)]
    return next(reversed(telling or lines), "")


def _unknown_package(output: _Output) -> tuple[str, str] | None:
    match = re.search(r"(\S+) was not found in ", output.text)
    if match is None:
        return None
    return f"{match[1]}: there is no such package on the index", _CHECK_NAME


def _unknown_version(output: _Output) -> tuple[str, str] | None:
    match = re.search(r"[Bb]ecause there is no version of (([\w.\-]+)\S*)", output.text)
    if match is None:
        return None
    return f"{match[2]}: there is no version {match[1]}", "Ask for a version that exists"


def _too_few_versions(output: _Output) -> tuple[str, str] | None:
    match = re.search(
        r"[Bb]ecause (only (\w[\w.\-]*)\S* (?:is|are) available.*?), we can conclude", output.text
    )
    if match is None:
        return None
    return f"{match[2]}: {match[1]}", "Ask for a version that exists"


def _no_wheel(output: _Output) -> tuple[str, str] | None:
    match = re.search(r"(\S+) has no wheels with a matching (.+?) tag", output.text)
    if match is None:
        return None
    what = "this platform" if "platform" in match[2] else "this Python version"
    return f"{match[1]} has no build for {what}", _CHANGE_PYTHON


def _wrong_python(output: _Output) -> tuple[str, str] | None:
    needs = re.search(r"(\S+) depends on (Python\S+?),? (?:and|we)", output.text)
    if needs is not None and "does not satisfy Python" in output.text:
        return f"{needs[1]} needs {needs[2]}", _CHANGE_PYTHON
    if "incompatible with the project's Python requirement" in output.text:
        return output.text, _CHANGE_PYTHON
    return None


def _conflict(output: _Output) -> tuple[str, str] | None:
    reasons = re.findall(r"[Bb]ecause (.+?), we can conclude", output.text)
    if not reasons:
        return None
    return f"the requirements conflict: {'; '.join(reasons)}", "Loosen one of these"


def _git(output: _Output) -> tuple[str, str] | None:
    if "Git operation failed" not in output.text and "git fetch" not in output.text:
        return None
    address = re.search(r"(?:https?|ssh|git|file)://[^\s'`;,]+", output.text)
    reason = _telling_line(output.details) or output.chain[-1]
    subject = address[0] if address is not None else "a git requirement"
    return f"{subject}: cannot be fetched: {reason}", "Check its address and your git access"


def _refused(output: _Output) -> tuple[str, str] | None:
    match = re.search(r"\(?(401 Unauthorized|403 Forbidden)\)?", output.text)
    if match is None:
        return None
    where = f"{_address(output)} answered {match[1]}"
    return where, "Check the package index's credentials (pip.conf, netrc, UV_INDEX)"


def _unreachable(output: _Output) -> tuple[str, str] | None:
    if not re.search(
        r"error sending request|dns error|[Cc]onnection (?:refused|reset)|timed out|"
        r"Network is unreachable|offline|network was disabled",
        output.text,
    ):
        return None
    return f"{_address(output)} cannot be reached: {output.chain[-1]}", _CHECK_NETWORK


def _address(output: _Output) -> str:
    match = re.search(r"https?://[^\s`);,]+", output.text)
    return match[0] if match is not None else "the package index"


def _one_line(text: str) -> str:
    line = " ".join(redacted(text).split()).rstrip(".")
    return line if len(line) <= MAX_CAUSE else line[: MAX_CAUSE - 1] + "…"


# The most telling first: a full disk also fails downloads, a failed build also a resolution.
_RULES = (
    _no_space,
    _git,
    _backend,
    _refused,
    _unreachable,
    _unknown_package,
    _unknown_version,
    _no_wheel,
    _wrong_python,
    _too_few_versions,
    _conflict,
)
