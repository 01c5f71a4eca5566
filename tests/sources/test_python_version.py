from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.errors import UsageError
from launch_tui.sources.python_version import python_version


def version(flag=None, current=(3, 11), **files):
    texts = {name.replace("__", "."): text for name, text in files.items()}
    return python_version(flag, texts.get, current=current)


def requires(specifier: str, current=(3, 11)) -> str:
    text = f'[project]\nrequires-python = "{specifier}"\n'
    return version(current=current, pyproject__toml=text)


def test_the_order_is_flag_runtime_file_requirement_interpreter():
    texts = {
        "runtime.txt": "python-3.9.18\n",
        ".python-version": "3.10.2\n",
        "pyproject.toml": '[project]\nrequires-python = ">=3.13"\n',
    }
    found = []
    for name in (None, "runtime.txt", ".python-version", "pyproject.toml"):
        texts.pop(name, None)
        found.append(python_version(None, texts.get, current=(3, 11)))
    assert found == ["3.9", "3.10", "3.13", "3.11"]
    assert python_version("3.12", {"runtime.txt": "python-3.9"}.get) == "3.12"
    assert python_version(None, {}.get) == f"3.{sys.version_info.minor}"


@pytest.mark.parametrize("flag", ["3", "3.", "2.7", "3.11.4", "python3.11", "", "3.x", " 3.11"])
def test_a_flag_that_is_no_version_is_refused(flag):
    with pytest.raises(UsageError, match=r"-r: .*3\.X"):
        version(flag)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.12.1", "3.12"),
        ("cpython-3.12", "3.12"),
        ("cpython@3.12.4", "3.12"),
        ("# pinned\n\n3.10 # for torch\n3.12\n", "3.10"),
        ("pypy3.10", "3.11"),
        ("my-env", "3.11"),
        ("2.7", "3.11"),
        ("", "3.11"),
    ],
)
def test_python_version_files(text, expected):
    assert python_version(None, {".python-version": text}.get, current=(3, 11)) == expected


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        (">=3.9", "3.11"),
        (">=3.12", "3.12"),
        (">=3.8,<3.11", "3.8"),
        ("<3.11", "3.0"),
        (">3.11", "3.11"),
        (">=3.11.5", "3.11"),
        ("<3.11.0", "3.0"),
        ("==3.10.*", "3.10"),
        ("==3.10.4", "3.10"),
        ("~=3.9", "3.11"),
        ("~=3.9.2", "3.9"),
        (">=3.10,!=3.11.*", "3.10"),
        (">=3.11,!=3.11.2", "3.11"),
        (">=2.7,!=3.0.*,!=3.1.*", "3.11"),
        ("^3.12", "3.12"),
        ("nonsense", "3.11"),
        (">=4", "3.11"),
    ],
)
def test_requires_python(specifier, expected):
    assert requires(specifier) == expected


@pytest.mark.parametrize("text", ["not toml [", "project = 3\n", '[project]\nname = "x"\n', ""])
def test_a_pyproject_that_says_nothing_changes_nothing(text):
    assert version(pyproject__toml=text) == "3.11"


@given(st.text(max_size=40))
def test_no_file_is_a_crash(text):
    for name in ("runtime.txt", ".python-version", "pyproject.toml"):
        assert python_version(None, {name: text}.get, current=(3, 11)).startswith("3.")
    assert requires(text.replace('"', "").replace("\\", "").replace("\n", "")).startswith("3.")
