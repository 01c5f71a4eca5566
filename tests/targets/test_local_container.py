"""The verbs of the local-container target, on the real engine."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from launch_tui.domain.attempt import Ended, EndKind, Running
from launch_tui.domain.container import Mount
from launch_tui.errors import DiskFull, StartFailed
from launch_tui.targets import local_container, records
from launch_tui.targets.container_launcher import TOKEN_FOLDER
from launch_tui.targets.local_container import LocalContainer
from launch_tui.targets.processes import alive, identify
from tests.targets.docker_attempts import remove_all

M = 1024**2


def log(attempt):
    return (attempt.directory / "output.log").read_bytes()


def name_of(pid):
    return Path(f"/proc/{pid}/comm").read_text().strip()


async def started(target, attempt):
    await target.prepare(attempt)
    return await target.start(attempt)


@pytest.fixture
def ran(docker_target, outcome):
    """Returns ``ran(attempt)``: how it ended, after its whole life."""

    async def run(attempt):
        statuses = await outcome(docker_target, await started(docker_target, attempt))
        return statuses[-1]

    return run


@pytest.fixture
def said(ran, make_python_container):
    """Returns ``said(code, **options)``: the JSON that a job in a container prints."""

    async def run(code, **more):
        attempt = make_python_container(f"import json, os\nprint(json.dumps({code}))", **more)
        ended = await ran(attempt)
        assert ended.exit_code == 0, log(attempt)
        return json.loads(log(attempt))

    return run


# A life


async def test_a_job_runs_and_its_outcome_is_told(
    docker_target, make_container, outcome, inspected
):
    attempt = make_container("sh", "-c", "echo out; echo err >&2; exit 3")
    handle = await started(docker_target, attempt)
    running, ended = await outcome(docker_target, handle)
    assert isinstance(running, Running)
    assert abs(running.started_at - time.time()) < 30
    assert (ended.kind, ended.exit_code, ended.oom) == (EndKind.EXITED, 3, False)
    assert running.started_at <= ended.ended_at <= time.time()
    assert log(attempt) == b"out\nerr\n"
    assert inspected(handle)["State"]["ExitCode"] == 3
    await docker_target.forget(handle)
    assert inspected(handle) is None
    await docker_target.forget(handle)


async def test_the_container_is_found_by_its_name_and_labels(
    docker_target, make_container, inspected, home, outcome
):
    attempt = make_container("true", label={"team": "vision"}, request={"labels": {"q": "gpu"}})
    handle = await started(docker_target, attempt)
    assert handle.container == f"launch-tui-{attempt.run_id}.1"
    labels = inspected(handle)["Config"]["Labels"]
    assert labels["launch-tui.run"] == attempt.run_id
    assert labels["launch-tui.attempt"] == "1"
    assert labels["launch-tui.home"] == str(home)
    assert (labels["team"], labels["q"]) == ("vision", "gpu")
    await outcome(docker_target, handle)


async def test_while_it_runs_its_processes_are_known_on_this_machine(
    docker_target, make_container, until
):
    attempt = make_container("sh", "-c", "sleep 600 & sleep 600 & wait")
    handle = await started(docker_target, attempt)
    statuses = docker_target.watch(handle)
    running = await anext(statuses)
    assert (alive(identify(running.pid)), docker_target.pids(handle)[0] > 0) == (True, True)
    pids = await until(lambda: len(found := docker_target.pids(handle)) == 4 and found)
    assert sorted(map(name_of, pids)) == ["docker-init", "sh", "sleep", "sleep"]
    assert name_of(running.pid) == "sh"
    await docker_target.stop(handle, 0)
    assert (await anext(statuses)).exit_code == -signal.SIGKILL
    assert docker_target.pids(handle) == []


async def test_the_end_is_seen_at_once(docker_target, make_container, home):
    os.mkfifo(home / "gate")
    attempt = make_container(
        "sh", "-c", "read line < /gate/gate", mounts=(Mount(source=home, target="/gate"),)
    )
    statuses = docker_target.watch(await started(docker_target, attempt))
    assert isinstance(await anext(statuses), Running)
    await asyncio.to_thread((home / "gate").write_text, "go\n")
    ended = await anext(statuses)
    assert time.time() - ended.ended_at < 2


# Output


CHUNKS = """\
import os, hashlib
data = b"".join(hashlib.sha512(b"%d" % n).digest() for n in range(50_000))
for at in range(0, len(data), 7001):
    os.write(1 + (at // 7001) % 2, data[at : at + 7001])
"""


async def test_output_is_byte_for_byte_what_was_written(ran, make_python_container):
    attempt = make_python_container(CHUNKS)
    assert (await ran(attempt)).exit_code == 0
    expected = b"".join(hashlib.sha512(b"%d" % n).digest() for n in range(50_000))
    assert len(expected) > 3_000_000
    assert log(attempt) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("os.write(1, b'no newline')", b"no newline"),
        ("os.write(1, b'a\\0b\\0\\n\\0')", b"a\0b\0\n\0"),
        ("os.write(1, b'x' * 1_000_000)", b"x" * 1_000_000),
        ("[os.write(1 + n % 2, b'%d\\n' % n) for n in range(5000)]",
         b"".join(b"%d\n" % n for n in range(5000))),
        ("None", b""),
    ],
)  # fmt: skip
async def test_output_of_every_shape(ran, make_python_container, code, expected):
    attempt = make_python_container(f"import os\n{code}")
    await ran(attempt)
    assert log(attempt) == expected


async def test_output_is_there_while_the_job_runs(docker_target, make_container, until):
    attempt = make_container("sh", "-c", "printf live; sleep 600")
    handle = await started(docker_target, attempt)
    await until(lambda: log(attempt) == b"live")
    await docker_target.stop(handle, 0)


# Images


@pytest.fixture
def tiny(tiny_image, image_of):
    return image_of(tiny_image)


async def test_an_image_without_a_shell_is_as_good_as_any(
    docker_target, make_container, ran, tiny, inspected, home
):
    chatter = (
        'i=0; while [ $i -lt 2000 ]; do echo $i; echo $i >&2; i=$((i+1)); done; printf "\\377"'
    )
    attempt = make_container("/busybox", "sh", "-c", f"{chatter}; exit 5", image=tiny)
    assert (await ran(attempt)).exit_code == 5
    expected = "".join(f"{n}\n{n}\n" for n in range(2000)).encode() + b"\xff"
    assert log(attempt) == expected
    again = make_container("/busybox", "env", image=tiny, environment={"A": "b"})
    handle = await started(docker_target, again)
    assert [each["Destination"] for each in inspected(handle)["Mounts"] if not each["RW"]] == [
        "/.launch-tui/shell"
    ]
    assert len(list((home / "shell").iterdir())) == 1
    async for status in docker_target.watch(handle):
        ended = status
    assert ended.exit_code == 0
    lines = log(again).decode().splitlines()
    assert "A=b" in lines
    assert not [line for line in lines if line.startswith("LD_")]


async def test_what_an_image_without_a_shell_does_not_have(ran, make_container, tiny):
    for command, cause in (("nosuch", "command not found: nosuch"), ("/tmp", "permission denied")):
        ended = await ran(make_container(command, image=tiny))
        assert ended.kind is EndKind.NOT_STARTED
        assert ended.cause.startswith(cause)


async def test_a_shell_that_cannot_be_lent_is_told(
    docker_target, make_container, tiny, home, inspected
):
    (home / "shell").write_text("in the way")
    attempt = make_container("/busybox", "true", image=tiny)
    with pytest.raises(StartFailed, match=r"the image has no /bin/sh, and this machine's cannot"):
        await started(docker_target, attempt)
    assert inspected(local_container._handle(attempt, "")) is None


async def test_an_image_whose_shell_is_busybox(ran, make_container, ash_image, image_of):
    attempt = make_container(
        "/busybox", "sh", "-c", "echo $0 ran; exit 4", image=image_of(ash_image)
    )
    assert (await ran(attempt)).exit_code == 4
    assert log(attempt) == b"sh ran\n"
    ended = await ran(make_container("nosuch", image=image_of(ash_image)))
    assert ended.cause == "command not found: nosuch"


# Ends


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("exit 0", 0), ("exit 42", 42), ("exit 96", 96), ("exit 97", 97), ("exit 126", 126),
     ("no-such-thing", 127), ("exit 255", 255), ("kill -SEGV $$", -signal.SIGSEGV),
     ("kill -TERM $$", -signal.SIGTERM), ("kill -KILL $$", -signal.SIGKILL)],
)  # fmt: skip
async def test_exit_statuses_and_signals(ran, make_container, code, exit_code):
    ended = await ran(make_container("sh", "-c", code))
    assert (ended.kind, ended.exit_code, ended.oom) == (EndKind.EXITED, exit_code, False)


@pytest.mark.parametrize("init", [True, False])
async def test_memory_that_runs_out_is_told_by_the_engine(ran, make_python_container, init):
    attempt = make_python_container(
        "x = b''\nwhile True: x += bytes(10_000_000)", memory="64m", memory_swap="64m", init=init
    )
    ended = await ran(attempt)
    assert (ended.kind, ended.exit_code, ended.oom) == (EndKind.EXITED, -signal.SIGKILL, True)


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        ("no-such-program", "command not found: no-such-program"),
        ("/no/such/program", "command not found: /no/such/program"),
        ("/etc/passwd", "permission denied: /etc/passwd"),
        ("/etc", "permission denied: /etc"),
    ],
)
async def test_a_command_that_cannot_be_executed_says_why(ran, make_container, command, cause):
    attempt = make_container(command, "-x")
    ended = await ran(attempt)
    assert (ended.kind, ended.cause, ended.exit_code) == (EndKind.NOT_STARTED, cause, None)
    assert log(attempt) == f"launch_tui: {cause}\n".encode()


async def test_memory_that_is_not_enough_to_start(docker_target, make_container, outcome):
    # Less than the shell itself takes; what the engine makes of that differs.
    attempt = make_container("true", memory="6m", memory_swap="6m")
    try:
        *_, ended = await outcome(docker_target, await started(docker_target, attempt))
    except StartFailed:
        return
    assert ended.kind in (EndKind.NOT_STARTED, EndKind.EXITED)


# Options


SEEN = """{
    "uid": [os.getuid(), os.getgid(), sorted(os.getgroups())],
    "cwd": os.getcwd(),
    "host": os.uname().nodename,
    "cpus": sorted(os.sched_getaffinity(0)),
    "shm": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
    "tmpfs": [line.split()[1:4] for line in open("/proc/mounts") if line.split()[1] == "/scratch"],
    "file": open("/data/file").read(),
    "write": os.access("/data/file", os.W_OK), "named": os.path.isdir("/named"),
    "limits": __import__("resource").getrlimit(__import__("resource").RLIMIT_NOFILE),
    "core": __import__("resource").getrlimit(__import__("resource").RLIMIT_CORE),
    "hosts": open("/etc/hosts").read(), "dns": open("/etc/resolv.conf").read(),
    "device": os.major(os.stat("/dev/mine").st_rdev),
    "env": {k: v for k, v in os.environ.items() if k.startswith("MY_")},
    "status": dict(line.split(":", 1) for line in open("/proc/self/status")),
    "first": open("/proc/1/comm").read().strip(),
}"""


@pytest.fixture
def named_volume(docker_engine):
    name = f"launch-tui-test-{os.getpid()}"
    yield name
    docker_engine.ask_blocking(lambda api: api.remove_volume(name, force=True))


async def test_every_option_reaches_the_job(named_volume, said, home):
    (home / "file").write_text("content")
    seen = await said(
        SEEN,
        environment={"MY_VALUE": "a b=c\n"},
        user="1234:4321",
        group_add=["video", 77],
        workdir="/made/by/the/engine",
        hostname="boxed.example",
        cpuset_cpus="0",
        shm_size="32m",
        tmpfs="/scratch:size=8m",
        volume=[f"{home}:/data:ro", f"{named_volume}:/named"],
        ulimit={"nofile": "512:1024", "core": 0},
        add_host="db.example:10.1.2.3",
        dns=["10.9.8.7"],
        device="/dev/zero:/dev/mine:r",
        cap_drop=["NET_RAW", "CHOWN"],
        cap_add="SYS_PTRACE",
        security_opt="no-new-privileges",
    )
    assert seen["uid"] == [1234, 4321, sorted({4321, 44, 77})]
    assert (seen["cwd"], seen["host"]) == ("/made/by/the/engine", "boxed.example")
    assert (seen["cpus"], seen["shm"]) == ([0], 32 * M)
    assert seen["tmpfs"][0][:2] == ["/scratch", "tmpfs"]
    assert "size=8192k" in seen["tmpfs"][0][2]
    assert (seen["file"], seen["write"], seen["named"]) == ("content", False, True)
    assert (seen["limits"], seen["core"]) == ([512, 1024], [0, 0])
    assert "10.1.2.3\tdb.example" in seen["hosts"]
    assert "nameserver 10.9.8.7" in seen["dns"]
    assert seen["device"] == 1
    assert seen["env"] == {"MY_VALUE": "a b=c\n"}
    may = int(seen["status"]["CapBnd"], 16)
    assert may & 1 << 19
    assert not may & (1 << 13 | 1 << 0)
    assert (seen["status"]["NoNewPrivs"].strip(), seen["first"]) == ("1", "docker-init")


HOST_CONFIG = [
    ({"cpus": 1.5}, "NanoCpus", 1_500_000_000),
    ({"cpuset_mems": "0"}, "CpusetMems", "0"),
    ({"cpu_shares": 512}, "CpuShares", 512),
    ({"cpu_quota": 50_000, "cpu_period": 100_000}, "CpuQuota", 50_000),
    ({"cpu_period": 50_000}, "CpuPeriod", 50_000),
    ({"memory": "64m"}, "Memory", 64 * M),
    ({"memory": "64m", "memory_reservation": "32m"}, "MemoryReservation", 32 * M),
    ({"memory": "64m", "memory_swap": "64m"}, "MemorySwap", 64 * M),
    ({"memory": "64m", "memory_swap": -1}, "MemorySwap", -1),
    ({"pids_limit": 100}, "PidsLimit", 100),
    ({"network": "none"}, "NetworkMode", "none"),
    ({"network": "host"}, "NetworkMode", "host"),
    ({"ipc": "private"}, "IpcMode", "private"),
    ({"ipc": "host"}, "IpcMode", "host"),
    ({"pid": "host"}, "PidMode", "host"),
    ({"init": False}, "Init", False),
    ({}, "Init", True),
    ({"privileged": True}, "Privileged", True),
    ({"cap_add": "ALL"}, "CapAdd", ["ALL"]),
    ({"security_opt": "seccomp=unconfined"}, "SecurityOpt", ["seccomp=unconfined"]),
]


@pytest.mark.parametrize(("options", "name", "value"), HOST_CONFIG)
async def test_options_that_the_engine_keeps(
    docker_target, docker_engine, make_container, options, name, value
):
    container = await created(docker_target, make_container("true", **options))
    found = docker_engine.ask_blocking(lambda api: api.inspect_container(container))
    assert found["HostConfig"][name] == value


CGROUP = """\
import json, os
def read(*names):
    for name in names:
        if os.path.exists("/sys/fs/cgroup/" + name):
            return open("/sys/fs/cgroup/" + name).read().split()
print(json.dumps([read("memory/memory.limit_in_bytes", "memory.max"),
                  read("cpu/cpu.cfs_quota_us", "cpu.max"), read("pids/pids.max", "pids.max")]))
"""


async def test_limits_are_the_kernels(ran, make_python_container):
    attempt = make_python_container(CGROUP, memory="128m", cpus=0.5, pids_limit=77)
    await ran(attempt)
    memory, cpu, pids = json.loads(log(attempt))
    assert (memory, cpu[0], pids) == ([str(128 * M)], "50000", ["77"])


async def test_without_a_network_there_is_none_and_with_the_machines_there_is_all(said):
    devices = 'sorted(os.listdir("/sys/class/net"))'
    assert await said(devices, network="none") == ["lo"]
    # Those of other containers come and go.
    machines = {name for name in os.listdir("/sys/class/net") if not name.startswith("veth")}
    assert machines <= set(await said(devices, network="host"))


async def test_the_machines_processes_and_memory_can_be_shared(said):
    assert await said("len(os.listdir('/proc'))", pid="host") > 50
    inside = "os.stat('/proc/self/ns/ipc').st_ino"
    assert await said(inside, ipc="host") == os.stat("/proc/self/ns/ipc").st_ino
    assert await said(inside) != os.stat("/proc/self/ns/ipc").st_ino


async def test_a_published_port_is_the_machines(docker_target, make_python_container, until):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    attempt = make_python_container(
        "import socket\ns = socket.create_server(('', 8000))\nprint('up', flush=True)\n"
        "while True: c, _ = s.accept(); c.sendall(b'from inside'); c.close()",
        publish=f"127.0.0.1:{port}:8000",
    )
    handle = await started(docker_target, attempt)
    await until(lambda: log(attempt) == b"up\n")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        assert connection.recv(100) == b"from inside"
    await docker_target.stop(handle, 0)


async def test_a_network_of_ones_own(docker_engine, said):
    name = f"launch-tui-test-{os.getpid()}"
    network = docker_engine.ask_blocking(lambda api: api.create_network(name))
    try:
        assert await said("len(os.listdir('/sys/class/net'))", network=name) == 2
    finally:
        docker_engine.ask_blocking(lambda api: api.remove_network(network["Id"]))


async def test_variables_reach_the_job_as_they_are(said):
    given = {"TOKEN": "s3cr3t-\n-line two", "EMPTY": "", "QUOTES": "'\"`$HOME\\", "UMLAUT": "ä€"}
    found = await said("dict(os.environ)", environment=given)
    assert {name: found[name] for name in given} == given
    assert "TINI_KILL_PROCESS_GROUP" not in found


async def test_words_of_the_command_reach_the_job_as_they_are(ran, make_container):
    words = ["", "a b", "$HOME", "*", "'\"", "-n", "ä\n"]
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    attempt = make_container("python3", "-c", code, *words)
    await ran(attempt)
    assert json.loads(log(attempt)) == words


# Files


async def test_what_is_mounted_is_the_same_inside_and_the_agents_outside(ran, make_container, home):
    shared = home / "a place: with spaces"
    shared.mkdir()
    mounts = (
        Mount(source=shared, target=str(shared)),
        Mount(source=home, target="/ro", read_only=True),
    )
    code = f"echo x > '{shared}/made' && mkdir '{shared}/folder'; touch /ro/made; id -u"
    attempt = make_container("sh", "-c", code, mounts=mounts)
    assert (await ran(attempt)).exit_code == 0
    assert b"Read-only file system" in log(attempt)
    for path in (shared / "made", shared / "folder", attempt.directory / "output.log"):
        assert (path.stat().st_uid, path.stat().st_gid) == (os.getuid(), os.getgid())


async def test_another_user_can_write_the_log_and_what_is_his(ran, make_container):
    attempt = make_container("id", "-u", user="65534:65534")
    assert (await ran(attempt)).exit_code == 0
    assert log(attempt) == b"65534\n"
    assert (attempt.directory / TOKEN_FOLDER / "started").stat().st_uid == 65534


# The token


async def test_a_second_start_starts_nothing(docker_target, make_container, outcome, inspected):
    attempt = make_container("sh", "-c", "echo ran")
    handle = await started(docker_target, attempt)
    first = inspected(handle)["State"]["StartedAt"]
    again = await asyncio.gather(*(docker_target.start(attempt) for _ in range(4)))
    assert {each.id for each in again} == {handle.id}
    await outcome(docker_target, handle)
    assert await docker_target.start(attempt) == handle
    assert inspected(handle)["State"]["StartedAt"] == first
    assert log(attempt) == b"ran\n"


async def test_starts_at_the_same_time_start_once(docker_target, make_container, outcome, until):
    attempt = make_container("sh", "-c", "echo ran; sleep 600")
    await docker_target.prepare(attempt)
    handles = await asyncio.gather(*(docker_target.start(attempt) for _ in range(5)))
    assert len({each.id for each in handles}) == 1
    await until(lambda: log(attempt) == b"ran\n")
    await docker_target.stop(handles[0], 0)
    assert (await outcome(docker_target, handles[0]))[-1].exit_code == -signal.SIGKILL
    assert log(attempt) == b"ran\n"


async def test_a_container_that_somebody_starts_again_does_not_run_the_job_again(
    docker_target, make_container, outcome, docker_engine
):
    attempt = make_container("sh", "-c", "echo ran; exit 3")
    handle = await started(docker_target, attempt)
    await outcome(docker_target, handle)
    docker_engine.ask_blocking(lambda api: api.start(handle.id))
    ended = (await outcome(docker_target, handle))[-1]
    assert log(attempt) == b"ran\n"
    assert (ended.kind, ended.exit_code) == (EndKind.LOST, None)
    assert "started a second time" in ended.cause


async def test_an_attempt_that_was_given_up_never_starts(docker_target, make_container, inspected):
    attempt = make_container("sh", "-c", "echo never")
    await docker_target.prepare(attempt)
    assert await docker_target.void(attempt)
    assert await docker_target.void(attempt)
    with pytest.raises(StartFailed, match="given up"):
        await docker_target.start(attempt)
    handle = await docker_target.adopt(attempt)
    assert handle.void
    assert [status.kind async for status in docker_target.watch(handle)] == [EndKind.VOID]
    assert inspected(handle) is None
    assert log(attempt) == b""
    await docker_target.stop(handle, 1)
    await docker_target.forget(handle)


async def created(target, attempt):
    """Create the container of an attempt as a start does, and go no further."""
    await target.prepare(attempt)
    return await target._making.create(attempt)


async def test_a_container_that_was_only_created_can_still_be_started_or_given_up(
    docker_target, make_container, outcome, inspected
):
    kept, given_up = make_container("echo", "ran"), make_container("echo", "never")
    made = await created(docker_target, kept)
    assert await docker_target.adopt(kept) is None
    handle = await docker_target.start(kept)
    assert handle.id == made
    await outcome(docker_target, handle)
    assert log(kept) == b"ran\n"
    await created(docker_target, given_up)
    assert await docker_target.adopt(given_up) is None
    assert await docker_target.void(given_up)
    assert inspected(await docker_target.adopt(given_up)) is None


async def test_a_start_on_its_way_after_all_finds_the_token_taken(
    docker_target, make_container, docker_engine, monkeypatch
):
    attempt = make_container("echo", "never")
    container = await created(docker_target, attempt)
    monkeypatch.setattr(docker_target._containers, "remove", lambda *_: asyncio.sleep(0))
    assert await docker_target.void(attempt)
    docker_engine.ask_blocking(lambda api: api.start(container))
    assert docker_engine.ask_blocking(lambda api: api.wait(container))["StatusCode"] == 96
    assert log(attempt) == b""


async def test_giving_up_what_has_started_is_refused(docker_target, make_container, until, outcome):
    attempt = make_container("sleep", "600")
    handle = await started(docker_target, attempt)
    await until(lambda: records.is_taken(attempt.directory / TOKEN_FOLDER))
    assert not await docker_target.void(attempt)
    await docker_target.stop(handle, 0)
    await outcome(docker_target, handle)
    assert not await docker_target.void(attempt)


async def test_a_full_disk_makes_nothing_sure(docker_target, make_container, monkeypatch):
    def full(directory):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "take_void_token", full)
    with pytest.raises(DiskFull, match="No space left"):
        await docker_target.void(make_container("true"))


# Adoption


async def adopted(engine, home, attempt):
    """Another target, as another agent has it, and its handle."""
    other = LocalContainer(engine, home)
    return other, await other.adopt(attempt)


async def test_a_running_container_is_adopted(
    docker_target, docker_engine, make_container, home, outcome
):
    mounts = (Mount(source=home, target="/home"),)
    code = "echo up; while [ ! -e /home/go ]; do sleep 0.05; done; exit 6"
    attempt = make_container("sh", "-c", code, mounts=mounts)
    handle = await started(docker_target, attempt)
    other, same = await adopted(docker_engine, home, attempt)
    assert same == handle
    (home / "go").touch()
    running, ended = await outcome(other, same)
    assert (isinstance(running, Running), ended.exit_code) == (True, 6)
    await other.close()


async def test_a_container_that_ended_meanwhile_is_adopted(
    docker_target, docker_engine, make_container, home, outcome
):
    attempt = make_container("sh", "-c", "exit 6")
    handle = await started(docker_target, attempt)
    docker_engine.ask_blocking(lambda api: api.wait(handle.id))
    other, same = await adopted(docker_engine, home, attempt)
    running, ended = await outcome(other, same)
    assert (running.pid, ended.exit_code) == (None, 6)
    await other.close()


async def test_what_never_was_is_not_adopted(docker_target, make_container):
    assert await docker_target.adopt(make_container("true")) is None


async def test_a_container_that_was_removed_behind_our_back(
    docker_target, docker_engine, make_container, outcome, home, inspected
):
    attempt = make_container("sleep", "600")
    handle = await started(docker_target, attempt)
    statuses = docker_target.watch(handle)
    assert isinstance(await anext(statuses), Running)
    docker_engine.ask_blocking(lambda api: api.remove_container(handle.id, force=True))
    ended = await anext(statuses)
    assert (ended.kind, ended.cause) == (EndKind.LOST, "its container was removed")
    other, same = await adopted(docker_engine, home, attempt)
    assert [status.kind async for status in other.watch(same)][-1] is EndKind.LOST
    await other.stop(same, 1)
    await other.close()


async def test_a_container_that_is_killed_behind_our_back(
    docker_target, docker_engine, make_container
):
    handle = await started(docker_target, make_container("sleep", "600"))
    statuses = docker_target.watch(handle)
    assert isinstance(await anext(statuses), Running)
    docker_engine.ask_blocking(lambda api: api.kill(handle.id))
    assert (await anext(statuses)).exit_code == -signal.SIGKILL


async def test_a_container_that_is_killed_before_its_job_began_is_void(
    docker_target, make_container, outcome
):
    attempt = make_container("echo", "never")
    # Its launcher waits where it is to write, for a reader that never comes.
    await docker_target.prepare(attempt)
    (attempt.directory / "output.log").unlink()
    os.mkfifo(attempt.directory / "output.log")
    handle = await docker_target.start(attempt)
    statuses = asyncio.ensure_future(outcome(docker_target, handle))
    await docker_target.stop(handle, 0)
    (ended,) = await statuses
    assert (ended.kind, "before it started the job" in ended.cause) == (EndKind.VOID, True)
    assert (await docker_target.adopt(attempt)).void


async def test_a_container_of_that_name_that_is_not_ours(
    docker_target, docker_engine, make_container, base_image
):
    attempt = make_container("true")
    name = f"launch-tui-{attempt.handle}"
    other = docker_engine.ask_blocking(lambda api: api.create_container(base_image, name=name))
    try:
        with pytest.raises(StartFailed, match=f"another container is called {name}"):
            await started(docker_target, attempt)
        assert await docker_target.void(attempt)
        assert docker_engine.ask_blocking(lambda api: api.inspect_container(other["Id"]))
    finally:
        docker_engine.ask_blocking(lambda api: api.remove_container(other["Id"]))


# Stopping


WAITS = """\
import signal, sys, time
{0}
print("up", flush=True)
try:
    while True: time.sleep(0.01)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(5)
"""
IGNORE_INT = "signal.signal(signal.SIGINT, lambda *_: print('int', flush=True))"
IGNORE_BOTH = IGNORE_INT + "; signal.signal(signal.SIGTERM, lambda *_: print('term', flush=True))"


@pytest.mark.parametrize("init", [True, False])
@pytest.mark.parametrize(
    ("setting", "grace", "exit_code", "told"),
    [
        ("", 20, 5, b"up\ninterrupted\n"),
        (IGNORE_INT, 0.5, -signal.SIGTERM, b"up\nint\n"),
        (IGNORE_BOTH, 0.5, -signal.SIGKILL, b"up\nint\nterm\n"),
        ("", 0, -signal.SIGKILL, b"up\n"),
    ],
)
async def test_a_job_is_asked_told_and_killed(
    docker_target, make_python_container, until, outcome, setting, grace, exit_code, told, init
):
    attempt = make_python_container(WAITS.format(setting), init=init)
    handle = await started(docker_target, attempt)
    await until(lambda: log(attempt) == b"up\n")
    async with asyncio.timeout(30):
        await docker_target.stop(handle, grace)
    if not init and exit_code == -signal.SIGTERM:
        # The kernel does not end the first process of a container for a signal it does not handle.
        exit_code = -signal.SIGKILL
    assert (await outcome(docker_target, handle))[-1].exit_code == exit_code
    assert log(attempt) == told
    await docker_target.stop(handle, grace)


async def test_everything_that_a_job_started_is_interrupted_and_gone(
    docker_target, make_container, until, outcome
):
    """As by Ctrl-C: also below a shell that waits for it."""
    code = WAITS.format("").replace('"', "'").replace("sys.exit(5)", "sys.exit(0)")
    attempt = make_container("sh", "-c", f'python3 -c "{code}"; echo not reached')
    handle = await started(docker_target, attempt)
    await until(lambda: log(attempt) == b"up\n")
    statuses = docker_target.watch(handle)
    await anext(statuses)
    pids = docker_target.pids(handle)
    assert len(pids) == 3
    await docker_target.stop(handle, 20)
    assert log(attempt).startswith(b"up\ninterrupted\n")
    assert not [pid for pid in pids if identify(pid) and alive(identify(pid))]


async def test_stopping_can_be_given_up_and_begun_again(
    docker_target, make_python_container, until, outcome
):
    attempt = make_python_container(WAITS.format(IGNORE_BOTH))
    handle = await started(docker_target, attempt)
    await until(lambda: log(attempt) == b"up\n")
    stopping = asyncio.ensure_future(docker_target.stop(handle, 600))
    await until(lambda: b"int" in log(attempt))
    stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stopping
    await docker_target.stop(handle, 0)
    assert (await outcome(docker_target, handle))[-1].exit_code == -signal.SIGKILL


async def test_a_paused_container_counts_as_running_and_can_be_killed(
    docker_target, docker_engine, make_container, outcome, inspected
):
    handle = await started(docker_target, make_container("sleep", "600"))
    statuses = docker_target.watch(handle)
    await anext(statuses)
    docker_engine.ask_blocking(lambda api: api.pause(handle.id))
    assert inspected(handle)["State"]["Status"] == "paused"
    await docker_target.stop(handle, 0)
    assert isinstance(await anext(statuses), Ended)


# What is refused


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"volume": "{home}/missing:/x"}, "{home}/missing is to be mounted and is not there"),
        ({"network": "no-such-network"}, "network no-such-network not found"),
        ({"user": "nosuchuser"}, "unable to find user nosuchuser"),
        ({"cpuset-cpus": "500"}, "Requested CPUs are not available"),
        ({"device": "/dev/no-such"}, "/dev/no-such"),
        ({"volume": "/:/.dockerenv/x"}, ""),
    ],
)
async def test_what_the_engine_refuses_fails_the_start_and_leaves_nothing(
    docker_target, make_container, inspected, home, options, cause
):
    options = {name: value.format(home=home) for name, value in options.items()}
    attempt = make_container("echo", "never", **options)
    await docker_target.prepare(attempt)
    with pytest.raises(StartFailed) as error:
        await docker_target.start(attempt)
    assert cause.format(home=home) in error.value.cause
    assert error.value.next_step
    assert log(attempt) == b""
    handle = await docker_target.adopt(attempt)
    assert handle.void
    assert inspected(handle) is None


async def test_a_folder_of_the_run_that_is_not_there(docker_target, make_container, home):
    attempt = make_container("true", mounts=(Mount(source=home / "missing", target="/x"),))
    with pytest.raises(StartFailed, match="is to be mounted and is not there"):
        await started(docker_target, attempt)


async def test_an_image_that_is_gone(docker_target, make_container, python_image):
    attempt = make_container("true", image=replace(python_image, id="sha256:" + "a" * 64))
    with pytest.raises(StartFailed, match="the image is not on the engine any more"):
        await started(docker_target, attempt)


@pytest.mark.parametrize(
    ("command", "more", "cause"),
    [
        ((), {}, "the job has no command"),
        (("a\0",), {}, "what is no text"),
        (("a\udcff",), {}, "what is no text"),
        (("true",), {"hostname": "a name"}, "hostname: 'a name' is not allowed"),
        (("true",), {"request": {"gpus": ("GPU-1",)}}, "cannot hand out NVIDIA GPUs"),
    ],
)
async def test_what_cannot_be_is_refused_before_the_start(
    docker_target, make_container, command, more, cause
):
    with pytest.raises(StartFailed, match=cause):
        await docker_target.prepare(make_container(*command, **more))


async def test_a_directory_that_cannot_be_made(docker_target, make_container):
    attempt = make_container("true")
    (attempt.directory / TOKEN_FOLDER).write_text("in the way")
    with pytest.raises(StartFailed, match="cannot write"):
        await docker_target.prepare(attempt)


async def test_a_token_that_cannot_be_written_starts_nothing(
    docker_target, make_container, outcome
):
    attempt = make_container("echo", "never", user="65534")
    await docker_target.prepare(attempt)
    (attempt.directory / TOKEN_FOLDER).chmod(0o755)
    (ended,) = await outcome(docker_target, await docker_target.start(attempt))
    assert ended.kind is EndKind.NOT_STARTED
    assert ended.cause.startswith("the container cannot write to the run's directory: ")
    assert "ermission denied" in ended.cause
    assert log(attempt) == b""


# Leftovers


async def test_only_what_is_ours_and_needed_by_nobody_is_swept(
    docker_target, docker_engine, make_container, outcome, inspected, home, tmp_path, base_image
):
    done, kept, running = (
        make_container("true"),
        make_container("true"),
        make_container("sleep", "600"),
    )
    handles = [await started(docker_target, each) for each in (done, kept, running)]
    for handle in handles[:2]:
        await outcome(docker_target, handle)
    only_created = make_container("true")
    await created(docker_target, only_created)
    elsewhere = LocalContainer(docker_engine, tmp_path / "elsewhere")
    foreign = make_container("true")
    await created(elsewhere, foreign)
    try:
        removed = await docker_target.sweep(lambda run, number: (run, number) == (kept.run_id, 1))
        names = {f"launch-tui-{each.handle}" for each in (done, only_created)}
        assert set(removed) == names
        assert [inspected(handle) is None for handle in handles] == [True, False, False]
        assert await elsewhere._containers.find(f"launch-tui-{foreign.handle}") is not None
        assert await docker_target._containers.find(f"launch-tui-{foreign.handle}") is None
    finally:
        remove_all(docker_engine, tmp_path / "elsewhere")
    await docker_target.stop(handles[2], 0)


async def test_forgetting_ends_what_still_runs_and_its_own_volumes(
    docker_target, docker_engine, make_container, inspected
):
    handle = await started(docker_target, make_container("sleep", "600", mount="target=/anonymous"))
    (volume,) = [each["Name"] for each in inspected(handle)["Mounts"] if each["Type"] == "volume"]
    await docker_target.forget(handle)
    assert inspected(handle) is None
    left = docker_engine.ask_blocking(lambda api: api.volumes(filters={"name": volume}))
    assert not left["Volumes"]
