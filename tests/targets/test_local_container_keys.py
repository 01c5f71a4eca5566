"""The resource configuration of local-container: each key, its good and its bad values."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.limits import GpuIdleStop
from launch_tui.domain.queue import Resource
from launch_tui.domain.resource_config import check, merged, unwrap
from launch_tui.domain.slots import Request
from launch_tui.errors import UsageError
from launch_tui.targets.container_config import BuilderConfig, ContainerConfig
from launch_tui.targets.container_mounts import Device, Volume
from launch_tui.targets.container_values import Port
from launch_tui.targets.local_container_keys import SCHEMA, read, request
from launch_tui.targets.schemas import schema_of

G = 1024**3
M = 1024**2

EVERYTHING = {
    "env": {"A": 1, "B": "x=y", "GONE": None},
    "env-file": ["/etc/a.env", ""],
    "cpus": "1.5",
    "cpuset-cpus": "0-1,3",
    "cpuset-mems": 0,
    "cpu-shares": 512,
    "memory": "20G",
    "memory-reservation": "10g",
    "memory-swap": -1,
    "shm-size": "8gb",
    "pids-limit": "1000",
    "ulimit": ["memlock=-1", "nofile=1024:2048"],
    "gpus": 2,
    "gpu_memory": "8G",
    "gpu_sharing": True,
    "device": ["/dev/fuse", "/dev/a:/dev/b", "/dev/c:/dev/d:r", "/dev/e:rw"],
    "volume": ["/data:/data:ro", "cache:/cache", "~/x:/x:z,rslave"],
    "mount": "type=tmpfs,target=/scratch,tmpfs-size=1g,tmpfs-mode=1777",
    "tmpfs": ["/run", "/tmp:size=64m,mode=1777"],
    "network": "training",
    "add-host": ["db:10.0.0.1", "me=host-gateway", "six:::1"],
    "dns": ["10.0.0.53", "::1"],
    "publish": ["8888", "127.0.0.1:6006:6006", 9000, "7000-7001:7000-7001/udp"],
    "hostname": "worker-1",
    "user": 1000,
    "group-add": ["video", 44],
    "workdir": "/work",
    "entrypoint": "python -u 'a b.py'",
    "label": {"org.team": "vision", "n": 1},
    "init": False,
    "ipc": "host",
    "pid": "host",
    "cap-add": ["SYS_PTRACE", "cap_net_admin"],
    "cap-drop": "ALL",
    "security-opt": ["no-new-privileges", "seccomp=unconfined"],
    "privileged": "yes",
    "platform": "linux/arm64/v8",
    "pull": "missing",
    "rm": False,
    "timeout": "1h30m",
    "start_timeout": 600,
    "gpu_idle_stop": {"below": 5, "for": "30m"},
    "wandb": "online",
    "sync": "ended",
    "builder": {
        "base_image": "python:3.11",
        "accelerator": {"base_image": "nvidia/cuda:12.4.1-runtime-ubuntu22.04"},
        "build_args": {"JOBS": 4},
        "secrets": ["HF_TOKEN"],
    },
}
"""All keys but those of the CPU's periods, which say what ``cpus`` says."""


def refusal(config, *, owner=True):
    field = "-c" if owner else "-R"
    with pytest.raises(UsageError) as error:
        check(SCHEMA, config, owner=owner, field=field)
    assert "\n" not in str(error.value)
    return str(error.value)


def meaning(config):
    return read(check(SCHEMA, config, owner=True, field="-c"))


