"""Over the wire: a real sshd and a real https server with a password, both on loopback."""

from __future__ import annotations

import base64
import functools
import getpass
import shutil
import ssl
import subprocess
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from launch_tui.domain.job import GitSource
from launch_tui.errors import SourceFailed, UsageError
from launch_tui.sources.git import materialise, resolve

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t-t0ken"


def test_ssh_in_both_spellings(sshd, new_repository, repositories, tmp_path):
    remote = new_repository()
    tip = remote.commit()
    user = getpass.getuser()
    for number, url in enumerate([sshd.url(remote.path), f"ssh://{user}@loopback{remote.path}"]):
        source = resolve(url, "main", repositories)
        assert source.commit == tip
        copy = materialise(source, repositories, tmp_path / f"{number}")
        assert (copy.directory / "train.py").read_text() == "1"


def test_ssh_by_core_ssh_command(sshd, new_repository, repositories, git_home, monkeypatch):
    monkeypatch.delenv("GIT_SSH_COMMAND")
    with (git_home / ".gitconfig").open("a") as file:
        file.write(f"[core]\nsshCommand = {sshd.command}\n")
    remote = new_repository()
    tip = remote.commit()
    assert resolve(sshd.url(remote.path), None, repositories).commit == tip


def test_a_connection_master_that_stays_is_not_waited_for(
    sshd, new_repository, repositories, monkeypatch, tmp_path_factory
):
    remote = new_repository()
    remote.commit()
    control = tmp_path_factory.mktemp("c") / "s"
    master = f"{sshd.command} -o ControlPath={control}"
    monkeypatch.setenv("GIT_SSH_COMMAND", f"{master} -o ControlMaster=auto -o ControlPersist=50")
    began = time.monotonic()
    try:
        resolve(sshd.url(remote.path), None, repositories)
        assert time.monotonic() - began < 50
        assert control.exists(), "the connection stays for the next command"
    finally:
        subprocess.run([*master.split(), "-O", "exit", "loopback"], capture_output=True)


def test_ssh_refusals_do_not_ask(sshd, new_repository, repositories, monkeypatch):
    remote = new_repository()
    remote.commit()
    with pytest.raises(UsageError, match="Permission denied") as refused:
        resolve(f"{getpass.getuser()}@stranger:{remote.path}", None, repositories)
    assert "needs authentication" in refused.value.next_step
    with pytest.raises(UsageError, match="does not appear to be a git repository"):
        resolve(sshd.url(remote.path / "no"), None, repositories)
    unknown = f"ssh -o UserKnownHostsFile=/dev/null {sshd.command.removeprefix('ssh ')}"
    monkeypatch.setenv("GIT_SSH_COMMAND", f"{unknown} -o StrictHostKeyChecking=ask")
    with pytest.raises(UsageError) as refused:
        resolve(sshd.url(remote.path), None, repositories)
    assert "Host key verification failed" in str(refused.value)


def test_submodules_in_submodules(sshd, new_repository, repositories, tmp_path):
    leaf, middle, top = (new_repository(name) for name in ("leaf", "middle", "top"))
    leaf_commit = leaf.commit("leaf")
    leaf.commit("newer")
    middle.commit("middle")
    middle_commit = middle.submodule("deps/leaf", "../leaf", leaf_commit)
    top.commit("top")
    top.submodule("libs/middle", sshd.url(middle.path), middle_commit)
    source = resolve(sshd.url(top.path), None, repositories)
    copy = materialise(source, repositories, tmp_path / "one").directory
    assert (copy / "libs" / "middle" / "train.py").read_text() == "middle"
    assert (copy / "libs" / "middle" / "deps" / "leaf" / "train.py").read_text() == "leaf"
    status = subprocess.run(["git", "status", "--porcelain"], cwd=copy, capture_output=True)
    assert status.stdout == b""
    for remote in (leaf, middle, top):
        shutil.rmtree(remote.path)
    again = materialise(source, repositories, tmp_path / "two").directory
    assert (again / "libs" / "middle" / "deps" / "leaf" / "train.py").read_text() == "leaf"
    assert len(list(repositories.glob("*.git"))) == 3


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///srv/x", "file:// is refused"),
        ("/srv/x", "a path of this machine is refused"),
        ("../sibling", "a path of this machine is refused"),
        ("ext::sh -c id", "ext:: is refused"),
        ("git://host/x", "git:// is refused"),
        ("-u./evil", "may not begin with -"),
        (f"https://me:{SECRET}@host/x", "credentials"),
    ],
)
def test_submodules_under_the_same_policy(new_repository, repositories, tmp_path, url, said):
    remote = new_repository()
    tip = remote.commit()
    remote.submodule("libs/dep", url, tip)
    source = resolve(remote.url, None, repositories)
    with pytest.raises(SourceFailed, match="submodule libs/dep: ") as failed:
        materialise(source, repositories, tmp_path / "one")
    assert said in failed.value.cause
    assert "code job" in failed.value.next_step
    assert SECRET not in str(failed.value)
    assert not (tmp_path / "one").exists()


