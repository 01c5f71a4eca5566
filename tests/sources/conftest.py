"""Real repositories and a real sshd on loopback, under a home of their own."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


@pytest.fixture
def git_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory whose .gitconfig is all that git knows of the person."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("GIT_", "SSH_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (home / ".gitconfig").write_text(
        "[user]\nname = T\nemail = t@example.invalid\n[init]\ndefaultBranch = main\n"
    )
    return home


@dataclass(frozen=True)
class Repository:
    """A work tree that a test fills."""

    path: Path

    @property
    def url(self) -> str:
        return str(self.path)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, text: str = "1", name: str = "train.py") -> str:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.git("add", "--all")
        self.git("commit", "-q", "-m", text[:20])
        return self.git("rev-parse", "HEAD")

    def submodule(self, path: str, url: str, commit: str) -> str:
        """Commit a gitlink as `git submodule add` would, without asking the URL."""
        with (self.path / ".gitmodules").open("a") as file:
            file.write(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
        self.git("add", ".gitmodules")
        self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        self.git("commit", "-q", "-m", "submodule")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def new_repository(tmp_path: Path, git_home: Path):
    """Make an empty repository by name."""

    def make(name: str = "project") -> Repository:
        path = tmp_path / "remotes" / name
        path.mkdir(parents=True)
        repository = Repository(path)
        repository.git("init", "-q")
        return repository

    return make


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    return tmp_path / "data" / "repos"


@dataclass(frozen=True)
class Sshd:
    """A server that lets this user in by one key; ``command`` is what GIT_SSH_COMMAND is to be."""

    port: int
    command: str

    def url(self, path: Path) -> str:
        return f"{getpass.getuser()}@loopback:{path}"


@pytest.fixture(scope="session")
def sshd_server(tmp_path_factory: pytest.TempPathFactory):
    """A private sshd on loopback with a throw-away key; skipped where there is none."""
    if SSHD is None or shutil.which("ssh-keygen") is None:
        pytest.skip("needs openssh-server")
    if os.getuid() == 0:
        # What every start of the system's sshd makes; without it none starts as root.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        generate = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(generate, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _write_configuration(folder, port)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log, stdout=log
        )
    try:
        _wait_for_port(port, server, folder / "log")
        yield Sshd(port, f"ssh -F {folder / 'config'}")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


@pytest.fixture
def sshd(sshd_server: Sshd, git_home: Path, monkeypatch: pytest.MonkeyPatch) -> Sshd:
    monkeypatch.setenv("GIT_SSH_COMMAND", sshd_server.command)
    return sshd_server


def _write_configuration(folder: Path, port: int) -> None:
    public = (folder / "user.pub").read_text()
    (folder / "authorized").write_text(public)
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder / 'host'}\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nPidFile none\nStrictModes no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
    )
    (folder / "config").write_text(
        f"Host loopback\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder / 'user'}\n"
        f"Host stranger\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder / 'host'}\n"
        "Host *\n IdentitiesOnly yes\n IdentityAgent none\n StrictHostKeyChecking yes\n"
        f" UserKnownHostsFile {folder / 'known'}\n GlobalKnownHostsFile none\n"
    )


def _wait_for_port(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if server.poll() is not None:
            pytest.skip(f"sshd does not start here: {log.read_text().strip()[-200:]}")
        with socket.socket() as client:
            client.settimeout(1)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            server.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    pytest.fail("sshd does not listen")