def test_everything_that_can_be_said():
    assert {*EVERYTHING, "cpu-period", "cpu-quota"} == {key.name for key in SCHEMA.keys}
    assert meaning(EVERYTHING) == ContainerConfig(
        env={"A": "1", "B": "x=y"},
        env_file=("/etc/a.env",),
        cpus=1.5,
        cpuset_cpus="0-1,3",
        cpuset_mems="0",
        cpu_shares=512,
        memory=20 * G,
        memory_reservation=10 * G,
        memory_swap=-1,
        shm_size=8 * G,
        pids_limit=1000,
        ulimit={"memlock": (-1, -1), "nofile": (1024, 2048)},
        gpus=2,
        gpu_memory=8 * G,
        gpu_sharing=True,
        device=(
            Device(source="/dev/fuse", target="/dev/fuse", permissions="rwm"),
            Device(source="/dev/a", target="/dev/b", permissions="rwm"),
            Device(source="/dev/c", target="/dev/d", permissions="r"),
            Device(source="/dev/e", target="/dev/e", permissions="rw"),
        ),
        volume=(
            Volume(kind="bind", source="/data", target="/data", read_only=True),
            Volume(kind="volume", source="cache", target="/cache"),
            Volume(kind="bind", source="~/x", target="/x", relabel="z", propagation="rslave"),
        ),
        mount=(Volume(kind="tmpfs", source="", target="/scratch", size=G, mode=0o1777),),
        tmpfs={"/run": "", "/tmp": "size=64m,mode=1777"},
        network="training",
        add_host=("db:10.0.0.1", "me:host-gateway", "six:::1"),
        dns=("10.0.0.53", "::1"),
        publish=(
            Port(inside=8888, protocol="tcp"),
            Port(inside=6006, protocol="tcp", host=6006, ip="127.0.0.1"),
            Port(inside=9000, protocol="tcp"),
            Port(inside=7000, protocol="udp", host=7000),
            Port(inside=7001, protocol="udp", host=7001),
        ),
        hostname="worker-1",
        user="1000",
        group_add=("video", "44"),
        workdir="/work",
        entrypoint=("python", "-u", "a b.py"),
        label={"org.team": "vision", "n": "1"},
        init=False,
        ipc="host",
        pid="host",
        cap_add=("SYS_PTRACE", "NET_ADMIN"),
        cap_drop=("ALL",),
        security_opt=("no-new-privileges", "seccomp=unconfined"),
        privileged=True,
        platform="linux/arm64/v8",
        pull="missing",
        rm=False,
        timeout=5400.0,
        start_timeout=600.0,
        gpu_idle_stop=GpuIdleStop(below=5.0, seconds=1800.0),
        wandb="online",
        sync="ended",
        builder=BuilderConfig(
            base_image="python:3.11",
            accelerator="nvidia/cuda:12.4.1-runtime-ubuntu22.04",
            build_args={"JOBS": "4"},
            secrets=("HF_TOKEN",),
        ),
    )


def test_nothing_said_and_nulls_are_the_defaults():
    assert read({}) == ContainerConfig()
    assert read({key.name: None for key in SCHEMA.keys}) == ContainerConfig()
    assert (read({}).init, read({}).rm) == (True, True)


