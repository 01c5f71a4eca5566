"""What the user is logged in with at a registry: Docker's ``config.json`` and its helper programs.

Read anew for each pull, since an agent lives longer than many passwords. A helper that is missing
or fails is no failure yet, for most images are public; it is remarked, and told when the registry
then refuses. Secrets stay in memory: they are in no message and in no ``repr``.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.image import DOCKER_HUB
from launch_tui.engine.endpoint import docker_config, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

HELPER_S = 30.0
"""How long a helper may take; some ask the user for a passphrase."""
HUB_KEY = "https://index.docker.io/v1/"
"""What Docker Hub is called in ``config.json`` and by helpers."""

# What helpers put in a user's place when the secret is an identity token.
_TOKEN_USER = "<token>"
_UNKNOWN = ("credentials not found", "no usernames for")
_HUB_NAMES = frozenset({DOCKER_HUB, f"index.{DOCKER_HUB}", f"registry-1.{DOCKER_HUB}"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a registry is told; all of it is empty for a registry that nobody is logged in at.

    ``token`` is an identity token, which some registries give instead of a password. ``remark``
    says what kept us from finding more.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    remark: str = ""

    @property
    def known(self) -> bool:
        """Say whether there is anything to tell."""
        return bool(self.user or self.token)

    def for_engine(self, registry: str) -> dict[str, str]:
        """Return it as the engine takes it along with a request."""
        if not self.known:
            return {}
        server = HUB_KEY if registry == DOCKER_HUB else registry
        if self.token:
            return {"identitytoken": self.token, "serveraddress": server}
        return {"username": self.user, "password": self.password, "serveraddress": server}


def find_login(registry: str, environ: Mapping[str, str]) -> Login:
    """Return what the user is logged in with at the registry, as ``docker login`` kept it."""
    config = docker_config(environ)
    remark = ""
    if helper := _helper(registry, config):
        login = _ask_helper(helper, registry, environ)
        if login.known:
            return login
        remark = login.remark
    for kept in (config, *(read_json(file) for file in _podman_files(environ))):
        login = _kept(registry, kept.get("auths"))
        if login.known:
            return login
    return Login(remark=remark)


def _podman_files(environ: Mapping[str, str]) -> list[Path]:
    if chosen := environ.get("REGISTRY_AUTH_FILE"):
        return [Path(chosen)]
    runtime = environ.get("XDG_RUNTIME_DIR")
    return [Path(runtime, "containers", "auth.json")] if runtime else []


def _host(key: str) -> str:
    """Return the host of a key, which older versions wrote as an address."""
    host = key.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return DOCKER_HUB if host in _HUB_NAMES else host


def _helper(registry: str, config: Mapping[str, Any]) -> str:
    helpers = config.get("credHelpers")
    for key, name in helpers.items() if isinstance(helpers, dict) else ():
        if _host(key) == registry and isinstance(name, str):
            return name
    store = config.get("credsStore")
    return store if isinstance(store, str) else ""


def _kept(registry: str, auths: object) -> Login:
    for key, entry in auths.items() if isinstance(auths, dict) else ():
        if _host(str(key)) == registry and isinstance(entry, dict):
            login = _read_entry(entry)
            if login.known:
                return login
    return Login()


def _read_entry(entry: Mapping[str, Any]) -> Login:
    if token := entry.get("identitytoken"):
        return Login(token=str(token))
    user, password = entry.get("username"), entry.get("password")
    if auth := entry.get("auth"):
        try:
            decoded = base64.b64decode(str(auth)).decode()
        except ValueError:
            return Login()
        user, _, password = decoded.partition(":")
    return Login(user=str(user or ""), password=str(password or "").rstrip("\0"))


def _ask_helper(name: str, registry: str, environ: Mapping[str, str]) -> Login:
    program = f"docker-credential-{name}"
    path = shutil.which(program, path=environ.get("PATH", os.defpath))
    if path is None or os.sep in name:
        return Login(remark=f"{program}, which keeps the passwords, is not on PATH")
    server = HUB_KEY if registry == DOCKER_HUB else registry
    try:
        done = subprocess.run(
            [path, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=HELPER_S,
            env=dict(environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Login(remark=f"{program} did not answer within {HELPER_S:g} s")
    except OSError as error:
        return Login(remark=f"{program} does not run: {error.strerror}")
    return _read_answer(program, done)


def _read_answer(program: str, done: subprocess.CompletedProcess[bytes]) -> Login:
    if done.returncode != 0:
        said = " ".join((done.stdout + done.stderr).decode("utf-8", "replace").split())
        if any(words in said for words in _UNKNOWN):
            return Login()
        return Login(remark=f"{program} failed: {said or f'status {done.returncode}'}")
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        return Login(remark=f"{program} gave no credentials")
    return Login(token=secret) if user == _TOKEN_USER else Login(user=user, password=secret)
