"""What the engine is asked to create, where this machine's engine cannot show it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from launch_tui.domain.attempt import Attempt
from launch_tui.domain.container import BuiltImage, ContainerRequest, Mount
from launch_tui.engine.facts import read_facts
from launch_tui.errors import StartFailed
from launch_tui.targets.container_gpus import check_gpus, gpu_options
from launch_tui.targets.container_launcher import SCRIPT
from launch_tui.targets.container_options import Order, body
from launch_tui.targets.local_container_keys import read

IMAGE = BuiltImage(reference="python:3.11", id="sha256:1", digest="sha256:2", user="app")


FACTS = read_facts(
    {"ApiVersion": "1.48", "Version": "28.0", "Os": "linux", "Arch": "amd64"},
    {"Name": "vm", "Runtimes": {"runc": {}}, "SecurityOptions": [], "CgroupVersion": "2"},
)


def engine(**changed):
    return replace(FACTS, **changed)


@pytest.fixture
def made(tmp_path):
    """Returns ``made(options, environment=…, facts=…, **request)``: the engine's request."""

    def make(options=None, *, environment=None, facts=None, **request):
        attempt = Attempt(
            run_id="run",
            number=2,
            directory=tmp_path / "2",
            command=("python", "x.py"),
            working_directory=tmp_path,
            environment=environment or {},
        )
        config = read(options or {})
        order = Order(
            attempt=attempt,
            request=ContainerRequest(image=IMAGE, **request),
            config=config,
            facts=facts or engine(),
            labels={"launch-tui.run": "run"},
            shell=("/bin/sh",),
        )
        found = body(order)
        json.dumps(found)
        return found

    return make


def test_a_container_of_which_nothing_is_said(made, tmp_path):
    found = made()
    assert found["Image"] == "sha256:1"
    assert found["Entrypoint"] == ["/bin/sh", "-c", SCRIPT, "launch-tui"]
    assert found["Cmd"] == ["python", "x.py"]
    assert found["User"] == f"{os.getuid()}:{os.getgid()}"
    assert found["Labels"] == {"launch-tui.run": "run"}
    assert {*found} == {"Image", "Entrypoint", "Cmd", "Env", "User", "Labels", "HostConfig"}
    host = found["HostConfig"]
    assert host["Init"] is True
    assert {*host} == {"Mounts", "Init", "LogConfig"}
    assert [(each["Source"], each["Target"]) for each in host["Mounts"]] == [
        (str(tmp_path / "2/output.log"), "/.launch-tui/output.log"),
        (str(tmp_path / "2/token"), "/.launch-tui/token"),
    ]


def test_variables_of_the_job_and_ours(made):
    found = made(environment={"A": "x=y", "B": ""})["Env"]
    assert found == [
        "A=x=y",
        "B=",
        "LAUNCH_TUI_HANDLE=run.2",
        "TINI_KILL_PROCESS_GROUP=1",
        "NVIDIA_VISIBLE_DEVICES=void",
    ]


def test_a_job_without_gpus_sees_none_unless_it_is_told_so(made):
    given = made(environment={"NVIDIA_VISIBLE_DEVICES": "all"})["Env"]
    assert "NVIDIA_VISIBLE_DEVICES=all" in given
    gpus = made(gpus=("GPU-1",), facts=engine(runtimes=("nvidia", "runc")))["Env"]
    assert not [pair for pair in gpus if pair.startswith("NVIDIA")]
    assert "TINI_KILL_PROCESS_GROUP=1" not in made({"init": False})["Env"]


@pytest.mark.parametrize(("name", "value"), [("", "x"), ("A=B", "x"), ("A", "x\0"), ("A\0", "x")])
def test_a_variable_that_cannot_be_is_refused(made, name, value):
    with pytest.raises(StartFailed, match="not a name or value for an environment variable"):
        made(environment={name: value})


def test_the_places_of_the_command(made):
    assert made(working_directory="/mnt/wandb")["WorkingDir"] == "/mnt/wandb"
    found = made({"workdir": "/w"}, working_directory="/mnt/wandb")
    assert found["WorkingDir"] == "/w"


@pytest.mark.parametrize(
    ("options", "facts", "user", "mode"),
    [
        ({}, {"rootless": True}, "0:0", None),
        ({"user": "1:2"}, {"rootless": True}, "1:2", None),
        ({}, {"userns_remapped": True}, f"{os.getuid()}:{os.getgid()}", "host"),
        ({"user": "nobody"}, {}, "nobody", None),
    ],
)
def test_whom_a_job_runs_as(made, options, facts, user, mode):
    found = made(options, facts=engine(**facts))
    assert (found["User"], found["HostConfig"].get("UsernsMode")) == (user, mode)