def test_the_schema_is_that_of_its_resource():
    assert schema_of(Resource.LOCAL_CONTAINER) is SCHEMA
    assert not SCHEMA.open
    assert all(key.help for key in SCHEMA.keys)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("gpus", "3", 3),
        ("gpus", "all", 0),
        ("memory", 0, 0),
        ("memory", "6m", 6 * M),
        ("memory-swap", "-1", -1),
        ("cpu-quota", -1, -1),
        ("cpu-quota", 50_000, 50_000),
        ("cpu-period", 100_000, 100_000),
        ("pids-limit", -1, -1),
        ("cpuset-cpus", "0", "0"),
        ("cpuset-cpus", 3, "3"),
        ("network", "host", "host"),
        ("network", " none ", "none"),
        ("network", "container:db.1", "container:db.1"),
        ("network", "${queue_name}", "${queue_name}"),
        ("ipc", "container:x", "container:x"),
        ("ipc", "shareable", "shareable"),
        ("pid", "container:x", "container:x"),
        ("user", "1000:1000", "1000:1000"),
        ("user", "nobody", "nobody"),
        ("user", "${author}", "${author}"),
        ("group-add", "video", ("video",)),
        ("group-add", 44, ("44",)),
        ("hostname", "${run_id}.job", "${run_id}.job"),
        ("publish", 80, (Port(inside=80, protocol="tcp"),)),
        ("publish", "[::1]:81:80/tcp", (Port(inside=80, protocol="tcp", host=81, ip="::1"),)),
        ("publish", ":80", (Port(inside=80, protocol="tcp"),)),
        ("dns", "1.1.1.1", ("1.1.1.1",)),
        ("entrypoint", ["sh", "-c", ""], ("sh", "-c", "")),
        ("entrypoint", "python", ("python",)),
        ("label", ["a.b=1", "c=x=y"], {"a.b": "1", "c": "x=y"}),
        ("label", "a/b=1", {"a/b": "1"}),
        ("env", "A=1", {"A": "1"}),
        ("ulimit", {"nofile": 1024}, {"nofile": (1024, 1024)}),
        ("init", "no", False),
        ("workdir", "/mnt/wandb/${run_id}", "/mnt/wandb/${run_id}"),
        ("cap-drop", "net_raw", ("NET_RAW",)),
        ("security-opt", "label:disable", ("label:disable",)),
        ("security-opt", "no-new-privileges:true", ("no-new-privileges:true",)),
        ("tmpfs", "/scratch/", {"/scratch": ""}),
        ("volume", "/a:/b:rw", (Volume(kind="bind", source="/a", target="/b"),)),
        ("volume", "v:/b:nocopy", (Volume(kind="volume", source="v", target="/b", copy=False),)),
        ("volume", "/d/${run_id}:/b", (Volume(kind="bind", source="/d/${run_id}", target="/b"),)),
        ("mount", "target=/b", (Volume(kind="volume", source="", target="/b"),)),
        ("mount", "type=bind,src=/a,dst=/b,ro",
         (Volume(kind="bind", source="/a", target="/b", read_only=True),)),
        ("mount", "type=bind,source=/a,destination=/b,readonly=false,bind-propagation=shared",
         (Volume(kind="bind", source="/a", target="/b", propagation="shared"),)),
        ("mount", '"source=/a,b",type=bind,target=/b',
         (Volume(kind="bind", source="/a,b", target="/b"),)),
        ("mount", "source=v,target=/b,volume-nocopy",
         (Volume(kind="volume", source="v", target="/b", copy=False),)),
        ("builder", {"cuda": {"base_image": "x"}}, BuilderConfig(accelerator="x")),
        ("builder", {"build_args": ["A=1"]}, BuilderConfig(build_args={"A": "1"})),
        ("builder", {"accelerator": None}, BuilderConfig()),
        ("builder", {}, BuilderConfig()),
    ],
)  # fmt: skip
def test_what_a_value_means(name, value, found):
    assert getattr(meaning({name: value}), name.replace("-", "_")) == found


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("cpus", -1, "cpus: -1 is not allowed (allowed: a number from 0 to 65536)"),
        ("cpus", "many", "cpus: 'many' is not allowed"),
        ("cpuset-cpus", "a", "cpuset-cpus: 'a' is not allowed (allowed: numbers and ranges"),
        ("cpuset-cpus", True, "cpuset-cpus: true is not allowed"),
        ("cpuset-mems", "0-", "cpuset-mems: '0-' is not allowed"),
        ("cpu-shares", -1, "cpu-shares: -1 is not allowed"),
        ("cpu-period", 999, "cpu-period: 999 is not allowed (allowed: a whole number from 1000 to"),
        ("cpu-quota", 10, "cpu-quota: 10 is not allowed"),
        ("memory", "1M", "memory: 1048576 is not allowed (allowed: 6M or more, such as 20G)"),
        ("memory", -1, "memory: -1 is not a size"),
        ("memory-swap", "lots", "memory-swap: 'lots' is not a size"),
        ("shm-size", "big", "shm-size: 'big' is not a size"),
        ("pids-limit", 0, "pids-limit: 0 is not allowed"),
        ("ulimit", {"nofil": 1}, "ulimit.nofil: is not a limit, did you mean nofile?"),
        ("gpus", "device=0", "gpus: 'device=0' is not allowed (allowed: a whole number from 0 to "
         "1024, or all)"),
        ("gpus", -1, "gpus: -1 is not allowed"),
        ("gpus", [0], "gpus: a list is not allowed"),
        ("device", "fuse", "device[0]: 'fuse' is not allowed (allowed: PATH, PATH:PATH or"),
        ("device", "/dev/a:/dev/b:x", "device[0]: '/dev/a:/dev/b:x' is not allowed"),
        ("device", "/dev/a:", "device[0]: '/dev/a:' is not allowed"),
        ("device", "/dev/a:/dev/b:/dev/c", "device[0]: '/dev/a:/dev/b:/dev/c' is not allowed"),
        ("volume", "/data", "volume[0]: '/data' is not allowed (allowed: HOST-PATH:PATH or"),
        ("volume", "data:/d:ro:z", "volume[0]: 'data:/d:ro:z' is not allowed"),
        ("volume", "./data:/d", "volume[0]: './data' is not allowed (allowed: an absolute path"),
        ("volume", "/a/../b:/d", "volume[0]: '/a/../b' is not allowed"),
        ("volume", "/a:/d/..", "volume[0]: '/d/..' is not allowed (allowed: an absolute path in"),
        ("volume", "/a:d", "volume[0]: 'd' is not allowed"),
        ("volume", "/a:/", "volume[0]: '/' is not allowed"),
        ("volume", "/a:/b:rx", "volume[0]: 'rx' is not allowed (allowed: ro, rw, z, Z, nocopy,"),
        ("volume", "/a:/b:nocopy", "volume[0]: 'nocopy' is not allowed"),
        ("volume", "v:/b:rshared", "volume[0]: 'rshared' is not allowed"),
        ("volume", ["/a:/b", 5], "volume[1]: 5 is not a text"),
        ("volume", "/a:/.launch-tui/token", "volume[0]: /.launch-tui/token is where launch_tui's"),
        ("mount", "type=bind,source=/a", "mount[0]: target is missing"),
        ("mount", "type=bind,target=/a", "mount[0] source: '' is not allowed"),
        ("mount", "type=bind,source=v,target=/a", "mount[0] source: 'v' is not allowed (allowed: "
         "what type=bind takes"),
        ("mount", "type=npipe,target=/a", "mount[0] type: 'npipe' is not allowed"),
        ("mount", "type=tmpfs,source=/x,target=/a", "mount[0] source: is not for type=tmpfs"),
        ("mount", "type=bind,source=/x,target=/a,tmpfs-size=1", "mount[0] tmpfs-size: is for "
         "type=tmpfs"),
        ("mount", "target=/a,target=/b", "mount[0]: target is given twice"),
        ("mount", "target=/a,dst=/b", "mount[0]: target is given twice"),
        ("mount", "target=/a,sourc=/b", "mount[0]: 'sourc' is not known, did you mean source?"),
        ("mount", "target=/a,readonly=perhaps", "mount[0] readonly: 'perhaps' is not allowed"),
        ("mount", "target", "mount[0] target: has no value (allowed: target=…)"),
        ("mount", "type=tmpfs,target=/a,tmpfs-mode=9", "mount[0] tmpfs-mode: '9' is not allowed"),
        ("mount", "type=bind,source=/x,target=/a,bind-propagation=x", "mount[0] bind-propagation:"),
        ("tmpfs", "run", "tmpfs[0]: 'run' is not allowed"),
        ("network", "", "network: '' is not allowed (allowed: bridge, host, none, container:NAME"),
        ("network", "a b", "network: 'a b' is not allowed"),
        ("network", "container:", "network: 'container:' is not allowed"),
        ("network", "name=x,alias=y", "network: 'name=x,alias=y' is not allowed"),
        ("ipc", "mine", "ipc: 'mine' is not allowed (allowed: private, shareable, none, host"),
        ("pid", "private", "pid: 'private' is not allowed (allowed: host, container:NAME)"),
        ("add-host", "db", "add-host[0]: 'db' is not allowed (allowed: HOST:IP"),
        ("add-host", "db:10.0.0.256", "add-host[0]: 'db:10.0.0.256' is not allowed"),
        ("add-host", "a b:10.0.0.1", "add-host[0]: 'a b:10.0.0.1' is not allowed"),
        ("dns", "example.org", "dns[0]: 'example.org' is not allowed (allowed: an IP address)"),
        ("publish", "http", "publish[0]: 'http' is not allowed (allowed: [[IP:]PORT:]PORT[/udp]"),
        ("publish", "0", "publish[0]: '0' is not allowed (allowed: ports from 1 to 65535)"),
        ("publish", 70_000, "publish[0]: '70000' is not allowed"),
        ("publish", "1:1/icmp", "publish[0]: '1:1/icmp' is not allowed"),
        ("publish", "1-2:1-3", "publish[0]: the two ranges of '1-2:1-3' have not the same length"),
        ("publish", "5-4", "publish[0]: '5-4' is not allowed"),
        ("publish", [True], "publish[0]: true is not a text"),
        ("hostname", "a_b", "hostname: 'a_b' is not allowed"),
        ("hostname", "a" * 64, "hostname: 'aaa"),
        ("user", "a b", "user: 'a b' is not allowed"),
        ("user", True, "user: true is not allowed"),
        ("user", ":1000", "user: ':1000' is not allowed"),
        ("group-add", ["a b"], "group-add[0]: 'a b' is not allowed"),
        ("workdir", "work", "workdir: 'work' is not allowed (allowed: an absolute path in the"),
        ("entrypoint", "", "entrypoint: '' is not allowed (allowed: a command"),
        ("entrypoint", "'a", "entrypoint: \"'a\" is not allowed (allowed: a text whose quotes are"),
        ("entrypoint", ["a", 1], "entrypoint: a list is not allowed"),
        ("entrypoint", 5, "entrypoint: 5 is not allowed"),
        ("label", {"launch-tui.run": "x"}, "label: 'launch-tui.run' is one of launch_tui's own"),
        ("label", {"": "x"}, "label: '' cannot be a label's name"),
        ("label", ["x"], "label[0]: 'x' has no '='"),
        ("env", ["HF_TOKEN"], "env[0]: 'HF_TOKEN' has no '=' (allowed: NAME=value)"),
        ("env", {"A B": 1}, "env: 'A B' cannot be a variable's name"),
        ("init", "perhaps", "init: 'perhaps' is not allowed (allowed: true or false)"),
        ("cap-add", "SYS_PTRAC", "cap-add[0]: 'SYS_PTRAC' is no capability, did you mean SYS_PTRA"),
        ("security-opt", "selinux=x", "security-opt[0]: 'selinux=x' is no security option"),
        ("security-opt", "seccomp", "security-opt[0]: 'seccomp' is no security option"),
        ("privileged", 5, "privileged: 5 is not allowed"),
        ("platform", "arm64", "platform: 'arm64' is not allowed (allowed: such as linux/amd64"),
        ("platform", "windows/amd64", "platform: 'windows/amd64' is not allowed"),
        ("pull", "sometimes", "pull: 'sometimes' is not allowed (allowed: always or missing or"),
        ("rm", 5, "rm: 5 is not allowed"),
        ("timeout", 0, "timeout: 0 is not allowed"),
        ("gpu_idle_stop", {"below": 5}, "gpu_idle_stop: for is missing"),
        ("builder", {"base_image": "A B"}, "builder.base_image: 'A B'"),
        ("builder", {"base_image": 3.11}, "builder.base_image: 3.11 is a number"),
        ("builder", {"accelerator": {"image": "x"}}, "builder.accelerator.image: is not a key of "
         "accelerator, did you mean base_image?"),
        ("builder", {"accelerator": "cuda"}, "builder.accelerator: 'cuda' is not allowed"),
        ("builder", {"secrets": ["a b"]}, "builder.secrets[0]: 'a b' cannot be a variable's name"),
        ("builder", {"build-args": ["A"]}, "builder.build-args[0]: 'A' has no '='"),
        ("builder", {"cuda": {}, "accelerator": {}}, "builder.accelerator: means accelerator,"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused(name, value, line):
    assert refusal({name: value}).startswith(f"-c {line}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("name", "the container is named after its run"),
        ("restart", "a run is tried again by --retries, as a new attempt"),
        ("command", "the job says what is run; entrypoint replaces the image's"),
        ("tty", "a job has no terminal"),
        ("log_driver", "the output goes into the run's own log"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_the_reason(name, reason):
    assert refusal({name: "x"}).startswith(f"-c {name}: is not for local-container: {reason}")


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"cpus": 1, "cpu-quota": 50_000}, "-c cpus: says the same as cpu-quota"),
        ({"cpus": 1, "cpu-period": 50_000}, "-c cpus: says the same as cpu-quota"),
        ({"memory": "1G", "memory-reservation": "2G"}, "-c memory-reservation: is above memory"),
        ({"memory": "1G", "memory-swap": "512m"}, "-c memory-swap: is below memory"),
        ({"memory-swap": "1G"}, "-c memory-swap: is for memory and swap together"),
        ({"network": "host", "publish": 80}, "-c publish: has no effect with network host"),
        ({"network": "container:x", "hostname": "a"}, "-c hostname: has no effect with network"),
        ({"volume": ["/a:/x", "/b:/x/"]}, "-c: /x is given twice"),
        ({"volume": "/a:/x", "tmpfs": "/x"}, "-c: /x is given twice"),
        ({"mount": "target=/x", "tmpfs": "/x"}, "-c: /x is given twice"),
    ],
)
def test_what_cannot_stand_together_is_refused(config, line):
    assert refusal(config).startswith(line)
    if len(config) > 1:
        # What a hole will be filled with may go well with the rest.
        first = next(iter(config))
        check(SCHEMA, {**config, first: "{{h}}"}, owner=True, field="-c", holes_allowed=True)


