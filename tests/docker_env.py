"""A Docker engine, images and registries for tests: real ones, made once and kept.

The engine is the one that answers on this machine. Where none does and it can be started (dockerd
is installed, and the right to start it is there), one is started for all test processes and ended
with the last of them. Images are made from the distribution's own packages, so that no registry is
needed; what takes long is kept in the folder that `LAUNCH_TUI_TEST_ENVS` names.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from launch_tui.domain.image import parse_image
from launch_tui.engine.client import Engine
from launch_tui.errors import EngineError
from tests.private_dockerd import POLL_S, STOPPED_S, PrivateDockerd, answers
from tests.wandb_envs import cache_folder

FIRST_USE_S = 900
"""How long a test may take that is the first to need an image."""
STAMP = "launch-tui-test.made-from"
BASE_RECIPE = "1"
"""Another number makes the base image anew where there is an older one."""
INCLUDED = ("python3", "python3-venv", "ca-certificates")
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_DAY = 24 * 3600.0
_SLOW = {"docker_engine", "base_image", "wandb_image", "tiny_image"}


def pytest_collection_modifyitems(items):
    """Give tests the time that making an image takes, unless they say themselves."""
    for item in items:
        if _SLOW & set(item.fixturenames) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(FIRST_USE_S))


@pytest.fixture(scope="session")
def docker_engine():
    """The Docker engine of this machine, as everything finds it; an ``Engine``."""
    with contextlib.ExitStack() as stack:
        if not answers(os.environ):
            if os.geteuid() != 0 or shutil.which("dockerd") is None:
                pytest.skip("needs a Docker engine")
            environ = stack.enter_context(_shared_dockerd())
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for name in ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY"):
                patch.delenv(name, raising=False)
            for name, value in environ.items():
                patch.setenv(name, value)
        engine = Engine()
        stack.callback(engine.close_blocking)
        yield engine


@contextlib.contextmanager
def _shared_dockerd():
    """One dockerd for all test processes; whoever leaves last ends it."""
    dockerd = PrivateDockerd(cache_folder() / "dockerd", network=True)
    dockerd.folder.mkdir(parents=True, exist_ok=True)
    with (
        dockerd.folder.with_suffix(".gate").open("w") as gate,
        dockerd.folder.with_suffix(".users").open("w") as users,
    ):
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not answers(dockerd.environ):
            dockerd.start()
            # Whoever leaves last ends it, which need not be this process.
            dockerd.process.returncode = 0
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield dockerd.environ
        finally:
            fcntl.flock(gate, fcntl.LOCK_EX)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _end(dockerd)


def _end(dockerd):
    """End a dockerd that any of the test processes started."""
    pid = int(dockerd.pidfile.read_text())
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOPPED_S
    while answers(dockerd.environ) and time.monotonic() < deadline:
        time.sleep(POLL_S)


@pytest.fixture
def private_dockerd(tmp_path):
    """A dockerd of this test alone, which it may stop, kill, pause and start again."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("needs a dockerd that can be started (root)")
    dockerd = PrivateDockerd(tmp_path / "dockerd")
    try:
        yield dockerd.start()
    finally:
        dockerd.remove()


# Images


@pytest.fixture(scope="session")
def base_image(docker_engine):
    """The name of an image with this distribution's Python, venv and CA certificates."""
    system = Path("/usr/bin/python3").resolve().name.removeprefix("python")
    if not re.fullmatch(r"3\.\d+", system):
        pytest.skip("needs the distribution's python3")
    name = f"launch-tui-test/python:{system}"
    with _made_once("base"):
        stamp = f"{BASE_RECIPE} {_codename()} {Path(CA_BUNDLE).stat().st_size}"
        if _stamp_of(docker_engine, name) != stamp:
            _import_base(docker_engine, name, stamp)
    return name


@pytest.fixture(scope="session")
def wandb_image(docker_engine, base_image):
    """The name of the base image with today's newest wandb in its Python."""
    version = base_image.partition(":")[2]
    name = f"launch-tui-test/wandb:py{version}"
    with _made_once("wandb"):
        packages = _wandb_packages(version)
        stamp = f"{_id_of(docker_engine, base_image)} {(packages / 'made').read_text()}"
        if _stamp_of(docker_engine, name) != stamp:
            target = f"/usr/local/lib/python{version}/dist-packages/"
            _build(
                docker_engine,
                name,
                f"FROM {base_image}\nCOPY packages {target}\n",
                {"packages": packages},
                stamp,
            )
    return name