def test_gpus_of_nvidia_are_asked_for_by_their_ids(made):
    facts = engine(runtimes=("nvidia", "runc"), has_nvidia=True)
    host = made(gpus=("GPU-1", "MIG-2"), facts=facts)["HostConfig"]
    assert host["DeviceRequests"] == [
        {"DeviceIDs": ["GPU-1", "MIG-2"], "Capabilities": [["gpu"]]}
    ]  # fmt: skip
    by_cdi = made(gpus=("GPU-1",), facts=engine(has_nvidia=True))["HostConfig"]
    assert by_cdi["DeviceRequests"] == [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-1"]}]


def test_gpus_of_amd_are_devices(tmp_path):
    (tmp_path / "dri").mkdir()
    for name in ("kfd", "dri/renderD128"):
        (tmp_path / name).touch()
    found = gpu_options(("AMD-1", "AMD-2"), engine(), tmp_path)
    assert [each["PathOnHost"] for each in found["Devices"]] == [
        f"{tmp_path}/kfd",
        f"{tmp_path}/dri",
    ]
    own = (tmp_path / "kfd").stat().st_gid
    assert found["GroupAdd"] == ([str(own)] if own else [])
    assert "DeviceRequests" not in found


def test_devices_and_groups_of_the_configuration_stay_beside_those_of_gpus(made):
    host = made({"device": "/dev/fuse", "group-add": "video"}, gpus=("AMD-1",))["HostConfig"]
    assert [each["PathOnHost"] for each in host["Devices"]] == ["/dev/fuse", "/dev/kfd", "/dev/dri"]
    assert "video" in host["GroupAdd"]


def test_an_engine_without_nvidias_runtime_is_told_of_before_the_start():
    with pytest.raises(StartFailed, match="nvidia-container-toolkit"):
        check_gpus(("GPU-1",), engine())
    check_gpus(("GPU-1",), engine(has_nvidia=True))
    check_gpus(("AMD-1",), engine())
    check_gpus((), engine())


def test_sources_with_a_label_of_selinux_go_the_older_way(made):
    host = made({"volume": ["/a:/b:z,ro", "v:/c:Z,nocopy", "~/d:/d:z,rslave"]})["HostConfig"]
    home = Path("~/d").expanduser()
    assert host["Binds"] == ["/a:/b:z,ro", "v:/c:Z,rw,nocopy", f"{home}:/d:z,rw,rslave"]
    assert len(host["Mounts"]) == 2


def test_sources_as_mounts(made):
    options = {
        "volume": ["~/d:/d", "/a:/b:ro,rshared", "v:/v:nocopy"],
        "mount": ["target=/anonymous", "type=tmpfs,target=/t,tmpfs-size=1k,tmpfs-mode=700"],
    }
    found = made(options, mounts=(Mount(source=Path("/s"), target="/m", read_only=True),))
    host = found["HostConfig"]
    assert host["Mounts"][2:] == [
        {"Type": "bind", "Source": "/s", "Target": "/m", "ReadOnly": True},
        {
            "Type": "bind",
            "Source": str(Path("~/d").expanduser()),
            "Target": "/d",
            "ReadOnly": False,
        },
        {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True,
         "BindOptions": {"Propagation": "rshared"}},
        {"Type": "volume", "Source": "v", "Target": "/v", "ReadOnly": False,
         "VolumeOptions": {"NoCopy": True}},
        {"Type": "volume", "Source": "", "Target": "/anonymous", "ReadOnly": False,
         "VolumeOptions": {"NoCopy": False}},
        {"Type": "tmpfs", "Target": "/t", "ReadOnly": False,
         "TmpfsOptions": {"SizeBytes": 1024, "Mode": 0o700}},
    ]  # fmt: skip


def test_a_seccomp_profile_is_read_from_its_file(made, tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    options = {"security-opt": [f"seccomp={profile}", "no-new-privileges", "seccomp=unconfined"]}
    assert made(options)["HostConfig"]["SecurityOpt"] == [
        'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}',
        "no-new-privileges",
        "seccomp=unconfined",
    ]
    with pytest.raises(StartFailed, match=r"seccomp profile .*nosuch\.json cannot be read"):
        made({"security-opt": f"seccomp={tmp_path}/nosuch.json"})


def test_paths_of_the_system_that_are_hidden_else(made):
    host = made({"security-opt": "systempaths=unconfined"})["HostConfig"]
    assert (host["MaskedPaths"], host["ReadonlyPaths"]) == ([], [])
    assert "SecurityOpt" not in host


def test_labels_of_the_agent_and_ours_win(made):
    found = made({"label": {"a": "1", "b": "1"}}, labels={"b": "2"})
    assert found["Labels"] == {"a": "1", "b": "2", "launch-tui.run": "run"}


def test_ports(made):
    found = made({"publish": ["8888", "127.0.0.1:1:1", "2:1/udp", "3:1/udp"]})
    assert found["ExposedPorts"] == {"8888/tcp": {}, "1/tcp": {}, "1/udp": {}}
    assert found["HostConfig"]["PortBindings"] == {
        "8888/tcp": [{"HostIp": "", "HostPort": ""}],
        "1/tcp": [{"HostIp": "127.0.0.1", "HostPort": "1"}],
        "1/udp": [{"HostIp": "", "HostPort": "2"}, {"HostIp": "", "HostPort": "3"}],
    }