@pytest.mark.parametrize(
    "config",
    [
        {"cpu-quota": 50_000, "cpu-period": 100_000},
        {"memory": "1G", "memory-swap": "1G", "memory-reservation": "1G"},
        {"memory": "1G", "memory-swap": -1},
        {"memory-swap": -1},
        {"network": "host", "hostname": "a", "add-host": "b:1.1.1.1"},
        {"volume": ["/a:/x", "/a:/y"], "tmpfs": "/z"},
    ],
)
def test_what_can_stand_together_is_taken(config):
    assert check(SCHEMA, config, owner=True, field="-c") == config


OWNERS = {
    "device": "/dev/fuse",
    "volume": "/a:/b",
    "mount": "target=/x",
    "publish": 80,
    "env-file": "a.env",
    "pid": "host",
    "cap-add": "SYS_PTRACE",
    "security-opt": "seccomp=unconfined",
    "privileged": True,
    "gpu_sharing": True,
    "gpu_idle_stop": {"below": 5, "for": "5m"},
}


@pytest.mark.parametrize("name", OWNERS)
def test_what_gives_more_of_the_machine_is_the_owners(name):
    config = {name: OWNERS[name]}
    assert check(SCHEMA, config, owner=True, field="-c") == config
    assert refusal(config, owner=False).startswith(f"-R {name}: is set by the queue's owner")


