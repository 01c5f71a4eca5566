"""Runs the fuzzers under atheris, several at a time: ``just fuzz [seconds] [target…]``.

Each target has a process of its own, under a limit of time for one input and of memory for all.
An input that is a finding lies in ``fuzz/findings`` and is told; the exit status is 1 then.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FINDINGS = ROOT / "fuzz" / "findings"
SECONDS = 60
PER_INPUT_S = 5
MEMORY_MB = 1_024
LONGEST_INPUT = 65_536
AT_ONCE = 2


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
        bad = list(pool.map(lambda name: _told(name, seconds), words or list(TARGETS)))
    return int(any(bad))


def _told(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; say what came of it and whether it is a finding."""
    with tempfile.TemporaryDirectory(prefix="launch-tui-fuzz-") as folder:
        # libFuzzer ends its process without Python's farewell: what the target leaves goes too.
        corpus, room = Path(folder, "corpus"), Path(folder, "tmp")
        corpus.mkdir()
        room.mkdir()
        done = subprocess.run(
            [
                sys.executable, __file__, "--one", name, str(corpus),
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
    count, memory = (found[-1] if found else "?" for found in (executed, peak))
    outcome = "nothing found" if done.returncode == 0 else f"FINDING, status {done.returncode}"
    print(f"{name:<22} {count:>9} executions  {memory:>5} MB  {outcome}", flush=True)
    if done.returncode:
        print(done.stderr[-3_000:], flush=True)
    return done.returncode != 0


def _fuzz(name: str, arguments: list[str]) -> int:
    """Fuzz in this process, until the time is over or there is a finding."""
    import atheris

    with atheris.instrument_imports(include=["launch_tui"]):
        from fuzz import targets
    from fuzz.seeds import SEEDS

    for at, seed in enumerate(SEEDS[name]):
        Path(arguments[0], f"seed-{at}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *arguments], lambda data: targets.run(name, data))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
