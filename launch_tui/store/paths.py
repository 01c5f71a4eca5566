"""Where everything lies in the data directory, and whether it may be used as one.

``Home`` only knows names; nothing is touched until ``create``. The data directory must be on a
local disk, because the locks that SQLite and the agent rely on cannot be trusted over a network:
``check_file_system`` refuses the others and names a local directory instead.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from launch_tui.errors import StoreError, StoreOnNetwork, StoreReadOnly, UsageError
from launch_tui.store.durable import store_error

VARIABLE = "LAUNCH_TUI_HOME"

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p", "afs", "auristorfs", "beegfs", "ceph", "cifs", "coda", "cvmfs", "fhgfs",
        "fuse.beegfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.cvmfs2", "fuse.gcsfuse",
        "fuse.glusterfs", "fuse.goofys", "fuse.juicefs", "fuse.lizardfs", "fuse.moosefs",
        "fuse.mount-s3", "fuse.rclone", "fuse.s3fs", "fuse.seaweedfs", "fuse.sshfs",
        "fuse.weka", "glusterfs", "gpfs", "lustre", "mmfs", "ncpfs", "nfs", "nfs3", "nfs4",
        "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "wekafs",
    }
)  # fmt: skip
"""File system types, as the kernel names them in mountinfo, that reach over a network."""

DELETED = "deleted"
"""In the directory of a run: the run is being forgotten, and so is its directory."""

_PLATFORM: str = sys.platform
_VOLATILE = frozenset({"tmpfs", "ramfs"})
_MOUNTINFO = Path("/proc/self/mountinfo")
_FOLDERS = ("runs", "artifacts", "repos", "envs", "tmp")
_LOCAL_DISKS = ("/scratch", "/local/scratch", "/localscratch", "/local", "/data", "/var/tmp")
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Home:
    """The data directory: names of everything in it, by what it is for."""

    root: Path

    @property
    def store(self) -> Path:
        """The SQLite store."""
        return self.root / "launch.db"

    @property
    def agent_lock(self) -> Path:
        """The file whose kernel lock is held by the one agent."""
        return self.root / "agent.lock"

    @property
    def runs(self) -> Path:
        """One directory per run."""
        return self.root / "runs"

    @property
    def artifacts(self) -> Path:
        """The artifact store."""
        return self.root / "artifacts"

    @property
    def repositories(self) -> Path:
        """Bare caches of git repositories."""
        return self.root / "repos"

    @property
    def environments(self) -> Path:
        """Virtual environments, cached by content."""
        return self.root / "envs"

    @property
    def images(self) -> Path:
        """Locks and records of last use of the images that were built here."""
        return self.root / "images"

    @property
    def temporary(self) -> Path:
        """Work in progress, on the same file system as the rest."""
        return self.root / "tmp"

    def run(self, run_id: str) -> Path:
        """Return the directory of a run."""
        return self.runs / run_id

    def attempt(self, run_id: str, number: int) -> Path:
        """Return the directory of one attempt of a run."""
        return self.runs / run_id / str(number)

    def shared(self, run_id: str) -> Path:
        """Return the directory of a run that all its attempts share."""
        return self.runs / run_id / "shared"

    def again(self, run_id: str, number: int) -> Path:
        """Return the file that an attempt makes which wants to be followed by another one."""
        return self.shared(run_id) / f"again-{number}"

    def metrics(self, run_id: str) -> Path:
        """Return the database of a run's metrics."""
        return self.runs / run_id / "metrics.db"

    def spec(self, run_id: str) -> Path:
        """Return the file that holds a run's resolved, frozen request."""
        return self.runs / run_id / "spec.json"

    def create(self) -> None:
        """Make the data directory (readable by its owner alone) and the folders in it.

        Raises:
            StoreReadOnly: When it cannot be written.
            StoreError: When a file is in the way.
            DiskFull: When there is no space.
        """
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            self.root.mkdir(mode=0o700, exist_ok=True)
            for folder in _FOLDERS:
                (self.root / folder).mkdir(mode=0o700, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError(
                f"the data directory {self.root} is not a directory ({error.filename} is a file)",
                next_step=f"Move the file away, or set {VARIABLE} to another directory.",
            ) from error
        except OSError as error:
            raise store_error(error, self.root) from error
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise StoreReadOnly(
                f"no permission to write the data directory {self.root}",
                next_step=f"Make it writable, or set {VARIABLE} to a directory of your own.",
            )


def default_home(override: str | None = None) -> Home:
    """Return the data directory to use; nothing is created.

    Args:
        override: The value of ``--home``; wins over ``$LAUNCH_TUI_HOME``, which wins over the
            platform's directory for user data.

    Raises:
        UsageError: When ``override`` is given and is no path, or a ``~`` in it means nothing.
    """
    if override is not None and not override.strip():
        raise UsageError("--home", "is empty", allowed="the path of a directory")
    if override is not None and "\0" in override:
        raise UsageError("--home", "holds a NUL character", allowed="the path of a directory")
    chosen = override or os.environ.get(VARIABLE)
    try:
        root = Path(chosen).expanduser() if chosen else _user_data()
    except RuntimeError as error:
        raise UsageError(VARIABLE if override is None else "--home", str(error)) from error
    return Home(root.absolute())


def check_file_system(path: Path) -> None:
    """Refuse a data directory on a network file system.

    Args:
        path: The directory; it need not exist yet.

    Raises:
        StoreOnNetwork: With the exact setting for a local directory that was found.
    """
    mounts = _mounts()
    kind = file_system_of(path, mounts)
    if kind not in NETWORK_FILE_SYSTEMS:
        return
    local = local_directory(mounts)
    raise StoreOnNetwork(
        f"the data directory {path} is on a network file system ({kind}), "
        "where file locks cannot be trusted",
        next_step=f"Use a local disk: {VARIABLE}={local or '<a directory on a local disk>'}",
    )


def file_system_of(path: Path, mountinfo: str) -> str:
    """Return the type of the file system that ``path`` is on, empty when it is not known.

    Args:
        path: Any path; what does not exist yet counts as part of its nearest ancestor.
        mountinfo: The text of ``/proc/self/mountinfo`` (format: ``man 5 proc``).
    """
    parts = path.resolve().parts
    longest, kind = 0, ""
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if not separator or len(fields) < 5:
            continue
        mount = Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4])).parts
        # A later mount on the same directory hides the earlier one.
        if len(mount) >= longest and parts[: len(mount)] == mount:
            longest, kind = len(mount), right.split(" ", 1)[0]
    return kind