def test_nothing_else_is_the_owners_whatever_its_value():
    assert {key.name for key in SCHEMA.keys if not key.for_launches} == set(OWNERS)


@pytest.mark.parametrize(
    ("name", "value"),
    [("network", "host"), ("net", " host"), ("network", "container:db"), ("ipc", "host"),
     ("ipc", "container:x")],
)  # fmt: skip
def test_some_values_are_the_owners(name, value):
    check(SCHEMA, {name: value}, owner=True, field="-c")
    line = refusal({name: value}, owner=False)
    assert line.startswith(f"-R {name}: {value!r} is set by the queue's owner and not by a launch")


@pytest.mark.parametrize(
    ("name", "value"),
    [("network", "none"), ("network", "training"), ("ipc", "private"), ("user", "1000:0"),
     ("cap-drop", "ALL"), ("pull", "never"), ("gpus", "all"), ("rm", False), ("tmpfs", "/x"),
     ("user", None)],
)  # fmt: skip
def test_the_others_are_everybodys(name, value):
    assert check(SCHEMA, {name: value}, owner=False, field="-R") == {name: value}


@pytest.mark.parametrize("user", ["root", "0:1000", 0])
def test_a_launch_has_no_more_rights_in_what_is_mounted_than_the_agent(user, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    check(SCHEMA, {"user": user}, owner=True, field="-c")
    assert refusal({"user": user}, owner=False).startswith(f"-R user: {user!r} is set by the queue")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    check(SCHEMA, {"user": user}, owner=False, field="-R")


@pytest.mark.parametrize(
    ("written", "name"),
    [("e", "env"), ("m", "memory"), ("v", "volume"), ("w", "workdir"), ("u", "user"),
     ("p", "publish"), ("l", "label"), ("h", "hostname"), ("net", "network"),
     ("shm_size", "shm-size"), ("env_file", "env-file"), ("cap_add", "cap-add"),
     ("gpu-memory", "gpu_memory"), ("start-timeout", "start_timeout")],
)  # fmt: skip
def test_dockers_short_names_and_underscores_stand_for_the_key(written, name):
    value = EVERYTHING[name]
    once = check(SCHEMA, {written: value}, owner=True, field="-c")
    assert once == check(SCHEMA, {name: value}, owner=True, field="-c")
    assert list(once) == [name]


@pytest.mark.parametrize(
    ("word", "key"),
    [("cpu", "cpus"), ("mem", "memory"), ("volumes", "volume"), ("num_gpus", "gpus"),
     ("ports", "publish"), ("labels", "label"), ("extra_hosts", "add-host"), ("shm", "shm-size"),
     ("working_dir", "workdir"), ("environment", "env"), ("time_limit", "timeout")],
)  # fmt: skip
def test_other_words_lead_to_ours(word, key):
    assert f"did you mean {key}?" in refusal({word: 1})


def test_what_is_the_owners_is_not_offered_to_a_launch():
    assert "privileged" not in refusal({"privilege": 1}, owner=False)
    assert "did you mean privileged?" in refusal({"privilege": 1})


@pytest.mark.parametrize(
    "config",
    [
        {"gpus": "{{g}}", "memory": "{{m}}G", "network": "{{n}}", "volume": ["{{v}}:/data"]},
        {"env": {"A": "{{a}}"}, "label": {"x.y": "{{a}}"}, "publish": ["{{p}}"]},
        {"builder": {"accelerator": {"base_image": "{{i}}"}}, "entrypoint": ["{{e}}"]},
    ],
)
def test_holes_wait_for_their_values(config):
    assert check(SCHEMA, config, owner=True, field="-c", holes_allowed=True) == config


def test_a_launch_lays_names_on_those_of_the_queue():
    queue = check(SCHEMA, {"e": ["A=1", "B=1"], "l": "x=1"}, owner=True, field="-c")
    launch = check(SCHEMA, {"env": "B=2", "label": {"y": 2}}, owner=False, field="-R")
    assert read(merged(queue, launch)).env == {"A": "1", "B": "2"}
    assert read(merged(queue, launch)).label == {"x": "1", "y": "2"}


def test_what_is_asked_of_the_machine():
    assert request({"shm-size": "1G"}).empty
    config = {"gpus": 2, "gpu_memory": "1G", "cpus": 3, "memory": "2G", "gpu_sharing": True}
    assert SCHEMA.request(config) == Request(
        gpus=2, gpu_memory=G, cpus=3.0, memory=2 * G, sharing=True
    )
    assert request({"gpus": "all"}) == Request(every_gpu=True)
    assert request({"gpus": "2", "memory": None}) == Request(gpus=2)
    assert read({"gpus": "all"}).every_gpu


def test_a_configuration_of_wandbs_is_taken_as_it_is():
    config = {
        "resource_args": {
            "local-container": {
                "gpus": "all",
                "env": ["MY_EXISTING_ENV_VAR=x"],
                "volume": ["/mnt/datasets:/mnt/datasets"],
                "shm-size": "8g",
                "builder": {"accelerator": {"base_image": "tensorflow/tensorflow:latest-gpu"}},
            }
        }
    }
    plain = check(SCHEMA, unwrap(config, Resource.LOCAL_CONTAINER), owner=True, field="-c")
    assert read(plain).every_gpu
    assert read(plain).builder.accelerator == "tensorflow/tensorflow:latest-gpu"


texts = st.text("ab:/.,=~-0 1[]$", max_size=12)


@given(
    st.sampled_from(sorted(key.name for key in SCHEMA.keys)), texts | st.lists(texts, max_size=3)
)
def test_any_text_is_read_or_refused_by_name(name, value):
    told = f"-c {name}"
    try:
        check(SCHEMA, {name: value}, owner=True, field="-c")
    except UsageError as error:
        told = str(error)
    assert re.match(rf"-c {re.escape(name)}\b[^\n]*\Z", told)


@given(texts, texts)
def test_a_volume_never_climbs_and_never_covers_what_is_ours(source, target):
    try:
        (volume,) = meaning({"volume": [f"{source}:{target}"]}).volume
    except UsageError:
        return
    assert ".." not in volume.source.split("/")
    assert volume.target.startswith("/")
    assert ".." not in volume.target.split("/")
    assert not volume.target.startswith("/.launch-tui")


@given(st.integers(0, 70_000), st.integers(0, 70_000), st.sampled_from(["", "/tcp", "/udp"]))
def test_ports_are_within_their_bounds(host, inside, protocol):
    try:
        (port,) = meaning({"publish": f"{host}:{inside}{protocol}"}).publish
    except UsageError:
        assert not (1 <= host <= 65_535 and 1 <= inside <= 65_535)
    else:
        assert (port.host, port.inside) == (host, inside)
        assert port.protocol == (protocol.strip("/") or "tcp")


def test_a_launch_that_checks_a_configuration_loads_neither_docker_nor_how_others_are_read():
    code = (
        "import sys; from launch_tui.targets.schemas import schema_of;"
        "from launch_tui.domain.queue import Resource;"
        "from launch_tui.domain.resource_config import check;"
        "schema = schema_of(Resource.LOCAL_CONTAINER);"
        "check(schema, {'gpus': 1, 'memory': '1G', 'env': {'A': 1}}, owner=True, field='-c');"
        "dear = {'docker', 'httpx', 'asyncio', 'csv', 'launch_tui.domain.slots',"
        " 'launch_tui.targets.container_values', 'launch_tui.targets.container_config'};"
        "sys.exit(', '.join(dear & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
