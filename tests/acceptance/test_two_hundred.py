"""More than two hundred bad inputs: one line that names the field, exit status 2, nothing changed.

Each row of the table is one rule of one field. It goes through the command line, and where the SDK
or a form of the UI has the field, through these too: what one of the three refuses, all refuse.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from launch_tui.cli.program import main
from launch_tui.domain.job import JobKind
from launch_tui.domain.words import parse_assignments
from launch_tui.errors import UsageError
from launch_tui.sdk import Launch, LaunchRequest
from launch_tui.sdk.importing import ImportRequest
from launch_tui.sdk.jobs import JobRequest
from launch_tui.tui.app import LaunchApp
from launch_tui.tui.form_fields import Field, read_field
from launch_tui.tui.launch_model import for_job
from launch_tui.tui.screens.new_job import NewJob
from launch_tui.tui.screens.new_queue import NewQueue
from launch_tui.tui.widgets.field_row import FieldRow


class Bad(NamedTuple):
    """A command line that is wrong in one way: which field its line names, and which rule.

    In all three ``{at}`` is the folder of the test, ``{waiting}`` and ``{ended}`` the ids of two
    runs. A rule that ends in ``…`` is the beginning of what is told.
    """

    words: tuple[str, ...]
    field: str
    rule: str


def unpacked(text):
    """A text of the table, with ``{1000 times x}`` written out."""
    return re.sub(r"\{(\d+) times (.+?)\}", lambda m: m[2] * int(m[1]), text, flags=re.DOTALL)


TABLE_FILE = Path(__file__).with_name("two_hundred.jsonl")
LINES = [
    json.loads(line) for line in TABLE_FILE.read_text("utf-8", "surrogatepass").split("\n") if line
]
TABLE = tuple(
    Bad(tuple(map(unpacked, words)), field, rule)
    for field, rule, *words in (line for line in LINES if isinstance(line, list))
)
FILES = {
    line["file"]: unpacked(line["latin1"]).encode("latin-1")
    for line in LINES
    if isinstance(line, dict)
}
STRICT = {
    "type": "object",
    "properties": {
        "lr": {"type": "number", "maximum": 1},
        "n": {"type": "integer"},
        "opt": {"enum": ["a", "b"]},
    },
    "additionalProperties": False,
}
HOLE = {"g": {"schema": {"type": "integer", "minimum": 1, "maximum": 2, "default": 1}}}
UNTOUCHED = ("runs", "repos", "envs", "tmp", "secrets")
"""Not the blobs of a snapshot whose job was refused afterwards: no row knows of them."""

REQUEST = {
    "--name": ("name", str), "-p": ("project", str), "-e": ("entity", str), "--note": ("note", str),
    "--tag": ("tags", lambda text: (text,)), "-E": ("entry_point", str), "-q": ("queue", str),
    "--pass-env": ("pass_env", lambda text: (text,)), "-P": ("priority", str),
    "--secret": ("secrets", lambda text: (text,)), "--begin": ("begin", str),
    "--link": ("links", lambda text: (text,)), "--after": ("after", lambda text: (text,)),
    "--retries": ("retries", int), "--retry-on": ("retry_on", lambda text: tuple(text.split(","))),
    "-D": ("dockerfile", str), "-B": ("base_image", str), "-d": ("image", str),
    "-R": ("resource_args", json.loads),
    "--setenv": ("setenv", lambda text: dict([text.split("=", 1)])),
    "-v": ("template_variables", lambda text: dict([text.split("=", 1)])),
    "--tracking": ("tracking", str),
}  # fmt: skip
"""The field of a ``LaunchRequest`` that a flag fills, and how."""
JOB = {
    "-n": ("name", str), "-E": ("entry_point", str), "-a": ("aliases", lambda text: (text,)),
    "-r": ("python_version", str), "-d": ("description", str), "--python": ("python", str),
    "--venv": ("venv", str), "-B": ("base_image", str), "-D": ("dockerfile", str),
    "-b": ("context", str), "--link": ("links", lambda text: (text,)), "-g": ("ref", str),
    "--tracking": ("tracking", str), "--schema": ("inputs", json.loads),
}  # fmt: skip
QUEUE = {
    "-r": ("resource", str), "--max-running": ("max_running", int), "--tracking": ("tracking", str),
    "--on-reboot": ("on_reboot", str), "-c": ("config", json.loads),
    "--template-variables": ("template_variables", json.loads),
}  # fmt: skip
FORM = {
    "--name": "name", "-p": "project", "--note": "note", "--tag": "tags", "-E": "entry_point",
    "--setenv": "setenv", "-P": "priority", "--begin": "begin", "--after": "after",
    "--retries": "retries", "--retry-on": "retry_on", "--backoff": "backoff", "-R": "resource_args",
    "--gpus": "args.gpus", "--gpu-memory": "args.gpu_memory", "--cpus": "args.cpus",
    "--memory": "args.memory", "--timeout": "args.timeout", "--param": "params",
}  # fmt: skip
"""The field of the launch form that takes what a flag takes."""
QUEUE_FORM = {
    "--max-running": "max_running", "-c": "config", "--template-variables": "template_variables",
}  # fmt: skip
JOB_FORM = {
    "-n": "name", "-E": "entry_point", "-d": "description", "-r": "python_version",
    "--python": "python", "-B": "base_image", "-D": "dockerfile", "-b": "context",
    "--link": "links", "-g": "ref",
}  # fmt: skip
IMPORT = {
    "--files": ("files", str), "-n": ("name", str), "-a": ("aliases", lambda text: (text,)),
    "-d": ("description", str), "--venv": ("venv", str), "--python": ("python", str),
    "--tracking": ("tracking", str),
}  # fmt: skip


def named(row):
    """The name of a row's test: short, and never with what a terminal would act on."""
    return re.sub(r"[^A-Za-z0-9.,:/=-]+", "_", f"{row.field[:40]}-{row.rule[:60]}")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data directory with a job of each kind, queues of two targets, and two runs."""
    root = tmp_path_factory.mktemp("two-hundred")
    folder = root / "proj"
    (folder / "empty").mkdir(parents=True)
    (folder / "train.py").write_text("print(1)\n")
    (root / "in").mkdir()
    for name, data in FILES.items():
        (root / "in" / name).write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAUNCH_TUI_HOME", str(root / "home"))
        patch.chdir(folder)
        setup = (
            ("job", "create", "code", ".", "--venv", "none"),
            ("job", "create", "code", ".", "--venv", "none", "-n", "strict", "--schema",
             json.dumps(STRICT)),
            ("job", "create", "image", "alpine:3", "-n", "img"),
            ("queue", "create", "prio", "-r", "process", "--prioritize", "-c",
             '{"cpus": "{{g}}"}', "--template-variables", json.dumps(HOLE)),
            ("queue", "create", "box", "-r", "docker"),
            ("queue", "create", "spare", "-r", "process"),
            ("launch", "proj", "-q", "default"),
            ("launch", "proj", "-q", "default"),
            ("cancel", "@"),
            ("hold", "@~1"),
            ("release", "@~1"),
        )  # fmt: skip
        for words_of in setup:
            assert main(list(words_of)) == 0
        with Launch() as launch:
            ended, waiting = (run.id for run in launch.runs.list())
        yield {"{at}": str(root), "{ended}": ended, "{waiting}": waiting}


@pytest.fixture
def place(made, private_home, monkeypatch):
    """The marks of the table and what they stand for; this process works in that folder."""
    monkeypatch.setenv("LAUNCH_TUI_HOME", f"{made['{at}']}/home")
    monkeypatch.chdir(f"{made['{at}']}/proj")
    return made


@pytest.fixture
def state(place):
    """Returns ``state()``: all rows of the store, and the names of all files beside it."""
    home = Path(place["{at}"], "home")
    (database,) = home.glob("*.db")

    def read():
        with sqlite3.connect(database) as connection:
            rows = list(connection.iterdump())
        return rows, sorted(p for name in UNTOUCHED for p in (home / name).rglob("*"))

    return read


def filled(text, place):
    for mark, value in place.items():
        text = text.replace(mark, value)
    return text


def as_told(row, place):
    return filled(f"{row.field}: {row.rule}", place)


def agrees(line, told):
    return line.startswith(told[:-1]) if told.endswith("…") else line == told


def test_there_are_two_hundred_and_no_two_are_the_same():
    rules = {(row.field, re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "", row.rule)) for row in TABLE}
    assert len(TABLE) >= 200
    assert len(rules) >= 200
    assert len({(row.field, row.rule) for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=named)
def test_the_command_line_refuses_it(row, place, state, capsys):
    before = state()
    capsys.readouterr()
    status = main([filled(word, place) for word in row.words])
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert agrees(err.removeprefix("launch-tui: ").rstrip("\n"), as_told(row, place))
    assert state() == before


def values_of(words_given, fields):
    """What flags mean as arguments of the SDK; None where one of them has no such argument."""
    found = {}
    rest = iter(words_given)
    for word in rest:
        if word not in fields:
            return None
        name, read = fields[word]
        text = next(rest, None)
        try:
            if text is None or name in found:
                return None
            found[name] = read(text)
        except (ValueError, RecursionError):
            return None
    if any(isinstance(value, list) for value in found.values()):
        return None
    return found


def words_call(given):
    """The call that ``key=value`` words stand for: what they give is checked by all."""
    if given[:2] != ["launch", "proj"] or not all("=" in word for word in given[2:]):
        return None
    try:
        config = parse_assignments(given[2:])
    except UsageError:
        return None
    return lambda launch: launch.launch(LaunchRequest(job="proj", config=config))


def import_call(given):
    """The call that ``job import`` stands for."""
    if given[:2] != ["job", "import"] or len(given) < 3 or "" in given:
        return None
    values = values_of(given[3:], IMPORT)
    if values is None:
        return None
    request = ImportRequest(place=given[2], **values)
    return lambda launch: launch.jobs.import_wandb(request)


def sdk_call(row, place):
    """The call of the SDK that a row's words stand for; None where there is none."""
    given = [filled(word, place) for word in row.words]
    if "given twice" in row.rule or "an empty kind" in row.rule:
        # What a Python caller cannot write: an object with a key twice, a text to be split.
        return None
    if given[:1] == ["launch"] and given[1:2] in (["proj"], ["strict"], ["img"]):
        values = values_of(given[2:], REQUEST)
        if values is not None and "" not in given:
            request = LaunchRequest(**{"job": given[1], **values})
            return lambda launch: launch.launch(request)
    if (call := words_call(given) or import_call(given)) is not None:
        return call
    if given[:3] in (["job", "create", kind] for kind in ("code", "git", "image")):
        values = values_of(given[4:], JOB)
        if values is not None and "" not in given:
            request = JobRequest(place=given[3], kind=JobKind(given[2]), **values)
            return lambda launch: launch.jobs.create(request)
    if given[:2] == ["queue", "create"] and len(given) > 4:
        values = values_of(given[3:], QUEUE)
        if (
            values is not None
            and "" not in given
            and all(
                isinstance(values.get(key, {}), dict) for key in ("config", "template_variables")
            )
        ):
            return lambda launch: launch.queues.create(given[2], **values)
    return None


