"""What a launch asks of the machine and its queue, and when it may start, through the program."""

from __future__ import annotations

import json

import pytest

from launch_tui.cli.resources import check_short, joined
from launch_tui.errors import UsageError

CONFIG = {"cpus": "{{n}}", "env": {"A": "1", "B": "2"}, "nice": 5}
VARIABLES = {"n": {"type": "integer", "minimum": 1, "maximum": 2, "default": 1}}


@pytest.fixture
def queue(cli):
    """A queue ``q`` with priorities, a resource configuration and a template variable."""
    made = cli(
        "queue", "create", "q", "-r", "process", "--prioritize", "-c", json.dumps(CONFIG),
        "--template-variables", json.dumps(VARIABLES),
    )  # fmt: skip
    assert made.status == 0, made
    return "q"


def test_a_launch_lays_its_resources_on_the_queues(cli, job, queue, sdk):
    result = cli(
        "launch", job, "-q", queue, "-R", '{"env": {"B": "x"}, "timeout": "1h"}', "-v", "n=2",
        "--timeout", "2h", "-P", "high",
    )  # fmt: skip
    assert result.status == 0, result
    spec = sdk.runs.spec("@")
    assert spec.resources == {
        "cpus": 2, "env": {"A": "1", "B": "x"}, "nice": 5, "timeout": "2h",
    }  # fmt: skip
    assert spec.resource_args == {"env": {"B": "x"}, "timeout": "2h"}
    assert spec.template_variables == {"n": "2"}
    assert sdk.runs.get("@").priority == "high"
    rows = cli("show", "@").out.splitlines()
    assert rows[-5:] == [
        "resource.cpus=2", 'resource.env.A="1"', "resource.env.B=x", "resource.nice=5",
        "resource.timeout=2h",
    ]  # fmt: skip
    assert cli("launch", job, "--retries", "2").status == 0
    assert "retried     0 of at most 2" in cli("show", "@").out.splitlines()


def test_what_wandb_wraps_in_the_name_of_the_resource(cli, refused, job, queue, sdk, tmp_path):
    wrapped = {"resource_args": {"process": {"nice": 7}}}
    assert cli("launch", job, "-q", queue, "-R", json.dumps(wrapped), "--timeout", "5").status == 0
    assert sdk.runs.spec("@").resource_args == {"nice": 7, "timeout": "5"}
    path = tmp_path / "args.yaml"
    path.write_text("local-process:\n  nice: 8  # as `wandb launch -R` has it\n")
    assert cli("launch", job, "-q", queue, "-R", path).status == 0
    assert sdk.runs.spec("@").resource_args == {"nice": 8}
    line = refused("launch", job, "-q", queue, "-R", '{"docker": {"cpus": 1}}')
    assert "local-container" in line
    assert "local-process" in line


def test_a_launch_spec_of_wandb(cli, job, queue, sdk):
    spec = {
        "job": job, "queue": queue, "resource": "local-process", "priority": 1,
        "resource_args": {"local-process": {"nice": 9, "env": {"C": "3"}}},
        "template_variables": {"n": 2},
        "overrides": {"run_config": {"lr": 1}, "args": []},
    }  # fmt: skip
    assert cli("launch", "-c", json.dumps(spec), "-R", '{"nice": 10}', "lr=2").status == 0
    run = sdk.runs.get("@")
    assert (run.queue, run.priority, run.config) == (queue, "high", {"lr": 2})
    assert sdk.runs.spec("@").resources == {
        "cpus": 2, "env": {"A": "1", "B": "2", "C": "3"}, "nice": 10,
    }  # fmt: skip
    assert cli("rerun", "@", "-c", json.dumps({"template_variables": {"n": 1}})).status == 0
    assert sdk.runs.spec("@").resources["cpus"] == 1


def test_when_a_run_may_start_and_how_often(cli, job, queue, sdk):
    first = cli("launch", job, "-q", queue, "--json").json["id"]
    result = cli(
        "launch", job, "-q", queue, "--after", f"{first}:any", "--begin", "+2h",
        "--retries", "3", "--retry-on", "failed,lost", "--retry-on", "oom", "--backoff", "1m30s",
    )  # fmt: skip
    assert result.status == 0, result
    run, spec = sdk.runs.get("@"), sdk.runs.spec("@")
    assert run.after == (f"{first}:any",)
    assert run.not_before is not None
    assert (spec.retries, spec.backoff) == (3, 90.0)
    assert set(spec.retry_on) == {"failed", "lost", "oom"}
    assert first in cli("why", "@").out
    assert cli("launch", job, "-q", queue, "--begin", "+2h").status == 0
    assert "until" in cli("why", "@").out
    assert cli("why", "@", "--json").json["until"] == sdk.runs.get("@").not_before


