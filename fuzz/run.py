"""Runs the fuzzers under atheris, several at a time: ``just fuzz [seconds] [target…]``.

Each target has a process of its own, under a limit of time for one input and of memory for all.
An input that is a finding lies in ``fuzz/findings`` and is told. A fuzzer that ended in another way
before its time, killed or gone without its figures, found nothing but proves nothing: that is told
as what it is. The exit status is 1 after either.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FINDINGS = ROOT / "fuzz" / "findings"
SECONDS = 60
PER_INPUT_S = 5
MEMORY_MB = 1_024
LONGEST_INPUT = 65_536
AT_ONCE = 2
FUZZER = (sys.executable, __file__, "--one")
_FOUND = {70: "an input takes too long", 71: "an input takes too much memory", 77: "a crash"}
"""libFuzzer's exit statuses for what an input did."""
_NOTHING = "nothing found"


def main(words: list[str]) -> int:
    """Run the named targets, or all, each for so many seconds."""
    if words[:1] == ["--one"]:
        return _fuzz(words[1], words[2:])
    from fuzz.targets import TARGETS

    seconds = int(words.pop(0)) if words and words[0].isdecimal() else SECONDS
    unknown = [word for word in words if word not in TARGETS]
    if unknown:
        print(f"there is no target {unknown[0]}; there are {', '.join(TARGETS)}")
        return 2
    FINDINGS.mkdir(exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        bad = list(pool.map(lambda name: told(name, seconds), words or list(TARGETS)))
    return int(any(bad))


def told(name: str, seconds: int, program: Sequence[str] = FUZZER) -> bool:
    """Fuzz one target in a process of its own, and print what came of it.

    Args:
        name: The target.
        seconds: How long.
        program: What fuzzes; it gets the target, a folder and libFuzzer's flags.

    Returns:
        Whether it ended otherwise than after its time without a finding.
    """
    with tempfile.TemporaryDirectory(prefix="launch-tui-fuzz-") as folder:
        # libFuzzer ends its process without Python's farewell: what the target leaves goes too.
        corpus, room = Path(folder, "corpus"), Path(folder, "tmp")
        corpus.mkdir()
        room.mkdir()
        done = subprocess.run(
            [
                *program, name, str(corpus),
                f"-max_total_time={seconds}", f"-timeout={PER_INPUT_S}",
                f"-rss_limit_mb={MEMORY_MB}", "-len_control=20", f"-max_len={LONGEST_INPUT}",
                f"-artifact_prefix={FINDINGS}/{name}-", "-print_final_stats=1",
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, "TMPDIR": str(room)},
        )  # fmt: skip
    executed = re.findall(r"number_of_executed_units:\s*(\d+)", done.stderr)
    peak = re.findall(r"peak_rss_mb:\s*(\d+)", done.stderr)
    lasted = re.findall(r"^Done \d+ runs in (\d+) second", done.stderr, re.MULTILINE)
    count, memory, took = (found[-1] if found else "?" for found in (executed, peak, lasted))
    outcome = _outcome(done.returncode, complete="?" not in (count, took))
    print(f"{name:<22} {count:>9} executions in {took:>4} s  {memory:>5} MB  {outcome}", flush=True)
    if outcome != _NOTHING:
        print(done.stderr[-3_000:], flush=True)
    return outcome != _NOTHING


def _outcome(status: int, *, complete: bool) -> str:
    """Say how a fuzzer ended: its exit status, and whether it told its figures."""
    if status in _FOUND:
        return f"FINDING: {_FOUND[status]}"
    if status < 0:
        return f"NOT FUZZED TO THE END: killed by {signal.Signals(-status).name}"
    if status or not complete:
        return f"NOT FUZZED TO THE END: it exited with {status}"
    return _NOTHING


def _fuzz(name: str, arguments: list[str]) -> int:
    """Fuzz in this process, until the time is over or there is a finding."""
    import atheris

    with atheris.instrument_imports(include=["launch_tui"]):
        from fuzz import targets
    from fuzz.seeds import SEEDS

    for at, seed in enumerate(SEEDS[name]):
        Path(arguments[0], f"seed-{at}").write_bytes(seed)

    def one_input(data: bytes) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        targets.run(name, data)

    atheris.Setup([sys.argv[0], *arguments], one_input)
    # libFuzzer arms its timer before it has a handler for it. Where the two calls lie seconds
    # apart, on a machine with too much to do, the first alarm would kill without a word.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
