from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch_tui.errors import BuildFailed

BUILD = """
import asyncio, sys
from pathlib import Path
from launch_tui.builders.venv import VenvBuilder
from launch_tui.domain.job import Environment
root, source, log = map(Path, sys.argv[1:])
built = asyncio.run(VenvBuilder(root).build(source, Environment(), log, lambda step: None))
print(built.key)
"""


def run_python(interpreter, code, **variables):
    return subprocess.run(
        [interpreter.python, "-c", code],
        env=interpreter.environ(dict(os.environ) | variables),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


async def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def text(path):
    return path.read_text() if path.exists() else ""


async def test_requirements_are_installed_once_and_found_again(site):
    source = site.folder(requirements__txt="six>=1.16  # a comment\n")

    built = await site.build(source)

    assert run_python(built, "import six, sys; print(sys.prefix)") == str(site.envs / built.key)
    assert built.environ({"PATH": "/bin", "PYTHONHOME": "/x"}) == {
        "PATH": f"{built.bin}:/bin",
        "VIRTUAL_ENV": str(site.envs / built.key),
    }
    assert "installing 1 package" in site.steps
    log = text(site.log())
    assert "what requirements.txt asks for" in log
    assert "+ six==" in log
    assert "\x1b" not in log

    again = await site.build(site.folder("other", requirements__txt="six>=1.16\n"), "second")

    assert again == built
    assert site.steps[-1] == "environment ready, cached"
    assert "there already, 1 package" in text(site.log("second"))
    assert "uv pip" not in text(site.log("second"))


async def test_folder_without_requirements_gets_an_empty_environment(site):
    built = await site.build(site.folder())

    assert run_python(built, "import sys; print(sys.prefix)") == str(built.bin.parent)
    assert "without packages" in text(site.log())
    assert "wandb is not among its packages" in text(site.log())
    assert built.wandb == ""


async def test_tool_settings_alone_are_not_a_project(site):
    await site.build(site.folder(pyproject__toml="[tool.ruff]\nline-length = 100\n"))

    assert "because pyproject.toml names no project" in text(site.log())


async def test_project_dependencies_and_its_own_package(site):
    project = (
        '[project]\nname = "thing"\nversion = "1"\ndependencies = ["six"]\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    source = site.folder(pyproject__toml=project)
    (source / "src").mkdir()
    (source / "src" / "thing.py").write_text("WORD = 'from the working copy'\n")

    built = await site.build(source)

    assert run_python(built, "import six, thing; print(thing.WORD)") == "from the working copy"


async def test_lock_decides_the_versions(site):
    from launch_tui.builders.uv_process import find_uv

    source = site.folder(
        pyproject__toml='[project]\nname = "thing"\nversion = "1"\n'
        'requires-python = ">=3.10"\ndependencies = ["six<1.17"]\n'
    )
    locking = await asyncio.create_subprocess_exec(find_uv(), "lock", "-q", cwd=source)
    assert await locking.wait() == 0
    loosened = (source / "pyproject.toml").read_text().replace("six<1.17", "six")
    (source / "pyproject.toml").write_text(loosened)

    built = await site.build(source)

    assert run_python(built, "import six; print(six.__version__)") == "1.16.0"
    assert "what uv.lock asks for" in text(site.log())


async def test_local_project_is_installed_for_real_and_is_part_of_the_key(site):
    from tests.builders.conftest import make_package

    source = site.folder(requirements__txt="-e ./helper\n")
    package = make_package(source, "helper")
    first = await site.build(source)
    (package / "helper.py").write_text("WORD = 'second'\n")

    second = await site.build(source)

    assert first.key != second.key
    word = "import helper; print(helper.WORD)"
    assert [run_python(each, word) for each in (first, second)] == ["first", "second"]


async def test_failed_install_names_package_and_reason_and_leaves_nothing(site):
    source = site.folder(requirements__txt="six\nlaunch-tui-has-no-such-package\n")

    with pytest.raises(BuildFailed) as caught:
        await site.build(source)

    assert caught.value.phase == "build"
    assert caught.value.cause.startswith("launch-tui-has-no-such-package: there is no such package")
    assert "index" in caught.value.next_step
    assert site.builder.list_environments() == []
    assert f"failed: {caught.value.cause}" in text(site.log())


async def test_package_whose_build_fails(site):
    from tests.builders.conftest import make_package

    source = site.folder(requirements__txt="./fused\n")
    make_package(source, "fused", setup="raise RuntimeError('CUDA_HOME is not set')")

    with pytest.raises(BuildFailed, match="its build failed: RuntimeError: CUDA_HOME is not set"):
        await site.build(source)


async def test_python_that_is_not_there(site):
    source = site.folder()
    offline = {"PATH": "/usr/bin:/bin", "HOME": str(site.root), "UV_PYTHON_DOWNLOADS": "never"}

    with pytest.raises(BuildFailed) as caught:
        await site.build(source, variables=offline, python_version="3.99")

    assert caught.value.cause.startswith("Python 3.99 is not on this machine")
    assert f"3.{sys.version_info.minor}" in caught.value.cause


async def test_unwritable_directory_is_a_failed_build(site):
    site.envs.write_text("a file in its place")

    with pytest.raises(BuildFailed, match="cannot be built in"):
        await site.build(site.folder())


async def test_two_runs_at_once_share_one_build(site):
    source = site.folder(requirements__txt="six\n")

    first, second = await asyncio.gather(site.build(source, "a"), site.build(source, "b"))

    assert first == second
    assert site.steps.count("resolving") == 1
    logs = [text(site.log("a")), text(site.log("b"))]
    waited = next(log for log in logs if "is being built for another run" in log)
    # The waiting run shows the same output, and then that it had nothing to build.
    assert all("+ six==" in log for log in logs)
    assert "is there now, 1 package" in waited


async def test_two_processes_at_once_share_one_build(site):
    source = site.folder(requirements__txt="six\n")
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", BUILD, site.envs, source, site.log(name)),
            stdout=asyncio.subprocess.PIPE,
        )
        for name in "ab"
    ]
    outputs = [(await process.communicate())[0] for process in processes]

    assert outputs[0] == outputs[1] != b""
    ready = [text(site.log(name)).count("launch-tui: environment ready") for name in "ab"]
    cached = [text(site.log(name)).count("is there") for name in "ab"]
    # The one that built says so in its log; the other shows a copy, or came too late to wait.
    assert sorted(cached) == [0, 1]
    assert max(ready) == 1


