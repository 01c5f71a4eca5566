from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from launch_tui.agent.env_file import parse_env_text
from launch_tui.agent.environment import (
    about_run,
    environment_for,
    expand_resources,
    macro_values,
    variables_of,
)
from launch_tui.builders import Interpreter
from launch_tui.domain.attempt import Attempt
from launch_tui.domain.environment import (
    OF_THE_RUN,
    capture,
    check_own_variable,
    parse_assignment,
)
from launch_tui.domain.job import CodeSource, Environment, JobKind, VenvMode
from launch_tui.domain.macros import MACROS
from launch_tui.domain.run import Run, RunState
from launch_tui.domain.spec import RunSpec, dump_spec, load_spec
from launch_tui.errors import StartFailed, UsageError
from launch_tui.store.paths import Home
from launch_tui.targets.local_process import HANDLE_VARIABLE, LocalProcess
from launch_tui.targets.local_process_keys import LocalProcessConfig, read


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


def test_no_launch_can_say_what_the_agent_says(run, tmp_path):
    got = about_run(run, spec(), Home(tmp_path), {"lr": 1, "m.json:": {"a": "x" * 40_000}})
    ours = {n for n in got if n.startswith(("LAUNCH_TUI_", "WANDB_CONFIG", "WANDB_LAUNCH_FILE"))}
    ours.add(HANDLE_VARIABLE)
    # An empty one is how a job is not listened to.
    ours -= {"LAUNCH_TUI_INPUTS"}
    assert {*OF_THE_RUN, "WANDB_CONFIG", "WANDB_LAUNCH_FILE_OVERRIDES_1"} <= ours
    for name in ours:
        with pytest.raises(UsageError, match=f"x: {name} is "):
            check_own_variable(name, field="x")
    for name in ("LAUNCH_TUI_INPUTS", "LAUNCH_TUI_HOME", "WANDB_MODE", "WANDB_CONFIG_PATHS"):
        assert check_own_variable(name, field="x") == name


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
    (tmp_path / "secrets" / "TOKEN").chmod(0o600)
    assert variables(run, tmp_path, {}, secrets=("TOKEN",))["TOKEN"] == "hunter2"


@pytest.mark.parametrize("reference", [{"pass_env": ("NOPE",)}, {"secrets": ("NOPE",)}])
def test_a_missing_reference_fails_the_start_and_names_it(run, tmp_path, reference):
    with pytest.raises(StartFailed, match="NOPE"):
        variables(run, tmp_path, {}, **reference)


def configured(run, tmp_path, config, environ=None, *, devices=None, attempt=1, **changes):
    return variables_of(
        dataclasses.replace(run, attempt=attempt),
        spec(**changes),
        Interpreter(variables={"VIRTUAL_ENV": "/built"}),
        Home(tmp_path),
        {},
        environ or {},
        resources=config,
        devices=devices,
        working_directory=tmp_path,
    )


def test_who_says_what_a_variable_is(run, tmp_path):
    """Each layer beats all before it: from the agent's environment to the assigned GPUs."""
    (tmp_path / "a.env").write_text("".join(f"V{n}=file\n" for n in range(2, 8)))
    (tmp_path / "b.env").write_text("V3=second file\nVIRTUAL_ENV=file\nWANDB_MODE=online\n")
    config = LocalProcessConfig(
        env_file=("a.env", str(tmp_path / "b.env")),
        env={"V4": "env", "V5": "env", "V6": "env", "WANDB_RUN_ID": "other", "WANDB_X": "kept"},
    )
    got = configured(
        run,
        tmp_path,
        config,
        {"V0": "agent", "V1": "agent", "V2": "agent", "V6": "agent", "CUDA_VISIBLE_DEVICES": "all"},
        devices={"CUDA_VISIBLE_DEVICES": "GPU-1"},
        captured={"V1": "captured", "V2": "captured", "VIRTUAL_ENV": "/mine"},
        setenv={"V5": "set", "V6": "set", "CUDA_VISIBLE_DEVICES": "set"},
        pass_env=("V6",),
    )
    assert [got[f"V{n}"] for n in range(8)] == [
        "agent", "captured", "file", "second file", "env", "set", "agent", "file",
    ]  # fmt: skip
    assert got["VIRTUAL_ENV"] == "file"
    assert (got["WANDB_MODE"], got["WANDB_RUN_ID"], got["WANDB_X"]) == ("offline", run.id, "kept")
    assert got["CUDA_VISIBLE_DEVICES"] == "GPU-1"


