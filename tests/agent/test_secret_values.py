from __future__ import annotations

import sys

import pytest

from launch_tui.agent import secret_values
from launch_tui.agent.secret_values import resolved, secret_value
from launch_tui.errors import StartFailed, UsageError
from launch_tui.sdk import Launch


@pytest.fixture
def root(tmp_path):
    (tmp_path / "secrets").mkdir(mode=0o700)
    return tmp_path


def put(root, name, data, mode=0o600):
    file = root / "secrets" / name
    file.write_bytes(data)
    file.chmod(mode)
    return file


def no_keyring(monkeypatch):
    monkeypatch.setattr(secret_values, "find_spec", lambda _: None)


def test_the_environment_comes_before_the_file(root):
    put(root, "TOKEN", b"of-the-file\n")
    assert secret_value("TOKEN", root, {"TOKEN": "of-the-agent"}) == "of-the-agent"
    assert secret_value("TOKEN", root, {}) == "of-the-file"


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o601])
def test_a_file_that_others_may_read_is_not_used(root, mode):
    put(root, "TOKEN", b"exposed", mode)
    with pytest.raises(StartFailed, match="is not yours alone") as caught:
        secret_value("TOKEN", root, {})
    assert "exposed" not in str(caught.value)
    assert "chmod 600" in caught.value.next_step


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\0b", b"x" * 200_000])
def test_a_value_that_no_process_can_be_given_is_refused_without_showing_it(root, data):
    put(root, "TOKEN", data)
    with pytest.raises(StartFailed) as caught:
        secret_value("TOKEN", root, {})
    assert len(str(caught.value)) < 500


def test_a_secret_that_nobody_has_names_the_places(root, monkeypatch):
    no_keyring(monkeypatch)
    with pytest.raises(StartFailed, match=r"neither the agent's environment nor .* nor a keyring"):
        secret_value("TOKEN", root, {})


@pytest.fixture
def keyring_backend(tmp_path, monkeypatch):
    """A keyring of a file: the library is real, and the desktop that it would ask is not there."""
    pytest.importorskip("keyring", reason="needs the extra keyring")
    module = tmp_path / "backends"
    module.mkdir()
    (module / "in_a_file.py").write_text(
        "import json, pathlib, keyring.backend\n"
        "class Keyring(keyring.backend.KeyringBackend):\n"
        "    priority = 1\n"
        "    def get_password(self, service, name):\n"
        f"        kept = json.loads(pathlib.Path({str(tmp_path / 'kept.json')!r}).read_text())\n"
        "        return kept.get(f'{service}/{name}')\n"
        "    def set_password(self, service, name, value): raise NotImplementedError\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(module))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "in_a_file.Keyring")
    return tmp_path / "kept.json"


def test_the_keyring_comes_last(root, keyring_backend):
    keyring_backend.write_text('{"launch_tui/TOKEN": "of-the-keyring"}')
    assert secret_value("TOKEN", root, {}) == "of-the-keyring"
    with pytest.raises(StartFailed):
        secret_value("OTHER", root, {})


def test_a_keyring_that_hangs_is_not_waited_for(root, monkeypatch, tmp_path):
    monkeypatch.setattr(secret_values, "KEYRING_TIMEOUT_S", 0.3)
    monkeypatch.setattr(secret_values, "find_spec", lambda _: object())
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    with pytest.raises(StartFailed, match="nor a keyring"):
        secret_value("TOKEN", root, {})


def test_a_queue_refers_by_name(root):
    put(root, "TEAM", b"value\n")
    given = {"HF_TOKEN": "${secret:TEAM}", "A": "1", "B": "${HOME}"}
    assert resolved(given, root, {}) == {"HF_TOKEN": "value", "A": "1", "B": "${HOME}"}


@pytest.mark.parametrize("value", ["x${secret:TEAM}", "${secret:a-b}", "${secret:}", "${secret"])
@pytest.mark.parametrize("resource", ["local-process", "local-container"])
def test_what_only_looks_like_a_reference_is_refused_where_it_is_entered(value, resource):
    with Launch() as launch, pytest.raises(UsageError, match=r"env\.A: .*\$\{secret:NAME\}"):
        launch.queues.create("q", resource, config={"env": {"A": value}})
