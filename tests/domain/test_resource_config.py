"""Resource configurations: W&B's wrapping, the check against a schema, merging and its origins."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.document import dotted
from launch_tui.domain.queue import Resource
from launch_tui.domain.resource_config import (
    HIDDEN,
    Key,
    Kind,
    Schema,
    check,
    merged,
    origins,
    read_document,
    shown,
    unwrap,
)
from launch_tui.errors import UsageError

SCHEMA = Schema(
    resource=Resource.LOCAL_PROCESS,
    kept=("builder",),
    keys=(
        Key(name="gpus", kind=Kind.WHOLE, minimum=0, maximum=8, help="", also=("devices",)),
        Key(name="memory", kind=Kind.SIZE, help=""),
        Key(name="env", kind=Kind.NAMES, help=""),
        Key(name="setup", kind=Kind.LINES, help=""),
        Key(name="mode", kind=Kind.TEXT, choices=("fast", "safe"), help=""),
        Key(name="sharing", kind=Kind.FLAG, owner_only=True, help=""),
        Key(
            name="stop",
            kind=Kind.OBJECT,
            owner_only=True,
            help="",
            keys=(
                Key(name="below", kind=Kind.NUMBER, minimum=0, maximum=100, help=""),
                Key(name="for", kind=Kind.DURATION, help=""),
            ),
        ),
    ),
)


def refusal(call, *args, **kwargs):
    with pytest.raises(UsageError) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def launch_refusal(config):
    return refusal(check, SCHEMA, config, owner=False, field="-R")


def queue_refusal(config, **kwargs):
    return refusal(check, SCHEMA, config, owner=True, field="-c", **kwargs)


@pytest.mark.parametrize(
    "given",
    [
        {"gpus": 1},
        {"local-process": {"gpus": 1}},
        {"process": {"gpus": 1}},
        {"resource_args": {"local-process": {"gpus": 1}}},
        {"resource_args": {"process": {"gpus": 1}}},
        {"resource_args": {"docker": {"gpus": 3}, "process": {"gpus": 1}}},
    ],
)
def test_wandbs_wrapping_is_taken_off(given):
    assert unwrap(given, Resource.LOCAL_PROCESS) == {"gpus": 1}


def test_a_single_key_of_the_configuration_is_no_wrapping():
    for config in ({"env": {"A": "1"}}, {"gpus": 1}):
        assert unwrap(config, Resource.LOCAL_PROCESS) == config


@pytest.mark.parametrize("given", [{}, {"resource_args": {}}, {"resource_args": None},
                                   {"resource_args": {"process": None}}])  # fmt: skip
def test_an_empty_configuration_is_one(given):
    assert unwrap(given, Resource.LOCAL_PROCESS) == {}


@pytest.mark.parametrize(
    ("given", "resource"),
    [
        (
            {"resource_args": {"docker": {"gpus": "all", "volume": "/a:/b"}}},
            Resource.LOCAL_CONTAINER,
        ),
        ({"resource_args": {"gcp-vertex": {"spec": {}}}}, Resource.VERTEX),
        ({"kubernetes": {"kind": "Job", "spec": {"template": {}}}}, Resource.KUBERNETES),
        ({"resource_args": {"sagemaker": {"RoleArn": "x"}}}, Resource.SAGEMAKER),
    ],
)
def test_other_resources_paste_in_unchanged(given, resource):
    inner = given.get("resource_args", given)
    config = unwrap(given, resource)
    assert config == next(iter(inner.values()))
    schema = Schema(resource=resource, open=True)
    assert check(schema, config, owner=False, field="-R") == config


def test_a_configuration_of_another_resource_is_refused():
    line = refusal(unwrap, {"resource_args": {"docker": {}}}, Resource.LOCAL_PROCESS, field="-c")
    assert line == "-c: is for docker, the queue runs on local-process (allowed: local-process)"
    assert "is for docker" in refusal(unwrap, {"docker": {"gpus": 1}}, Resource.LOCAL_PROCESS)


def test_what_stands_beside_the_wrapper_is_refused_and_not_dropped():
    given = {"resource_args": {"process": {}}, "priority": 1}
    assert "priority: stands beside" in refusal(unwrap, given, Resource.LOCAL_PROCESS)
    assert "is no object" in refusal(unwrap, {"resource_args": [1]}, Resource.LOCAL_PROCESS)
    inner = {"resource_args": {"process": [1]}}
    assert "process: is no object" in refusal(unwrap, inner, Resource.LOCAL_PROCESS)


def test_what_is_right_stays_as_it_was_written():
    config = {"gpus": "2", "memory": "20G", "setup": "a\n\nb", "mode": "fast", "sharing": "yes",
              "stop": {"below": 5, "for": "10m"}, "builder": {"x": 1}, "env": {"A": 1}}  # fmt: skip
    assert check(SCHEMA, config, owner=True, field="-c") == config


def test_lists_of_assignments_become_objects_so_that_they_merge():
    queue = check(SCHEMA, {"env": ["A=1=2", "B="]}, owner=True, field="-c")
    launch = check(SCHEMA, {"env": {"B": "2"}}, owner=False, field="-R")
    assert merged(queue, launch) == {"env": {"A": "1=2", "B": "2"}}


def test_null_takes_a_key_away():
    assert check(SCHEMA, {"gpus": None, "env": {"A": None}}, owner=False, field="-R") == {
        "gpus": None,
        "env": {"A": None},
    }


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"gpu": 1}, "-R gpu: is not a key of local-process, did you mean gpus? (allowed: env, "),
        ({"GPUs": 1}, "-R GPUs: is not a key of local-process, did you mean gpus?"),
        ({"devices": 1}, "-R devices: is not a key of local-process, did you mean gpus?"),
        ({"xyzzy": 1}, "-R xyzzy: is not a key of local-process (allowed: env, gpus, memory, "),
        ({"gpus": 9}, "-R gpus: 9 is not allowed (allowed: a whole number from 0 to 8)"),
        ({"gpus": -1}, "-R gpus: -1 is not allowed"),
        ({"gpus": "two"}, "-R gpus: 'two' is not allowed"),
        ({"gpus": 1.5}, "-R gpus: 1.5 is not allowed"),
        ({"gpus": True}, "-R gpus: true is not allowed"),
        ({"gpus": "{{n}}"}, "-R gpus: '{{n}}' is not allowed"),
        ({"gpus": math.nan}, "-R gpus: nan is not a finite number"),
        ({"gpus": math.inf}, "-R gpus: inf is not a finite number"),
        ({"memory": "lots"}, "-R memory: 'lots' is not a size"),
        ({"mode": "fst"}, "-R mode: 'fst' is not allowed (allowed: fast or safe)"),
        ({"env": {"A": [1]}}, "-R env.A: a list is not a text"),
        ({"env": {"A": math.nan}}, "-R env.A: nan is not a finite number"),
        ({"env": {"A B": "1"}}, "-R env: 'A B' cannot be a variable's name"),
        ({"env": ["A"]}, "-R env[0]: 'A' has no '='"),
        ({"env": ["A=1", "A=2"]}, "-R env[1]: A is given twice"),
        ({"env": {"A": "x\0"}}, "-R env.A: holds a NUL character"),
        ({"setup": ["a", 5]}, "-R setup[1]: 5 is not a text"),
        ({"sharing": True}, "-R sharing: is set by the queue's owner and not by a launch"),
        ({"sharing": None}, "-R sharing: is set by the queue's owner and not by a launch"),
        ({"stop": {"below": 1}}, "-R stop: is set by the queue's owner and not by a launch"),
        ({1: 2}, "-R 1: is a key that is no text"),
        ({"gpus": object()}, "-R gpus: is of type object"),
    ],
)
def test_a_launchs_wrong_key_or_value_is_refused_by_name(config, line):
    assert launch_refusal(config).startswith(line)


def test_what_only_the_owner_sets_is_not_offered_to_a_launch():
    assert "sharing" not in launch_refusal({"shared": 1})
    assert "did you mean sharing?" in queue_refusal({"sharng": True})


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"stop": {"bellow": 1}}, "-c stop.bellow: is not a key of stop, did you mean below?"),
        ({"stop": {"below": 101}}, "-c stop.below: 101 is not allowed (allowed: a number from 0"),
        ({"stop": 5}, "-c stop: 5 is not allowed (allowed: an object)"),
        ({"sharing": "perhaps"}, "-c sharing: 'perhaps' is not allowed (allowed: true or false)"),
    ],
)
def test_the_owners_wrong_key_or_value_is_refused_by_name(config, line):
    assert queue_refusal(config).startswith(line)


@pytest.mark.parametrize(
    "config",
    [
        {"gpus": "{{n}}", "memory": "{{g}}G", "mode": "{{m}}", "sharing": "{{s}}"},
        {"env": {"A": "{{a}}", "B": "1"}},
        {"env": ["{{all}}"]},
        {"env": "{{all}}"},
        {"setup": ["a=1", "b=2"]},
        {"setup": ["a={{a}}", "b=2"]},
        {"stop": {"below": "{{b}}", "for": None}},
        {"stop": {"below": "{{b}}", "for": "5m"}},
        {"setup": ["echo {{a}}"]},
    ],
)
def test_holes_pass_where_they_are_allowed(config):
    assert check(SCHEMA, config, owner=True, field="-c", holes_allowed=True) == config


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"gpus": 9}, "-c gpus: 9 is not allowed"),
        ({"{{n}}": 9}, "-c {{n}}: is not a key"),
        ({"gpus": {"a": "{{n}}"}}, "-c gpus: an object is not allowed"),
        ({"env": {"A": "{{a}}", "B": []}}, "-c env.B: a list is not a text"),
        ({"env": ["A={{a}}", "B"]}, "-c env[1]: 'B' has no '='"),
        ({"env": ["A={{a}}", 5]}, "-c env[1]: 5 is not a text"),
        ({"stop": {"below": "{{b}}", "fro": "5m"}}, "-c stop.fro: is not a key of stop"),
        ({"stop": {"below": "{{b}}", "for": "x"}}, "-c stop.for: 'x' is not a duration"),
    ],
)
def test_what_is_around_the_holes_is_checked(config, line):
    assert queue_refusal(config, holes_allowed=True).startswith(line)


def test_lists_replace_lists_and_the_origin_says_so():
    queue = {"env": {"A": "1", "B": "1"}, "setup": ["a", "b"], "gpus": 1, "stop": {"below": 1}}
    launch = {"env": {"A": "2", "C": "3"}, "setup": ["c"], "stop": {}, "memory": "1G"}
    assert merged(queue, launch) == {
        "env": {"A": "2", "B": "1", "C": "3"},
        "setup": ["c"],
        "gpus": 1,
        "stop": {"below": 1},
        "memory": "1G",
    }
    assert origins(queue, launch) == {
        "env.A": "launch",
        "env.B": "queue",
        "env.C": "launch",
        "setup": "launch",
        "gpus": "queue",
        "stop.below": "queue",
        "memory": "launch",
    }


def test_shown_is_one_line_each_and_hides_secrets():
    env = {"HF_TOKEN": "hf_123456", "API_KEY": "${KEY}", "MY_SECRET": "{{secret}}",
           "TOKENIZERS_PARALLELISM": "false"}  # fmt: skip
    config = {"env": env, "setup": "a\nb", "l": ["x", 1], "n": None}
    assert shown(config) == {
        "env.HF_TOKEN": HIDDEN,
        "env.API_KEY": "${KEY}",
        "env.MY_SECRET": "{{secret}}",
        "env.TOKENIZERS_PARALLELISM": '"false"',
        "setup": '"a\\nb"',
        "l": '["x", 1]',
        "n": "null",
    }


CONTAINERS = Schema(
    resource=Resource.LOCAL_CONTAINER,
    refused={"restart-policy": "runs are tried again by --retries"},
    keys=(
        Key(name="env", kind=Kind.NAMES, aliases=("e",), help=""),
        Key(name="shm-size", kind=Kind.SIZE, help=""),
        Key(
            name="network",
            kind=Kind.TEXT,
            aliases=("net",),
            owner_only=lambda read: read == "host",
            help="",
        ),
        Key(
            name="builder",
            kind=Kind.OBJECT,
            help="",
            keys=(
                Key(name="build_args", kind=Kind.NAMES, help=""),
                Key(
                    name="accelerator",
                    kind=Kind.OBJECT,
                    aliases=("cuda",),
                    help="",
                    keys=(Key(name="base_image", kind=Kind.TEXT, help=""),),
                ),
            ),
        ),
    ),
    agree=lambda read, field: fail_if_small(read, field),
)


def fail_if_small(read, field):
    if read.get("shm-size") == 1 and read.get("network") == "none":
        raise UsageError(f"{field} shm-size", "is too small without a network")


@pytest.mark.parametrize("owner", [True, False])
def test_every_name_of_a_key_is_kept_as_its_own(owner):
    config = {"e": "A=1", "shm_size": "1G", "net": "none",
              "builder": {"build-args": ["B=2"], "cuda": {"base-image": "x"}}}  # fmt: skip
    assert check(CONTAINERS, config, owner=owner, field="-c") == {
        "env": {"A": "1"},
        "shm-size": "1G",
        "network": "none",
        "builder": {"build_args": {"B": "2"}, "accelerator": {"base_image": "x"}},
    }


def test_names_of_one_key_lie_on_those_of_the_queue():
    queue = check(CONTAINERS, {"env": ["A=1", "B=1"]}, owner=True, field="-c")
    launch = check(CONTAINERS, {"e": ["B=2"]}, owner=False, field="-R")
    assert merged(queue, launch) == {"env": {"A": "1", "B": "2"}}


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"env": {}, "e": {}}, "-R e: means env, which is given as well (allowed: one of them)"),
        ({"shm-size": 1, "shm_size": 1}, "-R shm_size: means shm-size, which is given as well"),
        ({"builder": {"cuda": {}, "accelerator": {}}},
         "-R builder.accelerator: means accelerator, which is given as well"),
        ({"builder": {"cuda": {"image": "x"}}},
         "-R builder.cuda.image: is not a key of accelerator, did you mean base_image?"),
        ({"network": "host"}, "-R network: 'host' is set by the queue's owner and not by a launch"),
        ({"restart_policy": "always"},
         "-R restart_policy: is not for local-container: runs are tried again by --retries"),
    ],
)  # fmt: skip
def test_a_launch_is_told_which_names_and_values_are_not_its_own(config, line):
    with pytest.raises(UsageError) as error:
        check(CONTAINERS, config, owner=False, field="-R")
    assert str(error.value).startswith(line)


@pytest.mark.parametrize("value", ["host", "none", None])
def test_an_owner_gives_every_value_and_a_launch_may_take_it_away(value):
    config = {"network": value}
    assert check(CONTAINERS, config, owner=True, field="-c") == config
    if value != "host":
        assert check(CONTAINERS, config, owner=False, field="-R") == config


def test_values_that_cannot_stand_together_are_refused_as_a_whole():
    config = {"shm_size": 1, "network": "none"}
    with pytest.raises(UsageError, match="queue q shm-size: is too small without a network"):
        check(CONTAINERS, config, owner=True, field="queue q")
    assert check(CONTAINERS, {"shm-size": 1}, owner=True, field="-c") == {"shm-size": 1}
    # Part of a whole that only its queue completes, and a hole that may be filled with anything.
    check(CONTAINERS, config, owner=False, field="-R")
    check(CONTAINERS, {**config, "network": "{{n}}"}, owner=True, field="-c", holes_allowed=True)


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"e": "A={{a}}"}, {"env": {"A": "{{a}}"}}),
        ({"e": "{{all}}"}, {"env": "{{all}}"}),
        ({"builder": {"cuda": {"base-image": "{{i}}"}}},
         {"builder": {"accelerator": {"base_image": "{{i}}"}}}),
        ({"builder": {"cuda": "{{c}}"}}, {"builder": {"accelerator": "{{c}}"}}),
        ({"network": "{{n}}"}, {"network": "{{n}}"}),
    ],
)  # fmt: skip
def test_names_are_made_one_around_holes_too(config, kept):
    assert check(CONTAINERS, config, owner=True, field="-c", holes_allowed=True) == kept


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"builder": {"cuda": {"base_image": "{{i}}"}, "accelerator": {}}},
         "-c builder.accelerator: means accelerator, which is given as well"),
        ({"builder": {"cuda": {"base_image": "{{i}}", "x": 1}}},
         "-c builder.cuda.x: is not a key of accelerator"),
        ({"builder": {"build_args": {"A": "{{i}}", "B": []}}}, "-c builder.build_args.B: a list"),
    ],
)  # fmt: skip
def test_what_is_around_the_holes_of_an_inner_object_is_checked(config, line):
    with pytest.raises(UsageError) as error:
        check(CONTAINERS, config, owner=True, field="-c", holes_allowed=True)
    assert str(error.value).startswith(line)


leaves = (
    st.none() | st.integers() | st.text("ab.\n", max_size=3) | st.lists(st.integers(), max_size=2)
)
configs = st.dictionaries(
    st.text("abc.", min_size=1, max_size=2),
    st.recursive(leaves, lambda inner: st.dictionaries(
        st.text("abc.", min_size=1, max_size=2), inner, max_size=3), max_leaves=5),
    max_size=4,
)  # fmt: skip


def flat(tree, path=()):
    """The model: paths of everything that is no filled object."""
    if isinstance(tree, dict) and (tree or not path):
        return {p: v for key, inner in tree.items() for p, v in flat(inner, (*path, key)).items()}
    return {path: tree}


@given(configs, configs)
def test_each_merged_value_is_that_of_its_origin(queue, launch):
    together = flat(merged(queue, launch))
    found = origins(queue, launch)
    assert set(found) == {dotted(path) for path in together} == set(shown(merged(queue, launch)))
    sides = {"queue": flat(queue), "launch": flat(launch)}
    for path, value in together.items():
        assert sides[found[dotted(path)]][path] == value


@given(configs, configs)
def test_what_a_launch_gives_is_what_it_gets(queue, launch):
    together = flat(merged(queue, launch))
    for path, value in flat(launch).items():
        if value != {}:
            assert together[path] == value
    untouched = {path: v for path, v in flat(queue).items() if path[0] not in launch}
    assert untouched.items() <= together.items()


@given(configs)
def test_nothing_and_the_same_change_nothing(config):
    assert merged(config, {}) == merged({}, config) == merged(config, config) == config
    assert set(origins(config, {}).values()) <= {"queue"}
    assert set(origins({}, config).values()) <= {"launch"}


@given(configs, configs, configs)
def test_merging_disjoint_keys_can_be_grouped_and_swapped(one, other, third):
    one, other, third = ({f"{name}{key}": value for key, value in config.items()}
                         for name, config in (("1", one), ("2", other), ("3", third)))  # fmt: skip
    left = merged(merged(one, other), third)
    assert left == merged(one, merged(other, third)) == merged(third, merged(other, one))


objects_only = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=5,
)


@given(objects_only, objects_only, objects_only)
def test_merging_objects_can_be_grouped(one, other, third):
    assert merged(merged(one, other), third) == merged(one, merged(other, third))


def test_importing_costs_nothing_that_a_launch_does_not_need():
    code = (
        "import sys; from launch_tui.targets.schemas import schema_of;"
        "import launch_tui.domain.resource_config, launch_tui.domain.macros;"
        "from launch_tui.domain.queue import Resource; schema_of(Resource.LOCAL_PROCESS);"
        "dear = {'yaml', 'jsonschema', 'asyncio', 'launch_tui.domain.slots'};"
        "sys.exit(bool(dear & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_queue_of_wandbs_is_read_from_its_file(tmp_path):
    path = tmp_path / "queue.yaml"
    path.write_text(
        "resource_args:\n  process:\n    env: [A=1]\n    builder:\n      accelerator: {}\n"
    )
    config = unwrap(read_document(path, "-c"), Resource.LOCAL_PROCESS)
    assert check(SCHEMA, config, owner=True, field="-c") == {
        "env": {"A": "1"},
        "builder": {"accelerator": {}},
    }
