from __future__ import annotations

import pytest

from launch_tui.domain.image import DOCKER_HUB
from launch_tui.engine import layers
from launch_tui.engine.credentials import Login
from launch_tui.engine.layers import Layers, megabytes
from launch_tui.engine.registry_failure import registry_failed


@pytest.fixture
def told(monkeypatch):
    """Layers with a clock by hand: ``told.follow(...)``, ``told.at(seconds)``, what was said."""
    said, log, now = [], [], [0.0]
    monkeypatch.setattr(layers.time, "monotonic", lambda: now[0])
    made = Layers("pulling", said.append, lambda data: log.append(data.decode()))
    made.said, made.lines = said, log
    made.at = lambda seconds: now.__setitem__(0, seconds)
    return made


def step(name, status, current=0, total=0):
    return {
        "id": name,
        "status": status,
        "progressDetail": {"current": current, "total": total} if total else {},
    }


def test_layers_in_parallel_are_one_line(told):
    for name in "abc":
        told.follow(step(name, "Pulling fs layer"))
    told.at(1)
    told.follow(step("a", "Downloading", 20_000_000, 40_000_000))
    told.at(2)
    told.follow(step("b", "Downloading", 10_000_000, 60_000_000))
    told.at(3)
    told.follow(step("a", "Pull complete"))
    assert told.said[-2:] == [
        "pulling: 0 of 3 layers, 30 MB of 100 MB",
        "pulling: 1 of 3 layers, 50 MB of 100 MB",
    ]
    assert told.lines == ["a: pull complete (40 MB)\n"]


def test_no_more_than_four_reports_a_second(told):
    for hundredth in range(1, 301):
        told.at(hundredth / 100)
        told.follow(step("a", "Downloading", hundredth * 1_000_000, 300_000_000))
    assert 8 <= len(told.said) <= 13


def test_a_layer_that_is_there_counts_as_done_and_is_told_once(told):
    for _ in range(3):
        told.follow(step("a", "Already exists"))
    assert told.said == ["pulling: 1 of 1 layers"]
    assert told.lines == ["a: already exists\n"]


def test_what_belongs_to_no_layer_goes_into_the_log(told):
    told.follow({"status": "Status: Downloaded newer image for x:1"})
    told.follow(step("1", "Pulling from team/x"))
    assert told.lines == ["Status: Downloaded newer image for x:1\n"]
    assert told.said == []


def test_sizes():
    assert [megabytes(n) for n in (0, 1_500, 1_500_000, 20_400_000, 2_500_000_000)] == [
        "0.0 MB", "0.0 MB", "1.5 MB", "20 MB", "2.5 GB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("manifest unknown", "Check the name and the tag."),
        ("pull access denied for x, repository does not exist", "log in: `docker login r.io`"),
        ("unauthorized: incorrect username or password", "Log in again: `docker login r.io`."),
        ("toomanyrequests: You have reached your pull rate limit", "which has a higher limit"),
        ("dial tcp: lookup r.io: no such host", "reaches r.io: the network"),
        ("x509: certificate signed by unknown authority", "certs.d/r.io/ca.crt"),
        ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
        ("write /x: no space left on device", "Free space"),
        ("no matching manifest for linux/arm64", "not made for this platform"),
    ],
)
def test_what_to_do_about_a_refusal(words, step):
    failure = registry_failed("cannot pull r.io/x", words, "r.io", Login())
    assert step in failure.next_step
    assert (failure.phase, failure.cause) == ("build", f"cannot pull r.io/x: {words}")


def test_docker_hub_is_logged_in_to_without_a_name_and_remarks_are_told():
    login = Login(remark="docker-credential-x is not on PATH")
    failure = registry_failed("cannot pull x", "denied: no", DOCKER_HUB, login)
    assert "`docker login`" in failure.next_step
    assert "docker-credential-x is not on PATH" in failure.cause
