from __future__ import annotations

from pathlib import Path

import pytest

from launch_tui.agent.environment import variables_of
from launch_tui.builders import Interpreter
from launch_tui.domain.environment import capture, parse_assignment
from launch_tui.domain.job import CodeSource, Environment, JobKind
from launch_tui.domain.run import Run, RunState
from launch_tui.domain.spec import RunSpec, dump_spec, load_spec
from launch_tui.errors import StartFailed, UsageError
from launch_tui.store.paths import Home


@pytest.fixture
def run():
    return Run(
        id="abcd1234",
        name="n",
        project="p",
        job="j",
        version="v0",
        queue="q",
        resource="local-process",
        state=RunState.BUILDING,
        created_at="",
        directory="",
    )


def spec(**changes):
    return RunSpec(
        kind=JobKind.CODE,
        source=CodeSource(digest="d", path="/x"),
        command=("true",),
        environment=Environment(),
        **changes,
    )


def variables(run, tmp_path, environ, **changes):
    return variables_of(run, spec(**changes), Interpreter(), Home(tmp_path), {"lr": 0.1}, environ)


def test_what_the_submitter_had_decides_about_captured_variables(run, tmp_path):
    got = variables(
        run,
        tmp_path,
        {"PATH": "/agent", "VIRTUAL_ENV": "/agents/venv", "HOME": "/home/me"},
        captured={"PATH": "/mine"},
    )
    assert got["PATH"] == "/mine"
    assert "VIRTUAL_ENV" not in got
    assert got["HOME"] == "/home/me"


def test_a_job_knows_its_run_and_never_the_agents_data_directory(run, tmp_path):
    got = variables(run, tmp_path, {"LAUNCH_TUI_HOME": "/x", "WANDB_SERVICE": "2-1"})
    assert got["LAUNCH_TUI_RUN_ID"] == got["WANDB_RUN_ID"] == "abcd1234"
    assert got["LAUNCH_TUI_RUN_DIR"] == str(tmp_path / "runs" / "abcd1234" / "shared")
    assert got["WANDB_MODE"] == "offline"
    assert "LAUNCH_TUI_HOME" not in got
    assert "WANDB_SERVICE" not in got
    assert 1024 < int(got["MASTER_PORT"]) < 65536


def test_setenv_wins_over_everything_but_references(run, tmp_path):
    got = variables(
        run, tmp_path, {"A": "agent", "B": "secret"}, setenv={"A": "x=y"}, pass_env=("B",)
    )
    assert got["A"] == "x=y"
    assert got["B"] == "secret"


def test_a_secret_comes_from_its_file(run, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "TOKEN").write_text("hunter2\n")
    assert variables(run, tmp_path, {}, secrets=("TOKEN",))["TOKEN"] == "hunter2"


@pytest.mark.parametrize("reference", [{"pass_env": ("NOPE",)}, {"secrets": ("NOPE",)}])
def test_a_missing_reference_fails_the_start_and_names_it(run, tmp_path, reference):
    with pytest.raises(StartFailed, match="NOPE"):
        variables(run, tmp_path, {}, **reference)


def test_capture_takes_the_allow_list_and_no_secrets():
    environ = {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "HF_TOKEN": "hf_x",
        "HF_HOME": "/hf",
        "https_proxy": "http://me:pw@proxy:3128",
        "EDITOR": "vi",
        "MINE": "1",
    }
    assert capture(environ, ["MINE"]) == {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "HF_HOME": "/hf",
        "MINE": "1",
    }


def test_an_assignment_may_hold_anything_after_its_first_equals_sign():
    assert parse_assignment("A=b=c\n") == ("A", "b=c\n")
    for bad in ("A", "1A=x", "=x", "A B=c"):
        with pytest.raises(UsageError, match="--setenv"):
            parse_assignment(bad)


def test_a_spec_comes_back_from_its_json_as_it_was():
    before = spec(
        captured={"PATH": "/ü"},
        setenv={"A": "1\n2"},
        links=("data",),
        secrets=("S",),
        in_place="/x",
    )
    assert load_spec(dump_spec(before)) == before
    assert isinstance(load_spec(dump_spec(before)).source, CodeSource)
    assert Path(before.in_place).is_absolute()