def test_a_second_attempt_resumes_and_has_the_same_shared_folder(run, tmp_path):
    first = configured(run, tmp_path, None)
    second = configured(run, tmp_path, None, attempt=2)
    assert "WANDB_RESUME" not in first
    assert second["WANDB_RESUME"] == "allow"
    for name in ("WANDB_RUN_ID", "LAUNCH_TUI_RUN_DIR"):
        assert first[name] == second[name]
    assert first["WANDB_DIR"] != second["WANDB_DIR"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("\n  # only\n\t\n", {}),
        ("A=1\nexport B = two words  # comment\n C=x#y", {"A": "1", "B": "two words", "C": "x#y"}),
        ("A=\nB= # none\nC=#1\nD=''", {"A": "", "B": "", "C": "#1", "D": ""}),
        ("A=a=b==", {"A": "a=b=="}),
        ("A='$x \"y\" \\n'  # c", {"A": '$x "y" \\n'}),
        ('A="a\\nb \\"c\\" \\$d \\\\ \\q # no"', {"A": 'a\nb "c" $d \\ \\q # no'}),
        ("A=$HOME\nB=${HOME}", {"A": "$HOME", "B": "${HOME}"}),
        ("KEY='-----BEGIN\nxyz\n'\nB=1", {"KEY": "-----BEGIN\nxyz\n", "B": "1"}),
        ("A=1\r\nB='2'\r\n", {"A": "1", "B": "2"}),
        ("A=1\nA=2", {"A": "2"}),
        ("export=1\nexport export=2", {"export": "2"}),
        ("A=ü\u2028b", {"A": "ü\u2028b"}),
    ],
)
def test_what_an_env_file_says(text, values):
    assert parse_env_text(text) == values


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        (b"A=1\n\nhunter2 hunter2\n", "line 3: not NAME=value"),
        (b"A=1\n2B=x", "line 2: not NAME=value"),
        (b"A='x\ny'\nB=\"hunter2\nC=1\n", "line 3: the quote is never closed"),
        (b"A=1\nB='x' hunter2", "line 2: more text after the closing quote"),
        (b"A=1\nB=\xff", "line 2: not UTF-8"),
        (b"A=x\0y", "line 1: has a NUL"),
        (b"#" * (1 << 20) + b"#", "larger than 1 MiB"),
    ],
)
def test_an_env_file_that_cannot_be_used_fails_the_start(run, tmp_path, content, problem):
    file = tmp_path / "job.env"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartFailed) as caught:
        configured(run, tmp_path, LocalProcessConfig(env_file=("job.env",)))
    assert str(file) in caught.value.cause
    assert problem in caught.value.cause
    assert "hunter2" not in str(caught.value), "a value is shown"
    assert caught.value.next_step


def test_every_macro_has_a_value_and_only_allowed_variables_do(run):
    environ = {"DATA": "/data", "WANDB_API_KEY": "secret", "run_id": "fake"}
    values = macro_values(
        run, spec(author="me"), ("GPU-a", "GPU-b"), environ, ("DATA", "run_id", "NOT_SET")
    )
    assert set(values) == {*MACROS, "DATA"}
    assert values["run_id"] == run.id
    assert values["gpus"] == "GPU-a,GPU-b"
    assert (values["entity_name"], values["image_uri"], values["author"]) == ("", "", "me")
    resources = {
        "env": {"A": "${DATA}/${run_name}", "${run_id}": "${WANDB_API_KEY}"},
        "setup": ["echo ${run_name}"],
        "gpus": 2,
    }
    assert expand_resources(resources, values) == {
        "env": {"A": "/data/n", "${run_id}": "${WANDB_API_KEY}"},
        "setup": ["echo ${run_name}"],
        "gpus": 2,
    }


BUILT = Environment(python_version="3.9")
USED = Environment(mode=VenvMode.CURRENT, interpreter="/x/bin/python")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_the_python_of_a_queue_goes_before_that_of_the_job(tmp_path):
    assert environment_for(BUILT, "") is BUILT
    assert environment_for(BUILT, "3.12") == Environment(python_version="3.12")
    used = environment_for(BUILT, "/opt/py/bin/python")
    assert used == Environment(mode=VenvMode.PYTHON, interpreter="/opt/py/bin/python")
    assert environment_for(USED, "~/py").interpreter == str(Path("~/py").expanduser())
    python = tmp_path / f"python{VERSION}"
    python.symlink_to(sys.executable)
    found = environment_for(USED, VERSION, {"PATH": str(tmp_path)})
    assert found == Environment(mode=VenvMode.PYTHON, interpreter=str(python))
    with pytest.raises(StartFailed, match=r"Python 3\.2 is not on this machine"):
        environment_for(USED, "3.2", {"PATH": ""})


async def test_a_job_reads_back_its_env_file(run, tmp_path):
    (tmp_path / "job.env").write_text("export A='from the file'\nB=file\n")
    config = read({"env_file": "job.env", "env": {"B": "from ${queue_name}"}})
    config = dataclasses.replace(
        config, env=expand_resources({"env": config.env}, macro_values(run, spec(), (), {}))["env"]
    )
    directory = tmp_path / "runs" / "envfile" / "1"
    directory.mkdir(parents=True)
    attempt = Attempt(
        run_id="envfile",
        number=1,
        directory=directory,
        command=(sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"),
        working_directory=tmp_path,
        environment=configured(run, tmp_path, config),
    )
    target = LocalProcess()
    try:
        await target.prepare(attempt)
        ended = [status async for status in target.watch(await target.start(attempt))][-1]
    finally:
        await target.close()
    log = (directory / "output.log").read_text()
    assert ended.exit_code == 0, log
    told = json.loads(log)
    assert (told["A"], told["B"]) == ("from the file", "from q")


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