POINTS = [
    "build.locked",
    "build.cleared",
    "build.venv.created",
    "build.installed",
    "build.marked",
]


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_fault_point_the_next_build_is_whole(site, point):
    source = site.folder(requirements__txt="six\n")
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BUILD, site.envs, source, site.log("killed")),
        env={**os.environ, "LAUNCH_TUI_FAULT": point},
    )
    assert await killed.wait() == -signal.SIGKILL
    [left] = site.builder.list_environments() or [None]
    assert (left is not None and left.complete) == (point == "build.marked")

    built = await site.build(source)

    assert run_python(built, "import six; print(six.__name__)") == "six"
    [environment] = site.builder.list_environments()
    assert environment.complete


def waiting_package(source):
    """A package whose build writes its pid and waits to be killed."""
    from tests.builders.conftest import make_package

    pid = source / "pid"
    code = f"import os, signal; open({str(pid)!r}, 'w').write(str(os.getpid())); signal.pause()"
    make_package(source, "endless", setup=code)
    return pid


def is_gone(pid):
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


async def test_killed_builder_takes_uv_and_the_build_backend_with_it(site):
    source = site.folder(requirements__txt="./endless\n")
    pid = waiting_package(source)
    builder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BUILD, site.envs, source, site.log("killed"))
    )
    await wait_until(lambda: text(pid))
    builder.kill()
    await builder.wait()

    await wait_until(lambda: is_gone(text(pid)))


