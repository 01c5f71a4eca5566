from __future__ import annotations

import pytest

from launch_tui.builders.package_index import index_variables, redacted


@pytest.fixture
def home(tmp_path):
    """A home directory, with pip's other files out of the way where pip allows it."""

    def write(text, path=".config/pip/pip.conf"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(file)}

    return write


def test_pip_file_is_translated(home):
    environ = home(
        "[global]\nindex-url = https://a/simple\n[install]\nextra-index-url =\n  https://b\n"
        "  https://c\ntrusted_host = a\nfind-links = /w\ncert = /ca.pem\n"
    )
    assert index_variables(environ) == {
        "UV_DEFAULT_INDEX": "https://a/simple",
        "UV_INDEX": "https://b https://c",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "a",
        "UV_FIND_LINKS": "/w",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_environment_wins_over_the_file(home):
    environ = home("[global]\nindex-url = https://a\n") | {"PIP_INDEX_URL": "https://b"}
    assert index_variables(environ)["UV_DEFAULT_INDEX"] == "https://b"


def test_legacy_user_file_counts(home):
    environ = home("[global]\nindex-url = https://a\n", ".pip/pip.conf")
    del environ["PIP_CONFIG_FILE"]
    assert index_variables(environ)["UV_DEFAULT_INDEX"] == "https://a"


def test_no_file_at_all_when_pip_is_told_so(home):
    environ = home("[global]\nindex-url = https://a\n") | {"PIP_CONFIG_FILE": "/dev/null"}
    assert index_variables(environ) == {}


@pytest.mark.parametrize("name", ["UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_FIND_LINKS"])
def test_uv_variables_are_left_alone(home, name):
    environ = home("[global]\nindex-url = https://a\n") | {name: "https://uv"}
    assert index_variables(environ) == {}


@pytest.mark.parametrize("text", ['index-url = "https://uv"', '[[index]]\nurl = "https://uv"'])
def test_uv_file_is_left_alone(home, text):
    home(text, ".config/uv/uv.toml")
    assert index_variables(home("[global]\nindex-url = https://a\n")) == {}
    home("compile-bytecode = true\n", ".config/uv/uv.toml")
    assert index_variables(home("[global]\nindex-url = https://a\n")) != {}


def test_broken_file_says_nothing(home):
    assert "UV_DEFAULT_INDEX" not in index_variables(home("index-url = https://a\n"))


def test_credentials_are_hidden():
    assert redacted("https://me:pw@host/x http://t0ken@h git@host:x") == (
        "https://***@host/x http://***@h git@host:x"
    )
