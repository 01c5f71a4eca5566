"""The examples of docs/python.md and docs/submitit-and-hydra.md, run as they stand there.

A ``python`` block under ``<!-- path -->`` is that file; the others are one program, in their order.
What it prints must be what the comments behind its ``print`` say.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wandb_envs import wandb_python

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(
    r"(?:<!-- (?P<file>[\w./]+) -->\n)?```(?P<kind>python|sh)\n(?P<text>.*?)```", re.DOTALL
)
PRINTED = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)


def examples(page):
    """The program of a page, the files it needs, and its shell commands."""
    program, files, commands = [], {}, []
    for found in BLOCK.finditer((DOCS / page).read_text()):
        if found["file"]:
            files[found["file"]] = found["text"]
        elif found["kind"] == "python":
            program.append(found["text"])
        else:
            commands.append(found["text"])
    return "\n".join(program), files, commands


def run_as_it_stands(page, folder, environ):
    """Write a page's files, run its program there, and hold what it prints against its comments."""
    program, files, commands = examples(page)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "example.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", "example.py"],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == PRINTED.findall(program)
    return commands


@pytest.mark.wandb
@pytest.mark.timeout(300)
def test_the_examples_of_the_python_page(running, tmp_path):
    python = wandb_python("newest")
    environ = {
        **os.environ,
        "VIRTUAL_ENV": str(python.parent.parent),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }
    assert run_as_it_stands("python.md", tmp_path, environ) == []


@pytest.mark.timeout(120)
def test_the_examples_of_the_page_on_submitit_and_hydra(running, tmp_path):
    environ = {
        **os.environ,
        "LAUNCH_TUI_QUEUE": "q",
        "SUBMITIT_LOG_LEVEL": "CRITICAL",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    (command,) = run_as_it_stands("submitit-and-hydra.md", tmp_path, environ)
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    listed = running.ok("runs", "--json").json
    assert [run["state"] for run in listed[:2]] == ["finished"] * 2
    assert "lr is 0.2" in running.log(listed[0]["id"])