def test_the_plan_says_where_everything_comes_from(cli, job, queue, sdk):
    first = cli("launch", job, "-q", queue, "--json").json["id"]
    own = '{"env": {"B": "x", "API_KEY": "hunter22"}}'
    words = (
        "launch", job, "-q", queue, "--dry-run", "-R", own, "-v", "n=2",
        "--param", "lr=1,2", "--param", "seed=0..2", "--after", first, "--begin", "+1h",
        "--retries", "2", "--retry-on", "oom", "--backoff", "30s", "-P", "low",
    )  # fmt: skip
    result = cli(*words)
    assert result.status == 0, result
    rows = [" ".join(row.split()) for row in result.out.splitlines()]
    for row in (
        "runs 6, as one group; of the first:",
        "priority low",
        f"after {first}:ok",
        "retries 2 on oom, after 30s and twice as long each time",
        "config.lr=1",
        "variable.n=2",
        "resource.cpus=2 from the queue",
        'resource.env.A="1" from the queue',
        "resource.env.B=x from the launch",
    ):
        assert row in rows
    assert any(row.startswith("begin 2") for row in rows)
    assert "hunter22" not in result.out
    plan = cli(*words, "--json").json
    assert (plan["runs"], plan["retries"], plan["priority"]) == (6, 2, "low")
    assert plan["resources"]["env"] == {"A": "1", "B": "x", "API_KEY": "hunter22"}
    assert plan["origins"]["env.API_KEY"] == "launch"
    assert len(sdk.runs.list()) == 1


def test_a_rerun_keeps_and_changes_them(cli, job, queue, sdk):
    words = ("-v", "n=2", "-R", '{"nice": 1}', "--retries", "2", "-P", "low")
    assert cli("launch", job, "-q", queue, *words).status == 0
    assert cli("rerun", "@", "--timeout", "1m", "--retries", "5").status == 0
    run, spec = sdk.runs.get("@"), sdk.runs.spec("@")
    assert (run.priority, spec.retries) == ("low", 5)
    assert spec.resource_args == {"nice": 1, "timeout": "1m"}
    assert spec.template_variables == {"n": "2"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-R", "{bad"], "-R: "),
        (["-R", "/nowhere.yaml"], "-R: cannot read /nowhere.yaml"),
        (["-R", '{"nicee": 1}'], "-R nicee: is not a key of local-process, did you mean nice?"),
        (["-R", '{"gpu_sharing": true}'], "-R gpu_sharing: "),
        (["-R", '{"local-process": 3}'], "-R: local-process is no object"),
        (["-R", '{"process": {}, "docker": {}}'], "-R: is for several resources"),
        (["-v", "n"], "--set-var: 'n' is no VAR=VALUE"),
        (["-v", "=1"], "--set-var: '=1' is no VAR=VALUE"),
        (["-v", "n=1", "-v", "n=2"], "--set-var: n is given twice"),
        (["-v", "n=3"], "--set-var n: '3' is not allowed (allowed: a whole number from 1 to 2)"),
        (["-v", "m=3"], "--set-var m: is not a template variable of the queue"),
        (["--gpus", "two"], "--gpus: 'two' is not a whole number"),
        (["--gpus", "-1"], "--gpus: -1 is not a whole number of them (allowed: 0 or more)"),
        (["--gpus", "99999"], "--gpus: 99999 is not allowed"),
        (["--gpu-memory", "20X"], "--gpu-memory: '20X' is not a size"),
        (["--cpus", "many"], "--cpus: 'many' is not a number of them"),
        (["--memory=-1G"], "--memory: '-1G' is not a size"),
        (["--timeout", "soon"], "--timeout: 'soon' is not a duration"),
        (["-P", "urgent"], "-P: 'urgent' is no priority (allowed: critical, high, medium, low)"),
        (["-q", "default", "-P", "high"], "-P: queue 'default' has no priorities"),
        (["--after", "nope"], "--after: there is no run 'nope'"),
        (["--after", "@:well"], "--after: '@:well' names no run to wait for"),
        (["--begin", "later"], "--begin: 'later' is no time"),
        (["--retries", "-1"], "--retries: -1 is not possible"),
        (["--retries", "x"], "--retries: 'x' is not a whole number"),
        (["--retry-on", "oom"], "--retry-on: means nothing without retries"),
        (["--retries", "0", "--backoff", "1s"], "--backoff: means nothing without retries"),
        (["--retries", "1", "--retry-on", "oom,"], "--retry-on: has an empty kind"),
        (["--retries", "1", "--retry-on", "bad"], "--retry-on: 'bad' is no reason to retry"),
        (["--retries", "1", "--backoff", "x"], "--backoff: 'x' is not a duration"),
        (["--param", "lr"], "--param: 'lr' has no '='"),
        (["--param", "s=1..99999"], "--param: makes more than 10,000 runs"),
        (["--param", "s=1,2", "--follow"], "--param: cannot stand together with --follow"),
        (["--param", "s=1,2", "--watch"], "--param: cannot stand together with --watch"),
        (["--param", "s=1,2", "--file", "x"], "--file: cannot stand together with --param"),
        (["-c", '{"resource_args": {"docker": {}}, "overrides": {"run_config": {"a": 1}}}',
          "-R", '{"process": {}}'], "-R: is for local-process, what it is laid on for local-co"),
    ],
)  # fmt: skip
def test_wrong_use_names_the_flag(refused, job, queue, sdk, words, says):
    sent = words if "-q" in words else ["-q", queue, *words]
    assert refused("launch", job, *sent).startswith(says)
    assert sdk.runs.list() == []


