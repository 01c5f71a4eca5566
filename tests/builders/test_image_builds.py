"""Images are built by a real engine, by BuildKit and by the classic builder."""

from __future__ import annotations

import asyncio
import base64
import http.server
import ipaddress
import os
import re
import shutil
import subprocess
import threading
import time
import uuid
import zipfile
from dataclasses import replace

import pytest

from launch_tui.builders.uv_process import find_uv
from launch_tui.engine import docker_cli
from launch_tui.engine.client import Engine
from launch_tui.errors import BuildFailed
from tests.builders.image_site import ImageSite, docker, processes_with
from tests.private_dockerd import PrivateDockerd

pytestmark = pytest.mark.slow

SECRET = "hunter2-never-to-be-seen"
PASSWORD = "letmein-never-to-be-seen"


@pytest.fixture
def index(tmp_path, docker_engine):
    """A package index with a password, where containers reach it; knows the package ``hosted``."""
    folder = tmp_path / "index" / "hosted"
    folder.mkdir(parents=True)
    wheel = folder / "hosted-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "hosted-1.0.dist-info"
        archive.writestr("hosted.py", "WORD = 'from the private index'\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: hosted\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    login = base64.b64encode(f"tester:{PASSWORD}".encode()).decode()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder.parent))

        def do_GET(self):
            if self.headers.get("Authorization") == f"Basic {login}":
                super().do_GET()
            else:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic realm=x")
                self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    bridge = docker_engine.ask_blocking(lambda api: api.inspect_network("bridge"))
    config = bridge["IPAM"]["Config"][0]
    gateway = config.get("Gateway") or str(ipaddress.ip_network(config["Subnet"])[1])
    server = http.server.ThreadingHTTPServer((gateway, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://tester:{PASSWORD}@{gateway}:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def cached(log, instruction):
    """Whether BuildKit says that the step with this in its instruction was not run."""
    [number] = set(re.findall(rf"^#(\d+) \[[^\]]+\] .*{re.escape(instruction)}", log, re.MULTILINE))
    return re.search(rf"^#{number} CACHED$", log, re.MULTILINE) is not None


def hides(images, image, *secrets):
    """Whether none of the secrets is in a layer, the configuration or the history of an image."""
    history = docker("history", "--no-trunc", image.id)
    contents = {"history": history.encode(), **images.saved(image)}
    found = {name for name, data in contents.items() for s in secrets if s.encode() in data}
    assert len(contents) > 20
    return found == set()


async def test_generated_image_from_nothing_to_its_second_and_third_build(images, index):
    source = images.folder(requirements__txt="six\nhosted\n")
    (source / "secret-mode.py").write_text("")
    (source / "secret-mode.py").chmod(0o600)
    variables = {"UV_INDEX": index, "HOME": str(images.root), "PIP_CONFIG_FILE": "/dev/null"}

    image = await images.build(source, variables=variables, secrets={"TOKEN": SECRET})

    assert images.run(image) == (0, "4242 /home/launch/src\n")
    code = "import six, hosted; open('secret-mode.py').close(); print(hosted.WORD)"
    # The job's own command is the entry point, so another one has to be named in its place.
    assert (
        docker(
            *("run", "--rm", "--user", "999:999", "--entrypoint", "python", image.id, "-c", code)
        )
        == "from the private index\n"
    )
    assert image.entry_point == ("python", "train.py")
    assert (image.command, image.user) == ((), "1000:0")
    log = images.log()
    assert "a generated Dockerfile, because there is none for this job" in log
    assert "UV_INDEX=http://***@" in log
    assert "with BuildKit, by" in log
    assert PASSWORD not in log
    assert SECRET not in log
    assert hides(images, image, PASSWORD, SECRET)
    assert list(images.images.glob("*.context")) == []
    step = r"build step \d of \d: RUN uv pip install --python /env/bin/python -r requ.*"
    assert any(re.fullmatch(step, each) for each in images.steps)

    again = await images.build(source, "second", variables=variables, secrets={"TOKEN": SECRET})

    assert again == image
    assert "is there already, nothing is built" in images.log("second")
    assert "#1 " not in images.log("second")
    assert images.steps[-1] == "image ready, cached"

    marker = uuid.uuid4().hex
    (source / "train.py").write_text(f"print('{marker}')\n")
    changed = await images.build(source, "third", variables=variables, secrets={"TOKEN": SECRET})

    assert images.run(changed) == (0, f"{marker}\n")
    third = images.log("third")
    assert cached(third, "uv pip install")
    assert cached(third, "/opt/uv/bin/pip install")
    assert not cached(third, "COPY . /src")
    # The layers that both share are the same files, whatever the clock says.
    one, other = (images.inspect(each)["RootFS"]["Layers"] for each in (image, changed))
    assert len(one) == len(other)
    assert [number for number, pair in enumerate(zip(one, other, strict=True))
            if pair[0] != pair[1]] == [len(one) - 1]  # fmt: skip


async def test_frozen_list_is_installed_but_for_what_no_index_has(images):
    lines = "# made by pip freeze\nsix==1.16.0\nlaunch-tui-has-no-such-package==1.0\n-e ./gone\n"
    code = f"import six  # {uuid.uuid4().hex}\n"
    source = images.folder(requirements__frozen__txt=lines, train__py=code)

    image = await images.build(source)

    assert images.run(image) == (0, "")
    assert "not installed: launch-tui-has-no-such-package==1.0, -e" in images.steps


async def test_locked_project_and_its_own_package(images):
    source = images.folder(
        pyproject__toml='[project]\nname = "thing"\nversion = "1"\nrequires-python = ">=3.9"\n'
        'dependencies = ["six<1.17"]\n[build-system]\nrequires = ["hatchling"]\n',
        train__py="import six, thing\nprint(six.__version__, thing.WORD)\n",
    )
    (source / "src").mkdir()
    (source / "src" / "thing.py").write_text("WORD = 'own'\n")
    locking = await asyncio.create_subprocess_exec(find_uv(), "lock", "-q", cwd=source)
    assert await locking.wait() == 0

    image = await images.build(source)

    assert images.run(image) == (0, "1.16.0 own\n")


async def test_package_that_does_not_exist_is_named(images):
    source = images.folder(requirements__txt="launch-tui-has-no-such-package\n")

    with pytest.raises(BuildFailed) as caught:
        await images.build(source)

    cause = caught.value.cause
    assert cause.startswith("step RUN uv pip install --python /env/bin/python -r requ")
    assert "failed: launch-tui-has-no-such-package: there is no such package" in cause
    assert f"failed: {cause}" in images.log()
    assert await images.builder.list_images() == []


@pytest.fixture
async def words_of_command(tmp_path, monkeypatch):
    """Returns the words that the docker command was last started with, all of them."""
    kit = await docker_cli.find_buildkit(os.environ)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nprintf \'%s\\n\' "$@" > {tmp_path}/words\nexec "$@"\n')
    wrapper.chmod(0o755)

    async def wrapped(_):
        return replace(kit, command=(str(wrapper), *kit.command))

    monkeypatch.setattr(docker_cli, "find_buildkit", wrapped)
    return (tmp_path / "words").read_text


async def test_own_dockerfile_with_cache_secret_arguments_and_ignored_files(
    images, words_of_command
):
    marker = uuid.uuid4().hex
    source = images.dockerfile(
        "ARG WORD=default",
        "RUN --mount=type=cache,target=/cache touch /cache/x && echo $WORD > /word",
        f"RUN --mount=type=secret,id=TOKEN echo {marker} && cat /run/secrets/TOKEN",
        "COPY . /job",
        "CMD cat /word && ls /job",
        keep__txt="",
        skipped__txt="",
        __dockerignore="skipped.*\n",
    )

    image = await images.build(
        source,
        build_args={"WORD": "given"},
        secrets={"TOKEN": SECRET},
        platform=(await images.engine.facts()).platform,
    )

    status, said = images.run(image)
    assert (status, said.split()) == (0, ["given", "Dockerfile", "keep.txt", "train.py"])
    assert "--platform=linux/" in words_of_command()
    assert "built from Dockerfile, the Dockerfile of the job" in images.log()
    assert re.search(r"^#\d+ [\d.]+ \*\*\*(?:#|$)", images.log(), re.MULTILINE)
    assert SECRET not in images.log()
    assert hides(images, image, SECRET)
    # The words of a command are for everybody on the machine to see.
    assert "--secret=id=TOKEN" in words_of_command()
    assert SECRET not in words_of_command()


async def test_folder_beside_the_script_is_the_context(images):
    source = images.folder()
    (source / "sub").mkdir()
    (source / "sub" / "go.py").write_text("print('from the folder')\n")
    (source / "sub" / "Dockerfile.wandb").write_text(f"FROM {images.base}\nCOPY . /\nWORKDIR /\n")

    image = await images.build(source, entry_point=("python3", "sub/go.py"))

    assert (image.entry_point, image.command) == (("python3", "go.py"), ())
    assert images.run(image, *image.entry_point) == (0, "from the folder\n")


async def test_classic_builder_makes_the_same_image(images, classic):
    source = images.folder(requirements__txt="six\n")
    (source / "own.py").write_text("")
    (source / "own.py").chmod(0o600)

    image = await images.build(source)

    assert images.run(image) == (0, "4242 /home/launch/src\n")
    log = images.log()
    assert "with the classic builder, because no docker command here has BuildKit" in log
    assert "\x1b" not in log
    assert any(re.match(r"build step \d+ of \d+: RUN uv pip", step) for step in images.steps)
    marker = uuid.uuid4().hex
    (source / "train.py").write_text(f"import six; print('{marker}')\n")
    changed = await images.build(source, "second")
    assert images.run(changed) == (0, f"{marker}\n")
    # An instruction that was not run says so in the line after it.
    assert re.search(r"RUN .*uv pip install.*\n ---> Using cache", images.log("second"))
    assert not re.search(r"COPY \. /src\n ---> Using cache", images.log("second"))

    home = images.inspect(image)["Config"]["Labels"]["launch-tui.home"]
    left = {"label": [f"launch-tui.stage={home}"], "dangling": True}
    assert len(images.ask(lambda api: api.images(filters=left))) == 2
    assert len(await images.builder.prune(time.time() + 60, set())) == 2
    assert images.ask(lambda api: api.images(filters=left)) == []


async def test_classic_builder_with_own_dockerfile(images, classic):
    source = images.dockerfile(
        "ARG WORD",
        "RUN echo $WORD > /word",
        "COPY . /job",
        "CMD cat /word && ls /job",
        skipped__txt="",
        __dockerignore="# these\nskipped.*\n*.md\n",
        notes__md="",
    )

    image = await images.build(source, build_args={"WORD": "given"})

    status, said = images.run(image)
    assert (status, said.split()) == (0, ["given", "Dockerfile", "train.py"])


async def test_classic_builder_says_what_only_buildkit_can_do(images, classic):
    source = images.dockerfile("RUN --mount=type=cache,target=/c true")
    with pytest.raises(BuildFailed, match=r"needs BuildKit, and no docker command") as caught:
        await images.build(source)
    assert "docker-buildx" in caught.value.next_step
    with pytest.raises(BuildFailed, match="secrets of a build need BuildKit") as caught:
        await images.build(source, secrets={"TOKEN": SECRET})
    assert "docker-buildx" in caught.value.next_step


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (["RUN echo one; echo 'ValueError: two' >&2; exit 3"],
         "step RUN echo one; echo 'ValueError: two' >&2; exit 3 failed: ValueError: two"),
        (["RUN printf 'ERROR: no end'; exit 3"],
         "step RUN printf 'ERROR: no end'; exit 3 failed: no end"),
        (["RUN nosuch"], "step RUN nosuch failed: /bin/sh: 1: nosuch: not found"),
        (["COPY nosuch /x"], "step COPY nosuch /x failed: the build context has no nosuch"),
        (["NOSUCH x"], "unknown instruction: NOSUCH"),
        (["RUN sh -c 'kill -9 $$'"], "step RUN sh -c 'kill -9 $$' failed: it was killed"),
    ],
)  # fmt: skip
async def test_failing_steps_are_named_with_their_reason(images, request, builder, lines, cause):
    if builder == "classic":
        request.getfixturevalue("classic")
    source = images.dockerfile(*lines)
    with pytest.raises(BuildFailed) as caught:
        await images.build(source)
    assert cause in caught.value.cause
    assert caught.value.phase == "build"
    assert await images.builder.list_images() == []