async def test_cancelled_build_ends_uv_and_is_never_used(site):
    source = site.folder(requirements__txt="./endless\n")
    pid = waiting_package(source)
    task = asyncio.create_task(site.build(source))
    await wait_until(lambda: text(pid))

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await wait_until(lambda: is_gone(text(pid)))
    assert not any(each.complete for each in site.builder.list_environments())


async def test_waiting_run_can_be_cancelled_and_takes_over_when_the_builder_is(site):
    source = site.folder(requirements__txt="./endless\n")
    pid = waiting_package(source)
    first = asyncio.create_task(site.build(source, "a"))
    await wait_until(lambda: text(pid))
    second, third = (asyncio.create_task(site.build(source, name)) for name in "bc")
    await wait_until(lambda: sum("waiting" in step for step in site.steps) == 2)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    pid.unlink()

    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await wait_until(lambda: text(pid))
    third.cancel()
    with pytest.raises(asyncio.CancelledError):
        await third


async def test_environment_whose_python_was_removed_is_built_again(site):
    built = await site.build(site.folder())
    built.python.unlink()
    built.python.symlink_to(site.root / "gone" / "python")

    again = await site.build(site.folder())

    assert again.key == built.key
    assert run_python(again, "print(1)") == "1"


async def test_pip_settings_reach_uv_without_their_password(site):
    settings = "[global]\nindex-url = http://user:hidden@127.0.0.1:9/simple\n"
    source = site.folder(requirements__txt="launch-tui-has-no-such-package\n", pip__conf=settings)
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(site.root),
        "PIP_CONFIG_FILE": str(source / "pip.conf"),
        "UV_HTTP_RETRIES": "0",
    }

    with pytest.raises(BuildFailed, match=r"9/.* cannot be reached: .*[Rr]efused") as caught:
        await site.build(source, variables=variables)

    assert "UV_DEFAULT_INDEX=http://***@127.0.0.1:9/simple" in text(site.log())
    assert "hidden" not in text(site.log()) + str(caught.value)


async def test_prune_removes_what_is_old_and_unused(site):
    old = await site.build(site.folder("a", requirements__txt="six\n"))
    used = await site.build(site.folder("b", requirements__txt="six>=1\n"))
    new = await site.build(site.folder("c"))
    (site.envs / "3.11-unfinished").mkdir()
    for each in (old, used):
        os.utime(site.envs / each.key / "complete", (1000, 1000))

    would = site.builder.prune(2000, {used.key}, dry_run=True)
    assert {each.key for each in would} == {old.key, "3.11-unfinished"}
    assert len(site.builder.list_environments()) == 4

    removed = site.builder.prune(2000, {used.key})

    assert {each.key for each in removed} == {old.key, "3.11-unfinished"}
    assert next(each.size for each in removed if each.key == old.key) > 10_000
    assert [each.key for each in site.builder.list_environments()] == [new.key, used.key]
    assert not (site.envs / f"{old.key}.lock").exists()


async def test_list_tells_what_is_in_an_environment(site):
    before = time.time()
    built = await site.build(site.folder(requirements__txt="six\n"))

    [listed] = site.builder.list_environments()

    assert (listed.key, listed.packages, listed.complete) == (built.key, 1, True)
    assert listed.made_from == "requirements.txt"
    assert before <= listed.created_at <= time.time()


def test_import_loads_nothing_heavy():
    heavy = {
        "uv",
        "tomllib",
        "configparser",
        "ctypes",
        "lzma",
        "urllib.request",
        "importlib.metadata",
    }
    code = f"""
import asyncio, sys
before = set(sys.modules)
import launch_tui.builders.venv
print(sorted({heavy} & (set(sys.modules) - before)))
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_wandb_check_loads_no_event_loop():
    code = "import launch_tui.builders.wandb_check, sys; print('asyncio' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
