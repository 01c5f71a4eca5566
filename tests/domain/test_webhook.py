from __future__ import annotations

import pytest

from launch_tui.domain.run import RunState
from launch_tui.domain.webhook import DEFAULT, TOLD, read_webhooks, references, resolved
from launch_tui.errors import UsageError


def one(**section):
    (hook,) = read_webhooks([section], "f: notify")
    return hook


def test_an_address_is_kept_as_it_was_written_and_named_without_it():
    hook = one(url="https://hooks.example.com/T1/B2/secret")
    assert hook.url == "https://hooks.example.com/T1/B2/secret"
    assert hook.name.startswith("hooks.example.com-")
    assert "secret" not in hook.name
    assert hook.on == DEFAULT == (RunState.FINISHED, RunState.FAILED, RunState.LOST)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("${WEBHOOK_URL}", "${WEBHOOK_URL}"),
        ("https://example.com/${TOKEN}", "${TOKEN}"),
        ("https://${USER}:${TOKEN}@example.com/", "USER-TOKEN"),
    ],
)
def test_a_reference_is_its_name(url, name):
    assert one(url=url).name == name


def test_ends_are_told_in_their_order_once():
    assert one(url="http://x", on=["lost", "failed", "failed"]).on == ("failed", "lost")
    assert one(url="http://x", on="stopped").on == ("stopped",)
    assert one(url="http://x", on=list(TOLD)).on == TOLD
    assert one(url="http://x", on=None).on == DEFAULT


def test_two_addresses_of_one_host_are_told_apart():
    first, second = read_webhooks([{"url": "http://x/a"}, {"url": "http://x/b"}], "notify")
    assert first.name != second.name
    assert read_webhooks([], "notify") == ()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("x", "n: is no list"),
        ({"url": "http://x"}, "n: is no list"),
        (["http://x"], "n[0]: is no section"),
        ([{}], "n[0].url: is missing (allowed: https://..., ${NAME})"),
        ([{"url": ""}], "n[0].url: is no address"),
        ([{"url": 5}], "n[0].url: is no address"),
        ([{"url": "ftp://x"}], "n[0].url: is no address"),
        ([{"url": "example.com"}], "n[0].url: is no address"),
        ([{"url": "https://"}], "n[0].url: is no address"),
        ([{"url": "http://x:99999"}], "n[0].url: is no address"),
        ([{"url": "http://x:0"}], "n[0].url: is no address"),
        ([{"url": "http://[::1"}], "n[0].url: is no address"),
        ([{"url": "http://x/\x1b[2J"}], "n[0].url: is no address"),
        ([{"url": "http://x/ y"}], "n[0].url: is no address"),
        ([{"url": "http://x/" + "y" * 3000}], "n[0].url: has more than 2000 characters"),
        ([{"url": "https://me:hunter2@x/"}], "n[0].url: has a password in it"),
        ([{"url": "http://x", "when": 1}], "n[0].when: there is no such key (allowed: url"),
        ([{"url": "http://x", "on": ["running"]}], "n[0].on: 'running' is no end of a run"),
        ([{"url": "http://x", "on": []}], "n[0].on: is empty"),
        ([{"url": "http://x", "on": [["a"]]}], "n[0].on: \"['a']\" is no end of a run"),
        ([{"url": "http://x", "name": "a b"}], "n[0].name: is no name"),
        ([{"url": "http://x"}] * 2, "n[1].name: x-"),
        ([{"url": "http://x"}] * 17, "n: has 17 entries (allowed: at most 16)"),
    ],
)
def test_what_is_wrong_is_one_line_that_does_not_repeat_the_address(given, told):
    with pytest.raises(UsageError) as error:
        read_webhooks(given, "n")
    assert str(error.value).startswith(told)
    assert "hunter2" not in str(error.value)
    assert str(error.value).isprintable()


def test_references_are_resolved():
    url = "https://${HOST}/${TOKEN}/${TOKEN}"
    assert references(url) == ("HOST", "TOKEN", "TOKEN")
    assert resolved(url, {"HOST": "h", "TOKEN": "t"}) == "https://h/t/t"
    with pytest.raises(KeyError):
        resolved(url, {"HOST": "h"})
