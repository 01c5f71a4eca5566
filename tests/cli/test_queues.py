"""``queue``: a queue's resource configuration, template variables and order, from the flags."""

from __future__ import annotations

import json

import pytest

CONFIG = {"cpus": "{{n}}", "env": {"A": "1"}}
VARIABLES = {"n": {"schema": {"type": "integer", "maximum": 2}, "description": "how\nmany"}}


@pytest.fixture
def create(cli):
    """Returns ``create(*flags) -> Result``: makes the queue ``q``."""

    def make(*flags):
        return cli("queue", "create", "q", "-r", "process", *flags)

    return make


def test_a_queue_with_a_configuration(create, cli):
    result = create(
        "-c", json.dumps(CONFIG), "--template-variables", json.dumps(VARIABLES), "--prioritize",
        "--json",
    )  # fmt: skip
    assert result.status == 0, result
    queue = result.json
    assert queue["config"] == CONFIG
    assert queue["template_variables"] == VARIABLES
    assert queue["prioritized"] is True
    assert cli("queue", "show", "q", "--json").json == queue
    rows = cli("queue", "show", "q").out.splitlines()
    assert rows[-3:] == [
        "config.cpus={{n}}", 'config.env.A="1"', "variable n: integer  maximum 2  how many"
    ]  # fmt: skip
    assert any(row.split() == ["order", "by", "priority,", "then", "in", "order"] for row in rows)


def test_wandbs_own_configuration_pastes_in(create, cli, tmp_path):
    path = tmp_path / "queue.yaml"
    path.write_text("resource_args:\n  local-process:  # as W&B stores it\n    nice: 5\n")
    assert create("-c", path).status == 0
    assert cli("queue", "show", "q", "--json").json["config"] == {"nice": 5}


def test_a_configuration_is_replaced_and_priorities_are_switched(create, cli):
    assert create("-c", '{"nice": 1, "cpus": 1}').status == 0
    assert cli("queue", "update", "q", "-c", '{"nice": 2}').status == 0
    assert cli("queue", "update", "q", "--prioritize", "--json").json["prioritized"] is True
    assert cli("queue", "update", "q", "--no-prioritize", "--json").json["prioritized"] is False
    both = cli(
        "queue", "update", "q", "-c", json.dumps(CONFIG),
        "--template-variables", json.dumps(VARIABLES), "--json",
    )  # fmt: skip
    assert both.json["config"] == CONFIG
    assert cli("queue", "update", "q", "-c", "{}", "--template-variables", "{}").status == 0
    assert cli("queue", "show", "q", "--json").json["config"] == {}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["-c", "{bad"], "-c: "),
        (["-c", "[1]"], "-c: "),
        (["-c", "/nowhere.yaml"], "-c: cannot read /nowhere.yaml"),
        (["-c", '{"cpu": 1}'], "cpu: is not a key of local-process, did you mean cpus?"),
        (["-c", '{"cpus": "many"}'], "cpus: 'many' is not allowed"),
        (["-c", '{"cpus": "{{n}}"}'], "{{n}} is not declared"),
        (["-c", '{"resource_args": {"kubernetes": {}}}'], "is for kubernetes"),
        (["--template-variables", '{"n": {"type": "integer"}}'], "n: is used by no hole"),
        (["--template-variables", '{"n": {"type": "x"}}', "-c", '{"cpus": "{{n}}"}'], "n"),
        (["--template-variables", "{bad"], "--template-variables: "),
        (["--prioritize", "--no-prioritize"], "--prioritize: cannot stand together with --no-"),
    ],
)
def test_wrong_use_makes_and_changes_nothing(create, cli, refused, flags, says):
    assert says in refused("queue", "create", "q", "-r", "process", *flags)
    assert cli("queue", "list", "--json").json == []
    before = create("-c", '{"nice": 1}', "--json").json
    assert says in refused("queue", "update", "q", *flags)
    assert cli("queue", "show", "q", "--json").json == before


def test_an_update_without_a_change(create, refused):
    create()
    assert refused("queue", "update", "q").startswith("queue update: changes nothing (allowed: --c")
