from __future__ import annotations

import sys
from pathlib import Path

import pytest

from launch_tui.builders.none import existing_interpreter
from launch_tui.domain.job import VenvMode
from launch_tui.errors import BuildFailed


async def test_no_environment_changes_nothing(site):
    built = await site.build(site.folder(), mode=VenvMode.NONE)
    assert built.environ({"PATH": "/bin", "VIRTUAL_ENV": "/v"}) == {
        "PATH": "/bin",
        "VIRTUAL_ENV": "/v",
    }
    assert built.command(["python", "a.py"]) == ("python", "a.py")
    assert not site.envs.exists()


async def test_existing_interpreter_is_used_as_it_is(site):
    built = await site.build(site.folder(), mode=VenvMode.CURRENT, interpreter=sys.executable)
    assert built.command(["python", "a.py"]) == (sys.executable, "a.py")
    assert built.command(["torchrun", "a.py"]) == ("torchrun", "a.py")
    assert not site.envs.exists()


def environment_at(prefix, marker):
    (prefix / "bin").mkdir(parents=True)
    (prefix / marker).touch() if marker.endswith("cfg") else (prefix / marker).mkdir()
    return prefix / "bin" / "python"


def test_virtual_environment_is_activated(tmp_path):
    python = environment_at(tmp_path / "venv", "pyvenv.cfg")
    given = {"PATH": "/bin", "VIRTUAL_ENV": "/other", "PYTHONHOME": "/x", "CONDA_PREFIX": "/c"}
    assert existing_interpreter(python).environ(given) == {
        "PATH": f"{python.parent}:/bin",
        "VIRTUAL_ENV": str(tmp_path / "venv"),
        "CONDA_PREFIX": "/c",
    }


def test_conda_environment_is_activated(tmp_path):
    python = environment_at(tmp_path / "torch", "conda-meta")
    assert existing_interpreter(python).environ({"PATH": "/bin", "VIRTUAL_ENV": "/other"}) == {
        "PATH": f"{python.parent}:/bin",
        "CONDA_PREFIX": str(tmp_path / "torch"),
        "CONDA_DEFAULT_ENV": "torch",
    }


def test_system_interpreter_leaves_path_alone():
    interpreter = existing_interpreter(Path("/usr/bin/python3"))
    path = "/opt/cuda/bin:/usr/bin"
    assert interpreter.environ({"PATH": path, "VIRTUAL_ENV": "/agent"}) == {"PATH": path}
    assert interpreter.command(["python3", "a.py"]) == ("/usr/bin/python3", "a.py")


@pytest.mark.parametrize(
    ("text", "mode", "cause"),
    [
        (None, 0, "no such interpreter"),
        ("#!/bin/sh\n", 0o644, "cannot be executed"),
        ("#!/bin/sh\necho missing libpython >&2; exit 127\n", 0o755, "missing libpython"),
        ("#!/nowhere/python\n", 0o755, "cannot be executed"),
    ],
)
async def test_unusable_interpreter_fails_the_build(site, text, mode, cause):
    python = site.root / "python"
    if text is not None:
        python.write_text(text)
        python.chmod(mode)
    with pytest.raises(BuildFailed, match=cause):
        await site.build(site.folder(), mode=VenvMode.PYTHON, interpreter=str(python))
