"""Archives that no backup is: each is refused with one line, and nothing of it stays."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile

import pytest

from launch_tui.care.archive import HEADER, MANIFEST
from launch_tui.care.restore import restore
from launch_tui.errors import DiskFull, LaunchError, UsageError
from launch_tui.sdk import Launch
from launch_tui.store.database import SCHEMA_VERSION
from launch_tui.store.paths import Home

SAID = {
    "format": 1,
    "taken_at": "2030-01-01T00:00:00Z",
    "program": "0",
    "schema": SCHEMA_VERSION,
    "host": "h",
    "home": "/h",
    "runs": 0,
    "files": 1,
    "size": 1,
}


def entry(name, data=b"x", **more):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def link(name, target):
    return entry(name, b"", type=tarfile.SYMTYPE, linkname=target)


def archive(*members, said=SAID, manifest=True, more=()):
    """Return an archive of these members, with a manifest that is right but for ``more`` lines."""
    out, lines = io.BytesIO(), []
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        head = entry(HEADER, json.dumps(said).encode()) if said else None
        for info, data in (*([head] if head else []), *members):
            tar.addfile(info, io.BytesIO(data))
            line = {
                "path": info.name,
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            if info.issym():
                line = {"path": info.name, "link": info.linkname}
            lines.append(json.dumps(line))
        if manifest:
            lines += more
            lines.append(json.dumps({"members": len(lines)}))
            tar.addfile(
                *(lambda e: (e[0], io.BytesIO(e[1])))(entry(MANIFEST, "\n".join(lines).encode()))
            )
    return out.getvalue()


@pytest.fixture
def store(tmp_path):
    """The bytes of a real, empty store."""
    with Launch(tmp_path / "some") as launch:
        launch.queues.create("q", "local-process")
    return (tmp_path / "some" / "launch.db").read_bytes()


@pytest.fixture
def bring_back(tmp_path):
    """Returns ``bring_back(data)``, which makes the directory ``home`` or leaves nothing at all."""
    place = tmp_path / "place"
    place.mkdir()

    def call(data):
        try:
            return restore(io.BytesIO(data), Home(place / "home"))
        finally:
            left = [path.name for path in place.iterdir()]
            assert left in ([], ["home"])

    return call


def test_a_small_archive_that_is_right_is_taken(bring_back, store):
    done = bring_back(archive(entry("launch.db", store), entry("agent.yaml", b"max_jobs: 2\n")))
    assert (done.runs, done.files) == (0, 2)
    with Launch(done.home) as launch:
        assert [queue.name for queue in launch.queues.list()] == ["q"]


LINK = {"type": tarfile.SYMTYPE}


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (entry("/etc/cron.d/x"), "leads out of it"),
        (entry("../x"), "leads out of it"),
        (entry("runs/a/../../../x"), "leads out of it"),
        (entry("runs/a/./x"), "leads out of it"),
        (entry("runs//x"), "leads out of it"),
        (entry("secrets/KEY"), "which no backup has"),
        (entry("runs/.hidden/x"), "which no backup has"),
        (entry("agent.lock"), "which no backup has"),
        (entry("artifacts/blobs/ab/short"), "which no backup has"),
        (entry("repos/a.git/config", b"[core]\n\tfsmonitor = evil"), "which no backup has"),
        (entry("repos/a.git/hooks/post-checkout"), "which no backup has"),
        (entry("repos/a.git/objects/info/alternates", b"/etc"), "which no backup has"),
        (entry("repos/.."), "leads out of it"),
        (entry("runs/a/fifo", b"", type=tarfile.FIFOTYPE), "neither a file nor a link"),
        (entry("runs/a/sda", b"", type=tarfile.BLKTYPE), "neither a file nor a link"),
        (entry("runs/a/tty", b"", type=tarfile.CHRTYPE), "neither a file nor a link"),
        (entry("runs/a/d", b"", type=tarfile.DIRTYPE), "neither a file nor a link"),
        (entry("runs/a/h", b"", type=tarfile.LNKTYPE, linkname="launch.db"), "neither a file"),
        (entry("runs/a/l", b"", linkname="/etc/passwd", **LINK), "link that leads out"),
        (entry("runs/a/l", b"", linkname="../b/l", **LINK), "link that leads out"),
        (entry("runs/a/l", b"", linkname="../../launch.db", **LINK), "link that leads out"),
        (entry("launch.db", b"", linkname="agent.yaml", **LINK), "link that leads out"),
        (entry("repos/a.git/HEAD", b"", linkname="refs", **LINK), "link that leads out"),
        (entry("runs/a/" + "x/" * 3000 + "y"), "path that is too long"),
        (entry("runs/a/" + "x" * 300), "too long"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0].name[:40],
)
def test_members_that_no_backup_has_are_refused(bring_back, store, member, why):
    with pytest.raises(LaunchError, match=why):
        bring_back(archive(entry("launch.db", store), member))


def test_nothing_is_written_through_a_link(bring_back, store, tmp_path):
    """A link to a folder of the run, then a file below it: the file's own folder is made."""
    link = entry("runs/a/l", b"", linkname="1", **LINK)
    with pytest.raises(LaunchError):
        bring_back(archive(entry("launch.db", store), link, entry("runs/a/l/x")))
    assert not list(tmp_path.rglob("x"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends early"),
        (b"\x1f\x8b", "ends early"),
        (b"hello" * 1000, "damaged or ends early"),
        (gzip.compress(b"hello" * 1000, mtime=0), "damaged or ends early"),
        (archive(said=None), "no backup"),
        (archive(entry("agent.yaml")), "no store in it"),
        (archive(entry("agent.yaml"), entry("agent.yaml")), "twice"),
        (archive(entry("launch.db", b"SQLite format 3\0" + b"x" * 5000)), "damaged store"),
        (archive(entry("launch.db"), manifest=False), "ends early"),
        (archive(said={"format": 1}), "header is damaged"),
        (archive(said={**SAID, "size": "1"}), "header is damaged"),
        (archive(said={**SAID, "format": 2}), "newer launch_tui"),
        (archive(said={**SAID, "schema": SCHEMA_VERSION + 1}), "newer launch_tui"),
        (archive(said={**SAID, "taken_at": "x" * 100_000}), "too long"),
        (archive(more=["5"]), "manifest that cannot be read"),
        (archive(more=["[]"]), "manifest that cannot be read"),
        (archive(more=["{}"]), "lacks some of its files"),
        (archive(entry("runs/a")), "which no backup has"),
        (archive(entry("runs/a/b"), entry("runs/a/b/c")), "below a file"),
        (archive(entry("runs/a/" + "b" * 256)), "too long"),
        (archive(link("runs/a/b", "c"), link("runs/a/b", "d")), "twice"),
        (archive(entry("runs/a/b/c"), link("runs/a/b", "d")), "twice"),
        (archive(link("runs/a/p/q/x", "../.."), link("runs/a/p/q/x/y", "../../..")),
         "below a link"),
    ],
)  # fmt: skip
def test_what_is_no_backup_is_refused(bring_back, data, why):
    with pytest.raises(UsageError, match=why):
        bring_back(data)


