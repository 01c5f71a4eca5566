from __future__ import annotations

import subprocess
import venv

import pytest

from launch_tui.builders.environments import CachedEnvironment, EnvironmentStore
from launch_tui.builders.image_records import ImageRecord, ImageRecords
from launch_tui.care import fsck_caches
from launch_tui.store.paths import Home


@pytest.fixture
def home(private_home):
    made = Home(private_home)
    made.create()
    return made


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    """An environment with a package in it (pip), as its own RECORD says."""
    path = tmp_path_factory.mktemp("envs") / "key"
    venv.create(path, with_pip=True, symlinks=True)
    return path


@pytest.fixture
def environment(home, made_once):
    home.environments.mkdir(exist_ok=True)
    path = home.environments / "key"
    subprocess.run(["cp", "-a", made_once, path], check=True)
    EnvironmentStore(home.environments).mark(CachedEnvironment(key="key", path=path, python="3"))
    return path


def found(home, *, agent=False):
    return list(fsck_caches.findings(home, agent=agent))


def test_a_whole_environment_is_left_alone(home, environment):
    assert found(home) == []


@pytest.mark.parametrize(
    "name",
    ["bin/activate", "pyvenv.cfg", "lib/python*/site-packages/pip/__init__.py",
     "lib/python*/site-packages/pip-*.dist-info/METADATA",
     "lib/python*/site-packages/pip-*.dist-info/RECORD"],
)  # fmt: skip
@pytest.mark.parametrize("wreck", ["deleted", "cut off", "flipped"])
def test_a_damaged_environment_is_removed_and_made_again_when_needed(
    home, environment, name, wreck
):
    (path,) = environment.glob(name)
    data = path.read_bytes()
    if wreck == "deleted":
        path.unlink()
    elif wreck == "cut off":
        path.write_bytes(data[: len(data) // 2])
    else:
        # In a RECORD a byte of a digest: one of a size means nothing to anybody.
        at = data.index(b"sha256=") + 9 if path.name == "RECORD" else len(data) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    (finding,) = found(home)
    assert (finding.phase, finding.place, finding.lost) == ("environments", "envs/key", "")
    finding.mend()
    assert not environment.exists()
    assert found(home) == []


def test_an_environment_that_is_being_made_is_not_half_made(home):
    (home.environments / "young").mkdir(parents=True)
    assert found(home, agent=True) == []
    (finding,) = found(home)
    assert "half made" in finding.cause


def test_a_damaged_record_of_an_image_is_removed(home):
    records = ImageRecords(home.images)
    records.write(ImageRecord(key="good", id="sha256:1"))
    records.write(ImageRecord(key="bad", id="sha256:2"))
    (home.images / "bad.json").write_text("{")
    (finding,) = found(home)
    assert finding.place == "images/bad.json"
    finding.mend()
    assert list(records.keys()) == ["good"]


def test_what_killed_writers_left_is_removed_and_what_is_a_persons_is_not(home):
    (home.root / ".ui.yaml.12.0.tmp").write_text("x")
    (home.root / "devices.json").write_text("{")
    (home.root / "ui.yaml").write_text("theme: [")
    (home.artifacts / "tmp" / "put.1").mkdir(parents=True)
    assert found(home, agent=True) == []
    for finding in found(home):
        finding.mend()
    assert sorted(path.name for path in home.root.iterdir() if path.is_file()) == ["ui.yaml"]
    assert found(home) == []


def test_a_damaged_git_cache_is_removed(home, tmp_path):
    def git(*words):
        subprocess.run(["git", *words], check=True, capture_output=True)

    cache = home.repositories / "r-1.git"
    home.repositories.mkdir(exist_ok=True)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "f").write_text("content\n" * 50)
    git("init", "-q", str(tmp_path / "work"))
    git("-C", str(tmp_path / "work"), "add", ".")
    git("-C", str(tmp_path / "work"), "-c", "user.name=t", "-c", "user.email=t@t",
        "commit", "-qm", "m")  # fmt: skip
    git("clone", "-q", "--bare", str(tmp_path / "work"), str(cache))
    assert found(home) == []
    thing = next(p for p in (cache / "objects").rglob("*") if p.is_file())
    thing.chmod(0o600)
    thing.write_bytes(thing.read_bytes()[:-3])
    (finding,) = found(home)
    assert (finding.phase, finding.lost) == ("git", "")
    finding.mend()
    assert not cache.exists()
