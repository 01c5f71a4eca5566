"""The resource configuration of local-process."""

from __future__ import annotations

import re
import resource

import pytest

from launch_tui.domain.limits import GpuIdleStop
from launch_tui.domain.queue import Resource
from launch_tui.domain.resource_config import check
from launch_tui.domain.slots import Request
from launch_tui.errors import UsageError
from launch_tui.targets.local_process_keys import SCHEMA, LocalProcessConfig, read, request
from launch_tui.targets.machine_keys import LIMITS, UNLIMITED
from launch_tui.targets.schemas import schema_of

G = 1024**3


def test_everything_that_can_be_said():
    config = {
        "env": {"OMP_NUM_THREADS": 8, "AMP": True, "RATE": 0.5, "NAME": "a=b", "GONE": None},
        "env_file": ["~/.env", ""],
        "setup": "module load cuda\n\ncat <<EOF\n  x\nEOF\n",
        "nice": 10,
        "cpus": "2.5",
        "memory": "20G",
        "gpus": 2,
        "gpu_memory": "512m",
        "umask": "027",
        "ulimit": ["nofile=1024:2048", "core=-1"],
        "timeout": "1h30m",
        "start_timeout": 600,
        "python": "3.11",
        "gpu_sharing": True,
        "gpu_idle_stop": {"below": 5, "for": "30m"},
        "wandb": "online",
        "sync": "ended",
    }
    assert set(config) == {key.name for key in SCHEMA.keys}
    assert read(check(SCHEMA, config, owner=True, field="-c")) == LocalProcessConfig(
        env={"OMP_NUM_THREADS": "8", "AMP": "true", "RATE": "0.5", "NAME": "a=b"},
        env_file=("~/.env",),
        setup=("module load cuda", "", "cat <<EOF", "  x", "EOF"),
        nice=10,
        cpus=2.5,
        memory=20 * G,
        gpus=2,
        gpu_memory=G // 2,
        umask=0o027,
        ulimit={"nofile": (1024, 2048), "core": (UNLIMITED, UNLIMITED)},
        timeout=5400.0,
        start_timeout=600.0,
        python="3.11",
        gpu_sharing=True,
        gpu_idle_stop=GpuIdleStop(below=5.0, seconds=1800.0),
        wandb="online",
        sync="ended",
    )


def test_nothing_said_and_nulls_are_the_defaults():
    assert read({}) == LocalProcessConfig()
    assert read({key.name: None for key in SCHEMA.keys}) == LocalProcessConfig()
    assert read({"builder": {"accelerator": {"base_image": "x"}}}) == LocalProcessConfig()


def test_a_key_that_is_not_there_is_refused_when_it_is_read_too():
    with pytest.raises(UsageError, match="gpuz: is not a key of local-process, did you mean gpus"):
        read({"gpuz": 1})


@pytest.mark.parametrize(
    ("name", "value", "meaning"),
    [
        ("umask", "27", 0o27),
        ("umask", "0o27", 0o27),
        ("umask", "0027", 0o27),
        ("umask", 0o27, 0o27),
        ("umask", 0, 0),
        ("ulimit", {"nofile": 1024}, {"nofile": (1024, 1024)}),
        ("ulimit", {"nofile": "1024:unlimited"}, {"nofile": (1024, UNLIMITED)}),
        ("ulimit", {"stack": "unlimited"}, {"stack": (UNLIMITED, UNLIMITED)}),
        ("python", "~/venv/bin/python", "~/venv/bin/python"),
        ("python", "/usr/bin/python3", "/usr/bin/python3"),
        ("python", "3.11.4", "3.11.4"),
        ("setup", ["a", "b"], ("a", "b")),
        ("setup", "a\r\nb\r\n", ("a", "b")),
        ("setup", "", ()),
        ("env_file", "a.env", ("a.env",)),
        ("gpus", "3", 3),
        ("nice", -20, -20),
        ("gpu_sharing", "no", False),
        ("timeout", "2:00:00", 7200.0),
    ],
)
def test_what_a_value_means(name, value, meaning):
    assert getattr(read({name: value}), name) == meaning


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "umask",
            22,
            '-c umask: 22 could be 022 or 026 (allowed: octal digits as text, such as "027")',
        ),
        ("umask", 77, "-c umask: 77 could be 077 or 0115"),
        ("umask", "028", "-c umask: '028' is not allowed"),
        ("umask", "7777", "-c umask: '7777' is not allowed"),
        ("umask", -1, "-c umask: -1 is not allowed"),
        ("umask", 0o1000, "-c umask: 512 is not allowed"),
        ("umask", True, "-c umask: true is not allowed"),
        ("umask", [], "-c umask: a list is not allowed"),
        ("ulimit", {"nofil": 1}, "-c ulimit.nofil: is not a limit, did you mean nofile?"),
        ("ulimit", {"nofile": "a"}, "-c ulimit.nofile: 'a' is not allowed (allowed: SOFT or SOFT:"),
        ("ulimit", {"nofile": "2:1"}, "-c ulimit.nofile: the soft limit of '2:1' is above"),
        ("ulimit", {"nofile": "-1:1"}, "-c ulimit.nofile: the soft limit of '-1:1' is above"),
        ("ulimit", ["nofile"], "-c ulimit[0]: 'nofile' has no '='"),
        ("python", 3.11, "-c python: 3.11 is a number (allowed: text, in quotes)"),
        ("python", "python3", "-c python: 'python3' is not allowed (allowed: a version such as"),
        ("python", "2.7", "-c python: '2.7' is not allowed"),
        ("nice", 20, "-c nice: 20 is not allowed (allowed: a whole number from -20 to 19)"),
        ("nice", -21, "-c nice: -21 is not allowed"),
        ("cpus", -1, "-c cpus: -1 is not allowed (allowed: a number from 0 to 65536)"),
        ("cpus", "nan", "-c cpus: 'nan' is not allowed"),
        ("gpus", 1025, "-c gpus: 1025 is not allowed"),
        ("gpus", "all", "-c gpus: 'all' is not allowed"),
        ("memory", -1, "-c memory: -1 is not a size"),
        ("timeout", 0, "-c timeout: 0 is not allowed (allowed: a duration from 1s to 3650d, such"),
        ("start_timeout", "0s", "-c start_timeout: '0s' is not allowed"),
        ("gpu_idle_stop", {"below": 5}, "-c gpu_idle_stop: for is missing"),
        ("gpu_idle_stop", {"for": "5m"}, "-c gpu_idle_stop: below is missing"),
        ("gpu_idle_stop", {"below": 101, "for": 9}, "-c gpu_idle_stop.below: 101 is not allowed"),
        ("gpu_idle_stop", {"below": 5, "for": 0}, "-c gpu_idle_stop.for: 0 is not allowed"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name, value, line):
    with pytest.raises(UsageError, match=re.escape(line)):
        check(SCHEMA, {name: value}, owner=True, field="-c")


