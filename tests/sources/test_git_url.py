from __future__ import annotations

from pathlib import Path

import pytest

from launch_tui.errors import UsageError
from launch_tui.sources.git import check_ref, check_subdirectory, check_url, job_name_for
from launch_tui.sources.git_url import join_url, local_path

SECRET = "s3cr3t-t0ken"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/me/repo.git",
        "https://host:8443/a/b",
        "ssh://git@host/a",
        "ssh://git@host:2222/~me/a.git",
        "ssh://[::1]:22/a",
        "git@github.com:me/repo.git",
        "alias:me/repo",
        "me@[::1]:repo",
        "/srv/git/a.git",
        "file:///srv/git/a.git",
    ],
)
def test_accepted_as_it_is(url):
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ext::sh -c touch% /tmp/x", "ext::"),
        ("fd::17", "fd::"),
        ("::x", "::"),
        ("anything::https://host/x", "anything::"),
        ("git://host/a", "git://"),
        ("http://host/a", "http://"),
        ("ftp://host/a", "ftp://"),
        ("git+ssh://host/a", "git+ssh://"),
        ("ext://host/a", "ext://"),
        ("-u./evil", "begin with -"),
        ("--upload-pack=touch x", "begin with -"),
        ("ssh://-oProxyCommand=touch/x", "host"),
        ("ssh://%2DoProxyCommand=touch/x", "host"),
        ("ssh://-l@host/x", "host"),
        ("-oProxyCommand=x:y", "begin with -"),
        ("me@-oProxyCommand=x:y", "host"),
        ("host:-path", "no repository"),
        ("ssh://host/-path", "no repository"),
        ("ssh:///path", "no host"),
        ("https:///path", "no host"),
        ("https://host", "no repository"),
        ("https://ho st/x", "host"),
        ("https://host:port/x", "valid address"),
        ("https://host/x?token=abc", "? or #"),
        ("https://host/x#main", "? or #"),
        ("https:/host/x", "valid address"),
        ("me@:x", "valid address"),
        ("me@host:", "no repository"),
        ("file://host/x", "local repository"),
        ("https://host/a\nb", "control character"),
        ("https://host/a%0ab", "control character"),
        ("/tmp/a\x1b[31m", "control character"),
        ("", "empty"),
        (" ", "empty"),
    ],
)
def test_refused_with_the_field_and_what_is_allowed(url, said):
    with pytest.raises(UsageError) as refused:
        check_url(url, field="git URL")
    assert refused.value.exit_status == 2
    assert str(refused.value).startswith("git URL: ")
    assert said in str(refused.value)
    assert "allowed: " in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{SECRET}@host/x",
        f"https://{SECRET}@host/x",
        f"https://me%3A{SECRET}@host/x",
        f"http://me:{SECRET}@host/x",
        f"ssh://me:{SECRET}@host/x",
        f"ext::https://me:{SECRET}@host/x",
        f"https:/me:{SECRET}@host/x",
        f"me:{SECRET}@host/x",
        f"me:{SECRET}@host:x",
        f"https://host/x?token={SECRET}",
        f"-me:{SECRET}@host",
        f"https://me:{SECRET}@host/x\n",
        f"https://me:{SECRET}@[host/x",
        f"https://me:{SECRET}@ho st/x",
    ],
)
def test_a_secret_is_refused_and_never_repeated(url):
    with pytest.raises(UsageError) as refused:
        check_url(url)
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value)


def test_the_refusal_of_credentials_shows_the_url_without_them():
    with pytest.raises(UsageError, match=r"allowed: https://dev\.example/org/x\)"):
        check_url("https://org@dev.example/org/x")


def test_local_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert check_url(".") == str(tmp_path)
    assert check_url("../x") == str(tmp_path.parent / "x")
    assert check_url("~/x") == "/home/me/x"
    assert local_path("file:///a%20b") == Path("/a b")
    assert local_path("https://host/x") is None


@pytest.mark.parametrize("url", ["/srv/x", "x", "file:///srv/x"])
def test_submodules_may_not_be_local(url):
    with pytest.raises(UsageError, match="refused"):
        check_url(url, local=False)


@pytest.mark.parametrize("ref", ["main", "feature/x", "v1.0", "refs/heads/main", "a1b2c3d", "ünï"])
def test_refs_accepted(ref):
    assert check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    [
        "-x",
        "--upload-pack=x",
        "",
        "a b",
        "a..b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "@",
        "a@{1}",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a.lock",
        "a.",
        "a\n",
    ],
)
def test_refs_refused(ref):
    with pytest.raises(UsageError, match="-g: "):
        check_ref(ref, field="-g")


def test_subdirectories():
    assert check_subdirectory("a/./b/") == "a/b"
    assert check_subdirectory(".") == ""
    assert check_subdirectory("") == ""
    for bad in ("/a", "../a", "a/../../b", ".git/hooks", "a/.git", "-a", "././-a", "a\nb"):
        with pytest.raises(UsageError):
            check_subdirectory(bad)


@pytest.mark.parametrize(
    ("base", "relative", "result"),
    [
        ("https://host/me/top.git", "../sub.git", "https://host/me/sub.git"),
        ("https://host/me/top.git/", "../../you/sub", "https://host/you/sub"),
        ("https://host/me/top", "./sub", "https://host/me/top/sub"),
        ("git@host:me/top", "../sub", "git@host:me/sub"),
        ("git@host:top", "../sub", "git@host:sub"),
    ],
)
def test_relative_submodule_urls(base, relative, result):
    assert join_url(base, relative) == result


def test_a_relative_url_cannot_leave_its_host():
    for base in ("https://host/top", "git@host:top"):
        with pytest.raises(UsageError):
            check_url(join_url(base, "../../../../x"), local=False)


def test_names_as_wandb_makes_them():
    url = "https://github.com/me/repo.git"
    assert job_name_for(url, "src/train.py") == "job-https___github.com_me_repo.git_src_train.py"
    assert len(job_name_for(url, "x" * 300)) == 128


def test_the_home_of_somebody_unknown_is_a_path_like_any_other():
    """``Path.expanduser`` raises for a user that this machine does not know."""
    assert check_url("~;h;x").endswith("/~;h;x")