def test_bulk_lines_have_all_of_it(cli, job, queue, sdk, tmp_path):
    first = cli("launch", job, "-q", queue, "--json").json["id"]
    lines = [
        {"resource_args": {"nice": 1}, "template_variables": {"n": 2}, "priority": "high"},
        {"after": f"{first}:any", "begin": "+1h", "timeout": "3m"},
        {"after": [first], "retries": 2, "retry_on": "oom,lost", "backoff": "10s"},
        {"retries": 1, "retry_on": ["oom"], "backoff": 3},
    ]
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    result = cli("launch", job, "-q", queue, "--file", path, "--timeout", "1h", "--json")
    assert result.status == 0, result
    runs = [sdk.runs.get(run["id"]) for run in result.json]
    specs = [sdk.runs.spec(run.id) for run in runs]
    assert (runs[0].priority, specs[0].resources["cpus"]) == ("high", 2)
    assert specs[0].resource_args == {"nice": 1, "timeout": "1h"}
    assert specs[1].resource_args == {"timeout": "3m"}
    assert (runs[1].after, runs[2].after) == ((f"{first}:any",), (f"{first}:ok",))
    assert runs[1].not_before is not None
    assert (specs[2].retries, set(specs[2].retry_on), specs[2].backoff) == (2, {"oom", "lost"}, 10)
    assert (specs[3].retry_on, specs[3].backoff) == (("oom",), 3)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"retires": 1}, "unknown key 'retires'; did you mean 'retries'?"),
        ({"retries": "1"}, "retries is not a whole number"),
        ({"retries": True}, "retries is not a whole number"),
        ({"retry_on": "oom"}, "retry_on and backoff mean nothing without retries"),
        ({"retries": 1, "backoff": "x"}, "backoff: 'x' is not a duration"),
        ({"retries": 1, "retry_on": 3}, "retry_on is neither text nor a list of texts"),
        ({"after": [1]}, "after is neither text nor a list of texts"),
        ({"after": "nope"}, "--after: there is no run 'nope'"),
        ({"begin": 3}, "begin is no text"),
        ({"priority": "urgent"}, "-P: 'urgent' is no priority"),
        ({"resource_args": []}, "resource_args is no object"),
        ({"resource_args": {"nicee": 1}}, "-R nicee: is not a key of local-process"),
        ({"template_variables": {"n": 7}}, "--set-var n: 7 is not allowed"),
        ({"memory": "lots"}, "memory: 'lots' is not a size"),
        ({"gpus": 1.5}, "gpus: 1.5 is not a whole number of them"),
    ],
)
def test_a_bad_bulk_line_is_named_and_nothing_is_enqueued(
    refused, job, queue, sdk, tmp_path, line, says
):
    path = tmp_path / "runs.jsonl"
    path.write_text("{}\n" + json.dumps(line))
    assert refused("launch", job, "-q", queue, "--file", path).startswith(f"--file: line 2: {says}")
    assert sdk.runs.list() == []


def test_resource_arguments_are_joined_in_order():
    assert joined([]) == {}
    assert joined([("-c", {"a": {"b": 1}}), ("-R", {"a": {"c": 2}})]) == {"a": {"b": 1, "c": 2}}
    assert joined([("-c", {"docker": {"a": 1}}), ("-R", {"a": 2})]) == {
        "resource_args": {"local-container": {"a": 2}}
    }
    assert joined([("-c", {"resource_args": {}}), ("-R", {"resource_args": {"vertex": None}})]) == {
        "resource_args": {"vertex": {}}
    }
    with pytest.raises(UsageError, match="-R: resource_args is no object"):
        joined([("-R", {"resource_args": 3})])


def test_short_values():
    given = {"gpus": "2", "cpus": "0.5", "memory": "1G", "gpu_memory": 5, "timeout": 3}
    assert check_short(given) == {**given, "gpus": 2, "cpus": 0.5}
    for key, value in (("gpus", True), ("gpus", "0.5"), ("cpus", "nan"), ("cpus", -1)):
        with pytest.raises(UsageError, match=f"{key}: "):
            check_short({key: value}, by_flag=False)