def local_directory(mountinfo: str) -> Path | None:
    """Return a data directory on a local disk that this user could make, or None.

    Args:
        mountinfo: The text of ``/proc/self/mountinfo``.
    """
    own = f"launch_tui-{os.environ.get('USER') or os.getuid()}"
    disks = [*_LOCAL_DISKS, os.environ.get("TMPDIR", "")]
    for disk in (Path(name) for name in disks if name):
        kind = file_system_of(disk, mountinfo)
        if kind not in NETWORK_FILE_SYSTEMS | _VOLATILE and _usable(disk, disk / own):
            return disk / own
    return None


def _usable(disk: Path, directory: Path) -> bool:
    """Whether ``directory`` can be made in ``disk``, or is there and belongs to this user."""
    if not disk.is_absolute() or not disk.is_dir():
        return False
    if directory.exists():
        return directory.is_dir() and directory.stat().st_uid == os.getuid()
    return os.access(disk, os.W_OK | os.X_OK)


def _mounts() -> str:
    try:
        return _MOUNTINFO.read_text(errors="surrogateescape")
    except OSError:
        return ""


def _user_data() -> Path:
    # platformdirs costs some milliseconds to import, and on Linux says just this.
    if _PLATFORM == "linux":
        given = os.environ.get("XDG_DATA_HOME", "").strip()
        base = Path(given) if given.startswith("/") else Path("~/.local/share").expanduser()
        return base / "launch_tui"
    import platformdirs

    return platformdirs.user_data_path("launch_tui", appauthor=False)