def in_form(row):
    """Say whether the launch form has the field that a row is about: an empty one is not filled."""
    given, flags = row.words[:2], row.words[2:]
    of_a_job = given in (("launch", "proj"), ("launch", "strict"))
    return of_a_job and len(flags) == 2 and flags[0] in FORM and flags[1] != ""


def typed(words_given, fields):
    """What is typed into which field of a form; None where a flag has no field or no value."""
    if len(words_given) % 2 or len(set(words_given[::2])) < len(words_given) / 2:
        return None
    found = dict(zip(words_given[::2], words_given[1::2], strict=True))
    if not all(flag in fields and text for flag, text in found.items()):
        return None
    return {fields[flag]: text for flag, text in found.items()}


def in_queue_form(row):
    """What a row's words are in the form of a new queue; None where it has no such field.

    A document is typed into the form itself, so what is wrong with a file is not for it.
    """
    given = row.words
    if given[:2] != ("queue", "create") or len(given) < 5 or given[3] != "-r" or not given[2]:
        return None
    texts = typed(given[5:], QUEUE_FORM)
    documents = [texts[key] for key in ("config", "template_variables") if texts and key in texts]
    if given[4] != "process" or texts is None or not all(text[0] == "{" for text in documents):
        return None
    return {"name": given[2], **texts}


