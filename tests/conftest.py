"""What every test gets: a data directory of its own, a clean environment, and no network.

Processes that a test starts are not held back: environments are built with uv and pip, which need
a package index. Within the test process itself only loopback can be reached.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import time
import uuid

import pytest
from hypothesis import settings

pytest_plugins = ("tests.docker_env", "tests.registries")

KEPT = frozenset({"LAUNCH_TUI_CI", "LAUNCH_TUI_TEST_ENVS"})
"""Set by whoever runs the tests; README and .ci/run say what for."""
POLL_S = 0.01


# No deadline: a busy machine is no defect. In CI the same examples each time, so that a change is
# judged by what it changes; everywhere else new ones, which is how new defects are found.
settings.register_profile("tests", deadline=None, derandomize="LAUNCH_TUI_CI" in os.environ)
settings.load_profile("tests")


def pytest_configure():
    # Before anything is imported: some of these are read once, and children inherit them.
    for name in list(os.environ):
        if name.startswith(("LAUNCH_TUI_", "WANDB_")) and name not in KEPT:
            del os.environ[name]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where LAUNCH_TUI_CI is set, a skip whose reason begins with ``needs`` is a failure."""
    report = yield
    if report.skipped and os.environ.get("LAUNCH_TUI_CI") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        if reason.startswith("Skipped: needs "):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {reason}, and LAUNCH_TUI_CI is set"
    return report


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory, monkeypatch):
    """The data directory of this test; nothing is made until somebody uses it."""
    home = tmp_path_factory.getbasetemp() / "homes" / uuid.uuid4().hex
    monkeypatch.setenv("LAUNCH_TUI_HOME", str(home))
    return home


@pytest.fixture(autouse=True, scope="session")
def loopback_only():
    """Refuses connections to other machines; what needs one belongs into a process of its own."""
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}

    def guarded(name):
        def connect(self, address):
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
                raise PermissionError(f"a test tried to reach {address[0]}")
            return real[name](self, address)

        return connect

    with pytest.MonkeyPatch.context() as patch:
        for name in real:
            patch.setattr(socket.socket, name, guarded(name))
        yield


@pytest.fixture
def wait_until():
    """Returns ``wait_until(condition, timeout, what)``: the first true value of the condition."""

    def wait(condition, timeout=20.0, what="the condition"):
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come true within {timeout:g} s")
            time.sleep(POLL_S)
        return value

    return wait


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