@pytest.mark.parametrize(
    ("word", "key"),
    [("e", "env"), ("m", "memory"), ("mem", "memory"), ("num_gpus", "gpus"), ("cpu", "cpus"),
     ("time_limit", "timeout"), ("python_version", "python"), ("environment", "env"),
     ("ulimits", "ulimit")],
)  # fmt: skip
def test_other_systems_words_lead_to_ours(word, key):
    with pytest.raises(UsageError, match=f"did you mean {key}\\?"):
        check(SCHEMA, {word: 1}, owner=False, field="-R")


def test_a_dash_for_an_underscore_is_the_same_key():
    config = check(SCHEMA, {"env-file": "a.env", "gpu-memory": "1G"}, owner=False, field="-R")
    assert config == {"env_file": "a.env", "gpu_memory": "1G"}


@pytest.mark.parametrize(
    "config",
    [
        {"ulimit": {"nofile": "{{n}}", "core": 0}},
        {"gpu_idle_stop": {"below": "{{b}}", "for": "5m"}},
        {"umask": "{{u}}", "python": "{{p}}", "gpus": "{{g}}"},
    ],
)
def test_holes_wait_for_their_values(config):
    assert check(SCHEMA, config, owner=True, field="-c", holes_allowed=True) == config


@pytest.mark.parametrize("name", ["gpu_sharing", "gpu_idle_stop"])
def test_only_the_owner_says_how_gpus_are_shared(name):
    with pytest.raises(UsageError, match=f"-R {name}: is set by the queue's owner"):
        check(SCHEMA, {name: True}, owner=False, field="-R")
    assert [key.name for key in SCHEMA.keys if key.owner_only] == ["gpu_sharing", "gpu_idle_stop"]


def test_what_is_asked_of_the_machine():
    assert request({"setup": "x"}).empty
    config = {"gpus": 2, "gpu_memory": "1G", "cpus": 3, "memory": "2G", "gpu_sharing": True}
    assert SCHEMA.request(config) == Request(
        gpus=2, gpu_memory=G, cpus=3.0, memory=2 * G, sharing=True
    )


def test_limits_are_those_of_this_system():
    known = {name.removeprefix("RLIMIT_").lower() for name in dir(resource) if "RLIMIT" in name}
    assert known - {"ofile"} <= {*LIMITS, "swap", "kqueues", "npts", "sbsize", "vmem"}
    assert resource.RLIM_INFINITY == UNLIMITED


def test_the_schemas_of_all_resources():
    assert schema_of(Resource.LOCAL_PROCESS) is SCHEMA
    for kind in Resource:
        assert schema_of(kind).resource is kind
        checked_here = (Resource.LOCAL_PROCESS, Resource.LOCAL_CONTAINER)
        assert schema_of(kind).open is (kind not in checked_here)


def test_every_key_says_what_it_is_for():
    assert all(key.help for key in SCHEMA.keys)