@pytest.fixture(scope="session")
def tiny_image(docker_engine):
    """The name of an image with ``/busybox`` and nothing else: no ``/bin/sh``."""
    busybox = Path("/bin/busybox")
    if not busybox.exists() or b"/ld-linux" in busybox.read_bytes():
        pytest.skip("needs busybox-static")
    name = "launch-tui-test/tiny:1"
    with _made_once("tiny"):
        stamp = f"{busybox.stat().st_size} {busybox.stat().st_mtime_ns}"
        if _stamp_of(docker_engine, name) != stamp:
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                tar.add(busybox, "busybox")
                for folder in ("tmp", "etc"):
                    entry = tarfile.TarInfo(folder)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
                    tar.addfile(entry)
            changes = ['CMD ["/busybox","echo","tiny"]', f'LABEL {STAMP}="{stamp}"']
            _import(docker_engine, name, archive.getvalue(), changes)
    return name


@contextlib.contextmanager
def _made_once(what):
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f"docker-{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _inspected(engine, name):
    try:
        return engine.ask_blocking(lambda api: api.inspect_image(name))
    except EngineError as error:
        if error.status == 404:
            return None
        raise


def _stamp_of(engine, name):
    found = _inspected(engine, name)
    return None if found is None else (found["Config"].get("Labels") or {}).get(STAMP)


def _id_of(engine, name):
    return _inspected(engine, name)["Id"]


def _import(engine, name, archive, changes):
    reference = parse_image(name, field="image")
    engine.ask_blocking(
        lambda api: api.import_image_from_data(
            archive, repository=reference.name, tag=reference.tag, changes=changes
        )
    )
    if _inspected(engine, name) is None:
        raise RuntimeError(f"{name} was not imported")


def _import_base(engine, name, stamp):
    archive = cache_folder() / f"docker-base-{stamp.replace(' ', '-')}.tar"
    if not archive.exists():
        _debootstrap(archive)
    changes = [
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        f"ENV SSL_CERT_FILE={CA_BUNDLE}",
        'CMD ["python3"]',
        f'LABEL {STAMP}="{stamp}"',
    ]
    _import(engine, name, archive.read_bytes(), changes)


def _debootstrap(archive):
    """Make the archive of the base image's files."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("debootstrap", path=f"{os.environ.get('PATH')}:/usr/sbin") is None:
        pytest.skip("needs debootstrap")
    if as_root and subprocess.run([*as_root, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs debootstrap as root")
    root = archive.with_suffix(".rootfs")
    mirror, components = _mirror()
    script = f"""
        set -e
        rm -rf {root}
        debootstrap --variant=minbase --include={",".join(INCLUDED)} --components={components} \\
            {_codename()} {root} {mirror}
        cp {CA_BUNDLE} {root}{CA_BUNDLE}
        ln -s /usr/bin/python3 {root}/usr/local/bin/python
        rm -rf {root}/var/cache/apt/archives/*.deb {root}/var/lib/apt/lists/* {root}/usr/share/doc
        tar -C {root} --exclude=./dev --exclude=./proc --exclude=./sys -cf {archive}.part .
        rm -rf {root}
        chown {os.getuid()} {archive}.part
    """
    done = subprocess.run(
        [*as_root, "sh", "-c", script], capture_output=True, text=True, timeout=FIRST_USE_S
    )
    if done.returncode != 0:
        raise RuntimeError(f"debootstrap: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    archive.with_name(f"{archive.name}.part").rename(archive)


def _codename():
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def _mirror():
    """Where this machine gets its packages from, and the components it uses."""
    form = "--format=$(REPO_URI) $(RELEASE) $(COMPONENT)"
    asked = ["apt-get", "indextargets", form, "Created-By: Packages"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    own = [row for row in rows if len(row) == 3 and row[1] == _codename()]
    if not own:
        pytest.skip("needs the distribution's packages in apt's sources")
    uri = own[0][0]
    return uri, ",".join(sorted({row[2] for row in own if row[0] == uri}))


def _wandb_packages(version):
    """A folder with today's newest wandb for that Python."""
    folder = cache_folder() / f"docker-wandb-py{version}"
    made = folder / "made"
    if made.exists() and time.time() - made.stat().st_mtime < _DAY:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "install", "--quiet", "--target", folder, "--python-version", version]
    environ = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "CONDA_PREFIX"}}
    done = subprocess.run(
        [*map(str, command), "wandb"], capture_output=True, text=True, timeout=540, env=environ
    )
    if done.returncode != 0:
        raise RuntimeError(f"uv pip install wandb: {done.stderr}")
    made.write_text(next(folder.glob("wandb-*.dist-info")).name)
    return folder


def _build(engine, name, dockerfile, folders, stamp):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        text = f'{dockerfile}LABEL {STAMP}="{stamp}"\n'.encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
        for inside, folder in folders.items():
            tar.add(folder, inside)
    archive.seek(0)

    def build(api):
        told = api.build(fileobj=archive, custom_context=True, tag=name, rm=True, decode=True)
        for step in told:
            if "error" in step:
                raise RuntimeError(step["error"])

    engine.ask_blocking(build)
