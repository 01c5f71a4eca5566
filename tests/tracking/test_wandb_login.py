"""Out of netrc goes the entry of one server, and nothing else changes."""

from __future__ import annotations

import netrc
import stat

import pytest

from launch_tui.errors import LaunchError
from launch_tui.tracking.wandb_login import key_in_netrc, netrc_to_write, take_out_of_netrc

URL = "https://api.wandb.ai"
OURS = "machine api.wandb.ai\n  login user\n  password kkk\n"
OTHERS = "# mine\r\nmachine a.test login me password p\n"
MACRO = "macdef init\n  cd /x\n\n"
DEFAULT = "default login anonymous password me\n"


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "netrc"
    made.touch(0o600)
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (OURS, ""),
        (OTHERS + OURS, OTHERS),
        (OURS + OTHERS, OTHERS),
        (OTHERS + OURS + MACRO + OURS + DEFAULT, OTHERS + MACRO + DEFAULT),
        ("machine api.wandb.ai login user password kkk\n" + DEFAULT, DEFAULT),
    ],
)
def test_the_entry_of_a_server_goes_and_all_else_stays(file, before, after):
    file.write_bytes(before.encode())
    file.chmod(0o640)
    assert key_in_netrc(URL, {"NETRC": str(file)}) == ("kkk", file)
    take_out_of_netrc(URL, file)
    assert file.read_bytes().decode() == after
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert "api.wandb.ai" not in netrc.netrc(file).hosts


def test_a_server_with_a_port_is_another_than_one_without(file):
    file.write_text(f"{OURS}machine api.wandb.ai:8080 login user password other\n")
    assert key_in_netrc(f"{URL}:8080", {"NETRC": str(file)})[0] == "other"
    take_out_of_netrc(URL, file)
    assert netrc.netrc(file).hosts["api.wandb.ai:8080"][2] == "other"


@pytest.mark.parametrize(
    "text",
    [
        OTHERS,
        DEFAULT,
        "machine a.test login me password p machine api.wandb.ai login user password kkk\n",
        "machine api.wandb.ai login user password kkk machine a.test login me password p\n",
        "machine\napi.wandb.ai login user password kkk\n",
        "machine",
    ],
)
def test_what_does_not_stand_by_itself_is_left_to_an_editor(file, text):
    file.write_bytes(text.encode())
    with pytest.raises(LaunchError, match="with an editor"):
        take_out_of_netrc(URL, file)
    assert file.read_bytes().decode() == text


def test_a_link_stays_one(file, tmp_path):
    file.write_text(OURS)
    link = tmp_path / "link"
    link.symlink_to(file)
    take_out_of_netrc(URL, link)
    assert link.is_symlink()
    assert file.read_text() == ""


def test_the_file_is_the_one_that_wandb_chooses(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert netrc_to_write({"NETRC": "~/other"}) == tmp_path / "other"
    assert netrc_to_write({}) == tmp_path / ".netrc"
    (tmp_path / "_netrc").touch()
    assert netrc_to_write({}) == tmp_path / "_netrc"
    (tmp_path / ".netrc").touch()
    assert netrc_to_write({}) == tmp_path / ".netrc"
