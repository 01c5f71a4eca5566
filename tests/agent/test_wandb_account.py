"""Which W&B server and which key: the nearest that is given, and never a guess."""

from __future__ import annotations

import pytest

from launch_tui.agent.wandb_account import PUBLIC, account
from launch_tui.errors import StartFailed

KEY = "k" * 40


@pytest.fixture
def surroundings(tmp_path):
    """An environment whose netrc and settings of wandb are the test's own."""
    return {"NETRC": str(tmp_path / "netrc"), "WANDB_CONFIG_DIR": str(tmp_path / "config")}


def test_the_nearest_address_wins(tmp_path, surroundings):
    (tmp_path / "config").mkdir()
    given = {"WANDB_API_KEY": KEY}
    assert account(given, tmp_path, surroundings).base_url == PUBLIC
    (tmp_path / "config" / "settings").write_text("[default]\nbase_url = http://settings:1\n")
    assert account(given, tmp_path, surroundings).base_url == "http://settings:1"
    surroundings["WANDB_BASE_URL"] = "http://agent:2/"
    assert account(given, tmp_path, surroundings).base_url == "http://agent:2"
    given["WANDB_BASE_URL"] = "https://given:3"
    assert account(given, tmp_path, surroundings).base_url == "https://given:3"


@pytest.mark.parametrize("url", ["nowhere", "ftp://host", "http://", "http://[x", "http://h:99999"])
def test_what_is_no_address_is_refused(tmp_path, surroundings, url):
    given = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": url}
    with pytest.raises(StartFailed, match="WANDB_BASE_URL is no address"):
        account(given, tmp_path, surroundings)


@pytest.mark.parametrize("machine", ["wandb.test:8080", "wandb.test"])
def test_a_server_with_a_port_is_found_in_netrc_however_wandb_wrote_it(
    tmp_path, surroundings, machine
):
    (tmp_path / "netrc").touch(0o600)
    (tmp_path / "netrc").write_text(f"machine {machine}\n  login user\n  password {KEY}\n")
    assert account({"WANDB_BASE_URL": "http://wandb.test:8080"}, tmp_path, surroundings).key == KEY


def test_a_key_of_another_host_is_not_taken(tmp_path, surroundings):
    (tmp_path / "netrc").touch(0o600)
    (tmp_path / "netrc").write_text(f"machine other.test login user password {KEY}\n")
    with pytest.raises(StartFailed, match=r"there is no W&B key for api\.wandb\.ai"):
        account({}, tmp_path, surroundings)


@pytest.mark.parametrize("text", ["machine", "\xff", "[default", "base_url"])
def test_files_that_cannot_be_read_are_passed_over(tmp_path, surroundings, text):
    (tmp_path / "config").mkdir()
    for file in (tmp_path / "netrc", tmp_path / "config" / "settings"):
        file.write_text(text, encoding="latin-1")
    with pytest.raises(StartFailed, match="there is no W&B key"):
        account({}, tmp_path, surroundings)


def test_a_key_file_that_others_may_read_is_refused(tmp_path, surroundings):
    (tmp_path / "secrets").mkdir()
    file = tmp_path / "secrets" / "WANDB_API_KEY"
    file.write_text(KEY)
    file.chmod(0o644)
    with pytest.raises(StartFailed, match="is not yours alone"):
        account({}, tmp_path, surroundings)


def test_the_key_is_in_no_representation(tmp_path, surroundings):
    assert KEY not in repr(account({"WANDB_API_KEY": KEY}, tmp_path, surroundings))
