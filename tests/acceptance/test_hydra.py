"""``hydra/launcher=launch_tui``: a program of Hydra's, the real package, a real agent."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """\
import logging
from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(version_base=None, config_path=None, config_name="config")
def main(cfg):
    job = HydraConfig.get().job
    out = Path(HydraConfig.get().runtime.output_dir)
    logging.getLogger(__name__).info("x is %s", cfg.x)
    (out / "seen").write_text(f"{cfg.x} {cfg.y} {job.num} {job.id}")
    if cfg.x == 13:
        raise ValueError("unlucky")
    return cfg.x * 2

if __name__ == "__main__":
    from hydra.core.config_store import ConfigStore
    ConfigStore.instance().store(name="config", node={"x": 1, "y": "a"})
    main()
"""


@pytest.fixture
def sweep(world, tmp_path):
    """Returns ``sweep(*overrides)``: what a multirun of the program said, and its exit status."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM)

    def run(*overrides):
        return subprocess.run(
            [
                *(sys.executable, "program.py", "--multirun", "hydra/launcher=launch_tui"),
                *("hydra.launcher.queue=q", "hydra.sweep.dir=out", *overrides),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=55,
        )

    run.folder = folder
    return run


def test_a_multirun_is_one_group_of_runs(sweep, running):
    done = sweep("x=3,5", "y=b,c", "hydra.launcher.tags=[sweep]")
    assert done.returncode == 0, done.stderr
    runs = list(reversed(running.ok("runs", "--json").json))
    assert [run["state"] for run in runs] == ["finished"] * 4
    assert {(run["name"], run["queue"], tuple(run["tags"])) for run in runs} == {
        ("program", "q", ("sweep",))
    }
    assert len({run["group"] for run in runs}) == 1
    seen = [(sweep.folder / "out" / str(n) / "seen").read_text() for n in range(4)]
    assert seen == [
        f"{x} {y} {n} {run['id']}"
        for n, ((x, y), run) in enumerate(
            zip([(3, "b"), (3, "c"), (5, "b"), (5, "c")], runs, strict=True)
        )
    ]
    assert f"#0 : run {runs[0]['id']} : x=3 y=b" in done.stdout
    assert "x is 3" in (sweep.folder / "out" / "0" / "program.log").read_text()
    assert (sweep.folder / "out" / "3" / ".hydra" / "overrides.yaml").exists()


def test_a_job_that_raises_fails_its_run_and_the_program(sweep, running):
    done = sweep("x=1,13,2")
    assert done.returncode == 1
    assert "ValueError: unlucky" in done.stderr
    runs = list(reversed(running.ok("runs", "--json").json))
    assert [run["state"] for run in runs] == ["finished", "failed", "finished"]
    assert "unlucky" in runs[1]["cause"]


def test_a_setting_that_is_wrong_is_one_line(sweep, running):
    done = sweep("x=1,2", "hydra.launcher.priority=high")
    assert done.returncode == 1
    assert "priority: queue 'q' has no priorities" in done.stderr
    assert running.ok("runs", "--json").json == []


def test_without_the_launcher_nothing_of_it_is_loaded(sweep):
    code = (
        "import runpy, sys\n"
        "sys.argv = ['program.py', '--multirun', 'hydra.sweep.dir=out', 'x=7']\n"
        "runpy.run_path('program.py', run_name='__main__')\n"
        "assert 'submitit' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=sweep.folder, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert (sweep.folder / "out" / "0" / "seen").read_text() == "7 a 0 0"
