"""Makes the pictures of this folder from real runs: `just screenshots`.

A real agent trains the demo's real job while the real application is looked at: nothing is drawn
for the camera. Ids and losses differ from time to time, so what is compared is not the pictures but
the sources that they were made from: ``sources.sha256`` holds their hash, and a test says when it
is out of date.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE.parent / "launch_tui" / "tui"
HASH = HERE / "sources.sha256"
SIZE = (132, 38)
DEADLINE_S = 300.0

PICTURES = {
    "home": [],
    "run-log": ["enter"],
    "run-metrics": ["right_square_bracket"],
    "compare": ["escape", "slash", *"q:demo state:finished", "enter", "wait:800", "g", "space",
                "j", "space", "c"],
    "run-failed": ["escape", "escape", "escape", "f", "enter"],
    "jobs": ["escape", "f", "2", "g"],
    "launch-form": ["n"],
    "queues": ["escape", "3"],
    "agent": ["4"],
    "help": ["1", "question_mark"],
}  # fmt: skip
"""Picture -> the keys that lead there from the one before it.

The agent's has the table of GPUs where the machine has one.
"""
COMPARED = 2
"""Runs that have trained to their end before they are compared."""


def sources_hash() -> str:
    """Return the hash of everything that decides how the screens look."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES.rglob("*")):
        if path.suffix in (".py", ".tcss"):
            digest.update(str(path.relative_to(SOURCES)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Make all pictures and note what they were made from."""
    with tempfile.TemporaryDirectory(prefix="launch-tui-") as folder:
        home = Path(folder, "data")
        os.environ["LAUNCH_TUI_HOME"] = str(home)
        # The pictures show which interpreter is in use: any machine's, not this one's.
        os.environ["PATH"] = "/usr/bin:/bin"
        agent = _agent(home)
        try:
            asyncio.run(_take(home, _launch(home)))
        finally:
            agent.terminate()
            agent.wait()
    HASH.write_text(sources_hash() + "\n")
    return 0


def _agent(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "launch_tui", "--agent-only", "--home", str(home)],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _launch(home: Path) -> str:
    """Enqueue the demo, a run that fails, and some that wait; return the first one that trains."""
    from launch_tui import demo
    from launch_tui.sdk import Launch
    from launch_tui.sdk.demo import launch_demo

    # Where the package lies on this machine is nobody's business.
    demo.JOB_DIRECTORY = shutil.copytree(demo.JOB_DIRECTORY, home.parent / "digits")
    with Launch(home) as launch:
        launch_demo(launch)
        launch.queues.create("nightly", "local-process", max_running=2)
        launch.queues.pause("nightly")
        broken = home.parent / "eval-suite"
        broken.mkdir()
        (broken / "train.py").write_text("import wandb\n\nwandb.init()\nimport lm_eval_harness\n")
        for words in (["-q", "default"], ["-q", "nightly"]):
            subprocess.run(
                [sys.executable, "-m", "launch_tui", "launch", *words, "--", "python", "train.py"],
                cwd=broken,
                check=True,
                capture_output=True,
            )
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            trained = [run.id for run in launch.runs.list() if _epochs(launch, run.id) >= 14]
            if trained:
                return trained[0]
            time.sleep(0.2)
    raise SystemExit("no run trained in time")


async def _trained(home: Path) -> None:
    """Wait until there are runs to compare."""
    from launch_tui.domain.run import RunState
    from launch_tui.sdk import Launch

    deadline = time.monotonic() + DEADLINE_S
    with Launch(home, read_only=True) as launch:
        while launch.runs.count(queue="demo", states=(RunState.FINISHED,)) < COMPARED:
            if time.monotonic() > deadline:
                raise SystemExit("too few runs were trained in time")
            await asyncio.sleep(0.2)


def _epochs(launch: object, run: str) -> float:
    series = launch.runs.series(run)  # type: ignore[attr-defined]
    if series is None:
        return 0
    with series:
        known = series.keys()
        return max((info.last or 0 for info in known if info.name == "epoch"), default=0)


async def _take(home: Path, trained: str) -> None:
    from launch_tui.tui.app import LaunchApp

    app = LaunchApp(home, host="gpubox")
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(1.0)
        app.screen.go_to(trained)  # type: ignore[attr-defined]
        await pilot.pause(0.6)
        for name, pressed in PICTURES.items():
            if name == "compare":
                await _trained(home)
            await pilot.press(*pressed)
            await pilot.pause(1.5)
            svg = app.export_screenshot(title=f"launch-tui: {name.replace('-', ' ')}")
            (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