def test_a_rewritten_submodule_url_cannot_become_local(
    new_repository, repositories, tmp_path, git_home
):
    remote = new_repository()
    tip = remote.commit()
    remote.submodule("dep", "https://example.invalid/dep", tip)
    with (git_home / ".gitconfig").open("a") as file:
        file.write(f'[url "file://{remote.path}"]\ninsteadOf = https://example.invalid/dep\n')
    source = resolve(remote.url, None, repositories)
    with pytest.raises(SourceFailed, match=r"submodule dep: transport 'file' not allowed"):
        materialise(source, repositories, tmp_path / "one")


def test_a_submodule_without_a_url_stays_empty_with_a_warning(
    new_repository, repositories, tmp_path
):
    remote = new_repository()
    tip = remote.commit()
    remote.git("update-index", "--add", "--cacheinfo", f"160000,{tip},dep")
    remote.git("commit", "-q", "-m", "link")
    copy = materialise(resolve(remote.url, None, repositories), repositories, tmp_path / "s")
    assert copy.warnings == ("submodule dep has no URL in .gitmodules and stays empty",)


def test_a_lost_submodule_commit_names_the_submodule(sshd, new_repository, repositories, tmp_path):
    dep, top = new_repository("dep"), new_repository("top")
    dep.commit()
    top.commit()
    top.submodule("dep", sshd.url(dep.path), "1" * 40)
    source = resolve(top.url, None, repositories)
    with pytest.raises(SourceFailed, match="submodule dep: ") as failed:
        materialise(source, repositories, tmp_path / "one")
    assert "1" * 40 in failed.value.cause


class _Guarded(SimpleHTTPRequestHandler):
    """Static files (git's plain http protocol) for whoever knows the password."""

    def do_GET(self):
        expected = base64.b64encode(f"me:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {expected}":
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def https_root(tmp_path, git_home):
    """Serve a folder over https, with a certificate that the person's git trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder, root = tmp_path / "tls", tmp_path / "www"
    folder.mkdir()
    root.mkdir()
    key, certificate = folder / "key", folder / "certificate"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *name, *files], check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Guarded, directory=str(root)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with (git_home / ".gitconfig").open("a") as file:
        file.write(f"[http]\nsslCAInfo = {certificate}\n")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield root, f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def private(https_root, new_repository):
    """A private repository's URL, its newest commit and the one before."""
    root, base = https_root
    remote = new_repository()
    first = remote.commit("1")
    second = remote.commit("2")
    remote.git("clone", "-q", "--bare", ".", str(root / "x.git"))
    subprocess.run(["git", "update-server-info"], cwd=root / "x.git", check=True)
    return f"{base}/x.git", second, first


def test_https_without_credentials_does_not_ask(private, repositories, monkeypatch, tmp_path):
    asked = tmp_path / "asked"
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\ntouch {asked}\necho x\n")
    ask.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(ask))
    monkeypatch.setenv("SSH_ASKPASS", str(ask))
    with pytest.raises(UsageError, match="could not read Username") as refused:
        resolve(private[0], None, repositories)
    assert "credential helper" in refused.value.next_step
    assert not asked.exists()


def test_credentials_come_from_gits_helper_and_are_written_nowhere(
    private, repositories, tmp_path, git_home, capfd, caplog
):
    url, second, first = private
    with (git_home / ".gitconfig").open("a") as file:
        file.write(
            f'[credential]\nhelper = "!f() {{ echo username=me; echo password={SECRET}; }}; f"\n'
        )
    lines: list[str] = []
    caplog.set_level("DEBUG")
    for number, (ref, commit) in enumerate(
        {"main": second, first: first, first[:9]: first}.items()
    ):
        source = resolve(url, ref, repositories, report=lines.append)
        assert source.commit == commit
        materialise(source, repositories, tmp_path / "data" / f"{number}", report=lines.append)
    assert not _holding(SECRET, tmp_path / "data")
    out, err = capfd.readouterr()
    assert SECRET not in f"{lines}{out}{err}{caplog.text}"


def test_credentials_of_a_rewritten_url_are_in_no_message_and_no_file(
    private, repositories, tmp_path, git_home
):
    url, second, _ = private
    host = url.removeprefix("https://").partition("/")[0]
    with (git_home / ".gitconfig").open("a") as file:
        file.write(f'[url "https://me:{SECRET}@{host}/"]\ninsteadOf = https://example.invalid/\n')
        file.write(f'[url "https://me:{SECRET}@127.0.0.1:1/"]\ninsteadOf = https://down.invalid/\n')
    source = resolve("https://example.invalid/x.git", None, repositories)
    assert source.commit == second
    materialise(source, repositories, tmp_path / "data" / "one")
    assert not _holding(SECRET, tmp_path / "data")
    for wrong in ("https://example.invalid/y.git", "https://down.invalid/x.git"):
        with pytest.raises(UsageError) as refused:
            resolve(wrong, None, repositories)
        assert SECRET not in str(refused.value)
        lost = GitSource(url=wrong, commit=second)
        with pytest.raises(SourceFailed) as failed:
            materialise(lost, repositories, tmp_path / "data" / "two")
        assert SECRET not in f"{failed.value} {failed.value.next_step}"


def _holding(text: str, folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if text.encode() in path.read_bytes()]
