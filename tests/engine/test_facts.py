"""What is read out of an engine's answers, those that no engine of this machine gives too."""

from __future__ import annotations

import pytest

from launch_tui.engine.facts import read_facts, read_image
from launch_tui.engine.failure import LONGEST_CAUSE, one_line

VERSION = {"ApiVersion": "1.44", "Version": "25.0", "Os": "linux", "Arch": "arm64"}


def facts(version=None, **info):
    return read_facts({**VERSION, **(version or {})}, info)


def test_an_ordinary_engine():
    found = facts(Name="box", ID="x", OSType="linux", CgroupVersion="2", Runtimes={"runc": {}})
    assert (found.version, found.platform, found.cgroup_version) == ("25.0", "linux/arm64", 2)
    assert (found.podman, found.rootless, found.userns_remapped) == (False, False, False)
    assert (found.runtimes, found.has_nvidia, found.buildkit) == (("runc",), False, True)


def test_an_engine_that_says_next_to_nothing():
    found = read_facts({"ApiVersion": "1.40"}, {})
    assert (found.os, found.cgroup_version, found.runtimes, found.insecure) == ("linux", 1, (), ())


def test_rootless_and_remapped_engines():
    assert facts(SecurityOptions=["name=seccomp,profile=default", "name=rootless"]).rootless
    assert facts(SecurityOptions=["name=userns"]).userns_remapped
    assert not facts(SecurityOptions=None).rootless


def test_podman_builds_without_buildkit():
    found = facts({"Components": [{"Name": "Podman Engine"}, {"Name": "OCI Runtime (crun)"}]})
    assert found.podman
    assert not found.buildkit


@pytest.mark.parametrize(
    "info",
    [
        {"Runtimes": {"runc": {}, "nvidia": {"path": "nvidia-container-runtime"}}},
        {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]},
    ],
)
def test_an_engine_that_hands_out_gpus(info):
    assert facts(**info).has_nvidia


def test_gpus_described_for_cdi(tmp_path):
    assert not facts(CDISpecDirs=[str(tmp_path), str(tmp_path / "none")]).has_nvidia
    (tmp_path / "other.yaml").write_text("kind: vendor.com/thing\n")
    assert not facts(CDISpecDirs=[str(tmp_path)]).has_nvidia
    (tmp_path / "nvidia.yaml").write_text("cdiVersion: 0.5.0\nkind: nvidia.com/gpu\n")
    assert facts(CDISpecDirs=[str(tmp_path)]).has_nvidia


def test_registries_that_are_not_checked():
    found = facts(
        RegistryConfig={
            "InsecureRegistryCIDRs": ["127.0.0.0/8"],
            "IndexConfigs": {
                "docker.io": {"Secure": True},
                "box:5000": {"Secure": False},
            },
        }
    )
    assert found.insecure == ("127.0.0.0/8", "box:5000")


def test_an_image_with_everything():
    config = {
        "Entrypoint": ["/run"],
        "Cmd": None,
        "WorkingDir": "/app",
        "User": "1000",
        "Env": ["A=b=c", "EMPTY="],
    }
    digests = ["other.io/x@sha256:1", "ghcr.io/x@sha256:2"]
    inspected = {"Id": "abc", "RepoDigests": digests, "Config": config}
    found = read_image(inspected, "ghcr.io/x:1", None)
    assert (found.id, found.digest) == ("sha256:abc", "sha256:1")
    assert (found.entry_point, found.command) == (("/run",), ())
    assert (found.working_directory, found.user) == ("/app", "1000")
    assert found.variables == {"A": "b=c", "EMPTY": ""}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Error response from daemon: no such thing", "no such thing"),
        ("rpc error: code = Unknown desc = a\n  b", "a b"),
        ("OCI runtime create failed: x: unknown", "OCI runtime create failed: x"),
        ("  ", ""),
        ("x" * 1000, "x" * (LONGEST_CAUSE - 1) + "…"),
    ],
)
def test_the_engines_words_on_one_line(words, told):
    assert one_line(words) == told
