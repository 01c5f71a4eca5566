from __future__ import annotations

import json
from base64 import b64encode

import pytest

from launch_tui.engine import credentials
from launch_tui.engine.credentials import find_login

SECRET = "p4ss:w0rd"


@pytest.fixture
def config(tmp_path):
    """Returns ``config(**settings)``: a ``config.json``, and the variables that find it."""

    def made(**settings):
        folder = tmp_path / "docker"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(settings))
        return {"DOCKER_CONFIG": str(folder), "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}

    return made


@pytest.fixture
def helper(tmp_path):
    """Returns ``helper(name, script)``: a credential helper on PATH."""

    def made(name, script):
        path = tmp_path / "bin" / f"docker-credential-{name}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return made


def auth(user="me"):
    return {"auth": b64encode(f"{user}:{SECRET}".encode()).decode()}


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("localhost:5000", "localhost:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
    ],
)
def test_a_password_that_docker_login_kept(config, key, registry):
    login = find_login(registry, config(auths={key: auth()}))
    assert (login.user, login.password) == ("me", SECRET)
    assert not find_login("example.org", config(auths={key: auth()})).known


def test_no_secret_is_in_a_repr(config):
    login = find_login("a.b", config(auths={"a.b": auth()}))
    assert SECRET not in repr(login)
    assert login.for_engine("a.b") == {
        "username": "me",
        "password": SECRET,
        "serveraddress": "a.b",
    }


def test_a_helper_is_asked_for_its_registry_alone(config, helper, tmp_path):
    answer = json.dumps({"Username": "you", "Secret": SECRET})
    helper("one", f"cat > {tmp_path}/asked; echo '{answer}'")
    environ = config(credHelpers={"a.b": "one"}, auths={"c.d": auth()})
    assert find_login("a.b", environ).user == "you"
    assert (tmp_path / "asked").read_text() == "a.b"
    assert find_login("c.d", environ).user == "me"


def test_a_store_gives_tokens_and_the_file_is_looked_into_when_it_has_none(config, helper):
    helper("all", 'read name; [ "$name" = t.io ] && echo \'{"Username":"<token>","Secret":"tok"}\'')
    environ = config(credsStore="all", auths={"c.d": auth()})
    login = find_login("t.io", environ)
    assert (login.token, login.for_engine("t.io")["identitytoken"]) == ("tok", "tok")
    assert find_login("c.d", environ).user == "me"


@pytest.mark.parametrize(
    ("script", "remark"),
    [
        ("echo 'the keyring is locked' >&2; exit 1", "failed: the keyring is locked"),
        ("echo nonsense", "gave no credentials"),
        ("echo 'credentials not found in native keychain'; exit 1", ""),
    ],
)
def test_what_a_helper_cannot_do_is_remarked(config, helper, script, remark):
    helper("bad", script)
    login = find_login("a.b", config(credsStore="bad"))
    assert not login.known
    assert remark in login.remark
    assert bool(remark) == bool(login.remark)


def test_a_helper_that_hangs_or_is_missing(config, helper, monkeypatch):
    monkeypatch.setattr(credentials, "HELPER_S", 0.2)
    helper("slow", "exec sleep 30")
    assert "did not answer within 0.2 s" in find_login("a.b", config(credsStore="slow")).remark
    assert "is not on PATH" in find_login("a.b", config(credsStore="nosuch")).remark
    assert "is not on PATH" in find_login("a.b", config(credsStore="../bin/x")).remark


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"auths": []}', '{"auths": {"a.b": {"auth": "%%"}}}']
)
def test_a_damaged_file_is_no_login(config, tmp_path, text):
    environ = config()
    (tmp_path / "docker" / "config.json").write_text(text)
    assert not find_login("a.b", environ).known


def test_what_podman_login_kept(config, tmp_path):
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {"q.io": auth("pod")}}))
    assert find_login("q.io", {**config(), "REGISTRY_AUTH_FILE": str(file)}).user == "pod"
