from __future__ import annotations

import base64
import os
import re

import pytest

from launch_tui.tui import clipboard
from launch_tui.tui.clipboard import ENCODED_LIMIT, copy, native_tool


@pytest.fixture
def tools(tmp_path):
    """A folder of clipboard tools that keep what they are fed."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def add(name, command=None):
        command = command or f"cat > '{tmp_path / name}'"
        (folder / name).write_text(f"#!/bin/sh\n{command}\n")
        (folder / name).chmod(0o755)

    add.path = f"{folder}:{os.environ['PATH']}"
    add.fed = lambda name: (tmp_path / name).read_text()
    return add


def decoded(sequence: str) -> str:
    (payload,) = re.findall(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    return base64.b64decode(payload).decode()


def test_over_ssh_the_terminal_copies(tmp_path):
    written = []
    said = copy("run-41 é", write=written.append, directory=tmp_path, environ={"SSH_TTY": "/x"})
    assert decoded(written[0]) == "run-41 é"
    assert said == "copied 8 characters by OSC 52"


def test_inside_tmux_the_sequence_is_wrapped(tmp_path):
    written = []
    copy("one\ntwo\n", write=written.append, directory=tmp_path, environ={"TMUX": "1"})
    assert written[0].startswith("\x1bPtmux;\x1b\x1b]52;c;")
    assert written[0].endswith("\x07\x1b\\")


def test_text_that_is_too_long_goes_to_a_file(tmp_path):
    written = []
    text = "x" * ENCODED_LIMIT
    said = copy(text, write=written.append, directory=tmp_path / "copied", environ={})
    path = decoded(written[0])
    assert path in said
    assert (tmp_path / "copied" / path).read_text() == text


def test_the_desktops_tool_is_fed_when_local(tmp_path, tools, monkeypatch):
    tools("xclip")
    environ = {"DISPLAY": ":0", "PATH": tools.path}
    written = []
    monkeypatch.setenv("PATH", tools.path)
    said = copy("a\nb", write=written.append, directory=tmp_path, environ=environ)
    long = copy("x" * ENCODED_LIMIT, write=written.append, directory=tmp_path, environ=environ)
    assert said == "copied 2 lines by xclip"
    assert decoded(written[0]) == "a\nb"
    assert "xclip" in long
    assert len(written) == 1
    assert tools.fed("xclip") == "x" * ENCODED_LIMIT


def test_a_tool_that_fails_or_hangs_leaves_it_to_the_terminal(tmp_path, tools, monkeypatch):
    monkeypatch.setattr(clipboard, "TOOL_TIMEOUT", 0.2)
    monkeypatch.setenv("PATH", tools.path)
    for command in ("exit 3", "exec sleep 30"):
        tools("wl-copy", command)
        environ = {"WAYLAND_DISPLAY": "w", "PATH": tools.path}
        said = copy("a", write=lambda _: None, directory=tmp_path, environ=environ)
        assert said == "copied 1 character by OSC 52"


def test_no_tool_over_ssh_or_without_a_desktop(tools):
    tools("wl-copy")
    assert native_tool({"WAYLAND_DISPLAY": "w", "PATH": tools.path}) == ["wl-copy"]
    assert native_tool({"PATH": tools.path}) is None
    over_ssh = {"WAYLAND_DISPLAY": "w", "SSH_CONNECTION": "x", "PATH": tools.path}
    assert native_tool(over_ssh) is None


def test_bytes_that_are_no_text_survive(tmp_path):
    written = []
    copy("\udcff", write=written.append, directory=tmp_path, environ={})
    assert base64.b64encode(b"\xff").decode() in written[0]