def in_job_form(row):
    """What a row's words are in the form of a new job; None where it has no such field."""
    given = row.words
    if given[:2] != ("job", "create") or len(given) < 4 or not given[3]:
        return None
    texts = typed(given[4:], JOB_FORM)
    place = {"code": "", "git": "", "image": "image:"}.get(given[2])
    if texts is None or place is None or (given[2] == "git" and "://" not in given[3]):
        return None
    return {"place": f"{place}{given[3]}", **texts}


QUEUE_FORM_TABLE = [row for row in TABLE if in_queue_form(row)]
JOB_FORM_TABLE = [row for row in TABLE if in_job_form(row)]
SDK_TABLE = [row for row in TABLE if sdk_call(row, {})]
FORM_TABLE = [row for row in TABLE if in_form(row)]


def test_much_of_the_table_is_for_sdk_and_form_too():
    assert len(SDK_TABLE) >= 120
    assert len(FORM_TABLE) >= 50
    assert len(QUEUE_FORM_TABLE) >= 50
    assert len(JOB_FORM_TABLE) >= 25


@pytest.mark.parametrize("row", SDK_TABLE, ids=named)
def test_the_sdk_refuses_it_where_it_has_the_field(row, place, state):
    call = sdk_call(row, place)
    before = state()
    with Launch() as launch, pytest.raises(UsageError) as caught:
        call(launch)
    assert str(caught.value).count("\n") == 0
    assert caught.value.field
    assert state() == before