async def test_base_image_that_is_nowhere(images):
    source = images.folder(Dockerfile="FROM 127.0.0.1:9/nosuch/image:1\n")
    with pytest.raises(BuildFailed, match=r"base image 127\.0\.0\.1:9/nosuch/image:1: ") as caught:
        await images.build(source)
    assert caught.value.next_step
    assert "#1 " not in images.log()


@pytest.fixture
def small_engine(tmp_path):
    """An engine whose own disk is a tmpfs of 24 MB."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("needs a dockerd that can be started (root)")
    dockerd = PrivateDockerd(tmp_path / "dockerd")
    disk = dockerd.folder / "data"
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
    engine = Engine(os.environ | dockerd.environ)
    try:
        dockerd.start()
        yield engine
    finally:
        engine.close_blocking()
        dockerd.remove()


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
async def test_disk_that_fills_up_during_a_build(tmp_path, small_engine, request, builder):
    if builder == "classic":
        request.getfixturevalue("classic")
    images = ImageSite(tmp_path, small_engine, "scratch")
    source = images.folder(Dockerfile="FROM scratch\nCOPY . /\n")
    (source / "large").write_bytes(os.urandom(40_000_000))

    with pytest.raises(BuildFailed, match="no space left on the disk") as caught:
        await images.build(source)

    assert "docker system prune" in caught.value.next_step
    assert list(images.images.glob("*.context")) == []


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
async def test_cancelling_ends_the_build_and_what_it_started(images, request, builder, wait_until):
    if builder == "classic":
        request.getfixturevalue("classic")
    marker = uuid.uuid4().hex
    code = f"import time; print('{marker}', flush=True); time.sleep(1000)"
    source = images.dockerfile(f'RUN python3 -c "{code}"')
    building = asyncio.create_task(images.build(source))
    while not re.search(rf"^(?:#\d+ [\d.]+ )?{marker}$", images.log(), re.MULTILINE):
        assert not building.done(), building
        await asyncio.sleep(0.02)
    assert processes_with(marker)

    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building

    def is_gone():
        left = images.ask(lambda api: api.containers(all=True))
        return not processes_with(marker) and not any(marker in each["Command"] for each in left)

    await asyncio.to_thread(wait_until, is_gone, 30)
    assert list(images.images.glob("*.context")) == []
    assert await images.builder.list_images() == []
