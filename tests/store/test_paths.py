from __future__ import annotations

import errno
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from launch_tui.errors import DiskFull, StoreError, StoreOnNetwork, StoreReadOnly, UsageError
from launch_tui.store import paths
from launch_tui.store.durable import store_error, write_atomically
from launch_tui.store.paths import Home, check_file_system, default_home, file_system_of

MOUNTS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:40 / /home rw,relatime shared:3 - nfs4 server:/home rw
31 30 0:41 / /home/ann/my\\040disk rw - xfs /dev/sdb rw
32 27 0:42 / /gone rw - autofs systemd-1 rw
33 27 0:43 / /gone rw - nfs server:/gone rw
34 27 0:44 / /ssh rw - fuse.sshfs me@there:/ rw
35 27 0:45 / /var/tmp rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/homes/ann", "ext4"),
        ("/home/ann/x/y", "nfs4"),
        ("/home/ann/my disk/launch", "xfs"),
        ("/gone/a", "nfs"),
        ("/ssh", "fuse.sshfs"),
    ],
)
def test_the_longest_and_last_mount_counts(path, kind):
    assert file_system_of(Path(path), MOUNTS) == kind


def test_a_link_onto_a_network_disk_is_followed(tmp_path):
    (tmp_path / "link").symlink_to("/home/ann")
    assert file_system_of(tmp_path / "link" / "new", MOUNTS) == "nfs4"


def test_unreadable_mount_table_refuses_nothing():
    assert file_system_of(Path("/home"), "") == ""
    assert file_system_of(Path("/home"), "garbage\n1 2 3 - x\n") == ""


def test_network_disk_is_refused_with_a_local_one_named(tmp_path, monkeypatch):
    disk = tmp_path / "scratch"
    disk.mkdir()
    monkeypatch.setattr(paths, "_mounts", lambda: MOUNTS)
    monkeypatch.setattr(paths, "_LOCAL_DISKS", ("/home", "/var/tmp", str(disk)))
    monkeypatch.setenv("USER", "ann")
    with pytest.raises(StoreOnNetwork) as caught:
        check_file_system(Path("/home/ann/.local/share/launch_tui"))
    assert f"LAUNCH_TUI_HOME={disk}/launch_tui-ann" in caught.value.next_step
    assert "nfs4" in caught.value.cause
    check_file_system(disk)


def test_no_local_disk_found_still_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "_mounts", lambda: MOUNTS)
    monkeypatch.setattr(paths, "_LOCAL_DISKS", ())
    monkeypatch.delenv("TMPDIR", raising=False)
    with pytest.raises(StoreOnNetwork, match="LAUNCH_TUI_HOME="):
        check_file_system(Path("/ssh/x"))


def test_the_real_table_accepts_a_local_directory(tmp_path):
    check_file_system(tmp_path / "new")


def test_override_wins_over_variable_wins_over_platform(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("LAUNCH_TUI_HOME", raising=False)
    assert default_home().root == tmp_path / "xdg" / "launch_tui"
    monkeypatch.setenv("LAUNCH_TUI_HOME", str(tmp_path / "env"))
    assert default_home().root == tmp_path / "env"
    assert default_home(str(tmp_path / "flag")).root == tmp_path / "flag"
    with pytest.raises(UsageError, match="--home"):
        default_home("")


@pytest.mark.parametrize("given", ["", "relative/path", None])
def test_the_default_is_what_platformdirs_says(given, tmp_path, monkeypatch):
    import platformdirs

    monkeypatch.delenv("LAUNCH_TUI_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    expected = platformdirs.user_data_path("launch_tui", appauthor=False)
    if given is not None:
        monkeypatch.setenv("XDG_DATA_HOME", given)
    assert default_home().root == expected


def test_relative_and_tilde_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_home("here").root == tmp_path / "here"
    assert default_home("~/there").root == tmp_path / "there"


def test_create_makes_a_private_directory_and_may_be_repeated(tmp_path):
    home = Home(tmp_path / "a" / "b")
    home.create()
    home.create()
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    for folder in (home.runs, home.artifacts, home.repositories, home.environments, home.temporary):
        assert folder.is_dir()
    assert home.attempt("abc", 2) == home.root / "runs" / "abc" / "2"
    assert home.spec("abc").parent == home.metrics("abc").parent == home.run("abc")
    assert home.shared("abc") == home.run("abc") / "shared"


@pytest.mark.parametrize("below", ["", "inner"])
def test_a_file_in_the_way_is_named(tmp_path, below):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        Home(tmp_path / "file" / below).create()


def as_nobody(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` without root's right to write everywhere."""
    drop = "import os\nif os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
    return subprocess.run(
        [sys.executable, "-c", code.replace("# drop", drop), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


CREATE = """
import sys
import tempfile
from pathlib import Path
from launch_tui.errors import StoreReadOnly
from launch_tui.store.paths import Home
# drop
try:
    Home(Path(sys.argv[1])).create()
except StoreReadOnly as error:
    print(error)
"""


@pytest.fixture
def open_path():
    """A directory that everybody may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="launch_tui-test-"))
    path.chmod(0o755)
    yield path
    path.chmod(0o700)
    shutil.rmtree(path)


def test_no_permission_is_said_with_the_path(open_path):
    whole, new = open_path / "whole", open_path / "new"
    Home(whole).create()
    whole.chmod(0o555)
    open_path.chmod(0o555)
    for path in (new, whole):
        done = as_nobody(CREATE, str(path))
        assert done.stderr == ""
        assert "no permission to write" in done.stdout
        assert str(path) in done.stdout
    whole.chmod(0o700)


def test_errors_of_the_disk_are_told_apart():
    assert isinstance(store_error(OSError(errno.ENOSPC, "full"), "x"), DiskFull)
    assert "quota" in str(store_error(OSError(errno.EDQUOT, "full"), "x"))
    assert isinstance(store_error(OSError(errno.EROFS, "ro"), "x"), StoreReadOnly)
    other = store_error(OSError(errno.EIO, "broken"), "/a/b")
    assert type(other) is StoreError
    assert "/a/b" in str(other)


def test_atomic_write_replaces_and_leaves_nothing_behind(tmp_path):
    target = tmp_path / "spec.json"
    write_atomically(target, b"one")
    write_atomically(target, b"two", sync=False)
    assert target.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["spec.json"]


def test_full_disk_keeps_the_old_file(tmp_path):
    # A file size limit is the one way to a failing write that needs no special disk.
    code = """
import errno, os, resource, signal, sys
from pathlib import Path
from launch_tui.errors import StoreError
from launch_tui.store.durable import write_atomically
target = Path(sys.argv[1])
write_atomically(target, b"old")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomically(target, b"x" * 10000)
except StoreError as error:
    print(error)
print(target.read_bytes(), sorted(os.listdir(target.parent)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot write" in done.stdout
    assert done.stdout.endswith("b'old' ['file']\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_dev_full_is_disk_full(tmp_path):
    from launch_tui.store.durable import disk_errors

    with pytest.raises(DiskFull), disk_errors("/dev/full"), open("/dev/full", "wb", 0) as full:
        full.write(b"x")