def test_a_store_of_a_newer_version_is_refused(bring_back, store):
    """Also where the header says something else."""
    newer = bytearray(store)
    newer[60:64] = (SCHEMA_VERSION + 1).to_bytes(4, "big")
    with pytest.raises(LaunchError, match="newer launch_tui"):
        bring_back(archive(entry("launch.db", bytes(newer))))


@pytest.mark.parametrize("damage", ["cut", "flip", "drop"])
def test_every_damage_is_seen(bring_back, store, damage):
    whole = archive(entry("launch.db", store), entry("runs/a/1/output.log", os.urandom(5000)))
    for at in range(1600, len(whole) - 20_000, 9973):
        broken = bytearray(whole)
        if damage == "cut":
            del broken[at:]
        elif damage == "flip":
            broken[at] ^= 0x40
        else:
            del broken[at : at + 512]
        with pytest.raises(LaunchError):
            bring_back(bytes(broken))


def test_a_bomb_is_refused_before_it_is_unpacked(bring_back):
    with pytest.raises(DiskFull, match="GB are free"):
        bring_back(archive(said={**SAID, "size": 1 << 60}))


def test_a_bomb_that_says_nothing_is_left_where_it_grows_too_large(bring_back, store):
    out = io.BytesIO()
    out.write(archive(manifest=False)[:1024])
    info = tarfile.TarInfo("runs/a/zeros")
    info.size = 3 << 30
    out.write(info.tobuf(tarfile.PAX_FORMAT))
    with pytest.raises(UsageError, match="far more in it than it says"):
        bring_back(out.getvalue())


def test_a_header_of_gigabytes_takes_no_memory(bring_back):
    out = io.BytesIO()
    out.write(archive(manifest=False)[:1024])
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 4 << 30
    out.write(info.tobuf(tarfile.USTAR_FORMAT))
    out.write(bytes(1 << 20))
    with pytest.raises(UsageError, match="header that is too long"):
        bring_back(out.getvalue())