@pytest.mark.parametrize("row", FORM_TABLE, ids=named)
def test_the_form_refuses_it_where_it_has_the_field(row, place, state):
    given = [filled(word, place) for word in row.words]
    key, text = FORM[given[2]], given[3]
    before = state()
    with Launch() as launch:
        model = for_job(launch, given[1])
        fields = [*model.inputs_and_queue(), *model.of_queue("default"), *model.order_and_names()]
        if key == "priority":
            # The form shows levels only for a queue that has them; a draft may still hold one.
            fields.append(Field(key=key, label=key))
        one = next(f for f in fields if f.key == key)

        def fill_in():
            value = read_field(one, text)
            model.plan(launch, model.request({key: value, "queue": "default"}, fields))

        with pytest.raises(UsageError) as caught:
            fill_in()
    assert str(caught.value).count("\n") == 0
    assert state() == before


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("form", "table", "texts_of"),
    [(NewQueue, QUEUE_FORM_TABLE, in_queue_form), (NewJob, JOB_FORM_TABLE, in_job_form)],
    ids=["queue", "job"],
)
async def test_the_other_forms_refuse_it_where_they_have_the_field(
    form, table, texts_of, place, state, wait_for
):
    app = LaunchApp(Path(place["{at}"], "home"))
    taken = []
    async with app.run_test(size=(120, 40)) as pilot:
        app.pulse.stop()
        before = state()
        for row in table:
            shown, closed = form(), []
            app.push_screen(shown, closed.append)
            await wait_for(pilot, lambda one=shown: one.is_mounted and one.query(FieldRow))
            rows = {each.field.key: each for each in shown.query(FieldRow)}
            for key, text in texts_of(row).items():
                rows[key].set_text(filled(text, place))
            await pilot.pause()
            shown.action_form_submit()
            await wait_for(pilot, lambda one=shown, end=closed: end or not one._busy)
            told = [*shown.errors.values()]
            if shown.is_mounted and shown.query_one("#form-says").has_class("-wrong"):
                told.append(str(shown.query_one("#form-says").render()))
            if closed or not all(told) or len(told) < 1 or state() != before:
                taken.append(row)
                before = state()
            if not closed:
                shown.dismiss(None)
                await pilot.pause()
    assert taken == []


@pytest.fixture
def wait_for():
    """Returns ``await wait_for(pilot, condition)``."""

    async def until(pilot, condition):
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it did not come true"
            await pilot.pause(0.01)

    return until


def test_words_that_are_no_text_are_refused(place):
    """Bytes that are no UTF-8 come as a process of its own gets them."""
    done = subprocess.run(
        [sys.executable, "-m", "launch_tui", "launch", b"\xff"], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
