"""The engine's words when it refuses, as Docker 20 to 28 and Podman have them."""

from __future__ import annotations

import pytest

from launch_tui.errors import EngineError
from launch_tui.targets.container_refusal import plain, start_failure

SHIM = "failed to create shim task: OCI runtime create failed: runc create failed: "
OLD = "OCI runtime create failed: container_linux.go:380: starting container process caused: "


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (SHIM + 'unable to start container process: exec: "x": executable file not found in $PATH',
         'exec: "x": executable file not found in $PATH'),
        (OLD + 'exec: "x": permission denied', 'exec: "x": permission denied'),
        ("failed to create task for container: failed to create shim task: OCI runtime create "
         "failed: runc create failed: unable to start container process: error during container "
         "init: error mounting x", "error mounting x"),
        ("crun: cannot find x", "cannot find x"),
        ("no way", "no way"),
    ],
)  # fmt: skip
def test_who_handed_the_words_on_is_left_out(words, cause):
    assert plain(words) == cause


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        ('could not select device driver "" with capabilities: [[gpu]]', "nvidia-ctk"),
        (SHIM + "error running hook #0: nvidia-container-cli: initialization error", "nvidia-cont"),
        ("unresolvable CDI devices nvidia.com/gpu=GPU-1", "nvidia-container-toolkit"),
        ("driver failed programming external connectivity on endpoint x (ab): Bind for 0.0.0.0:80 "
         "failed: port is already allocated", "Publish another port"),
        ("network x not found", "docker network create"),
        ("unable to find user x: no matching entries in passwd file", "as numbers"),
        ("Unable to find group x: no matching entries in group file", "as numbers"),
        ("Requested CPUs are not available - requested 9, available: 0-1", "Correct the CPUs"),
        ("Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", "the CPUs"),
        ("write /var/lib/docker/x: no space left on device", "Free some space"),
        ("No such image: sha256:ab", "Rerun"),
        ("Duplicate mount point: /x", "at one place"),
        (SHIM + "exec format error", "platform"),
        (SHIM + "error setting rlimit type 7: operation not permitted", "ulimit"),
        ("No such container: db", "is to be shared"),
        ('error gathering device information while adding custom device "/dev/x": no such file',
         "Correct `device`"),
        ("something else", "see `launch-tui doctor`"),
    ],
)  # fmt: skip
def test_what_to_do_is_told(words, next_step):
    failure = start_failure(EngineError(words))
    assert next_step in failure.next_step
    assert failure.phase == "start"
    assert "\n" not in str(failure)


def test_the_engines_own_advice_comes_before_the_general(tmp_path):
    failure = start_failure(EngineError("something else", next_step="Turn it off and on"))
    assert failure.next_step == "Turn it off and on"


@pytest.mark.parametrize(
    "words",
    [
        'invalid mount config for type "bind": bind source path does not exist: {path}',
        "statfs {path}: no such file or directory",
    ],
)
def test_a_source_that_is_not_there_and_one_that_the_engine_does_not_see(tmp_path, words):
    missing, there = tmp_path / "a b", tmp_path
    failure = start_failure(EngineError(words.format(path=missing)))
    assert failure.cause == f"{missing} is to be mounted and is not there"
    failure = start_failure(EngineError(words.format(path=there)))
    assert failure.cause == f"the Docker engine does not see {there}, which is on this machine"
