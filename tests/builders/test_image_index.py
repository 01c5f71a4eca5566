"""What builds of images are told of this machine's network, and what not."""

from __future__ import annotations

import subprocess

import pytest

from launch_tui.builders.image_index import surroundings


@pytest.fixture
def told(tmp_path):
    """Returns ``told(settings, **variables) -> Surroundings`` on a machine with nothing else."""

    def call(settings=(), **variables):
        # Read as the last file, so it has the last word whatever this machine's own files say.
        nothing = dict.fromkeys(("index-url", "extra-index-url", "find-links", "cert"), "")
        lines = [f"{name} = {value}" for name, value in (nothing | dict(settings)).items()]
        (tmp_path / "pip.conf").write_text("\n".join(["[global]", *lines]))
        home = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
        return surroundings(home | variables)

    return call


def test_index_of_pip_is_told_to_both(told):
    found = told({"index-url": "https://user:hidden@index.test/simple"})
    address = "https://user:hidden@index.test/simple"
    assert found.index == {"UV_DEFAULT_INDEX": address, "PIP_INDEX_URL": address}
    assert found.notes == (
        "UV_DEFAULT_INDEX=https://***@index.test/simple, as on this machine",
    )  # fmt: skip
    assert set(found.passwords) == {"user:hidden", "hidden"}
    assert "hidden" not in repr(found)


def test_only_what_a_container_reaches_is_told(told):
    found = told(
        {
            "index-url": "http://127.0.0.1:3141/root",
            "find-links": "/srv/x https://w.test/",
            "extra-index-url": "file:///srv/y https://more.test/ http://localhost/z http://[::1]/",
        }
    )
    assert found.index == {
        "UV_INDEX": "https://more.test/",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "https://w.test/",
        "PIP_EXTRA_INDEX_URL": "https://more.test/",
        "PIP_FIND_LINKS": "https://w.test/",
    }
    kept_back = [note for note in found.notes if "only on this machine, not passed on" in note]
    assert len(kept_back) == 5


def test_what_uv_was_told_itself_goes_first(told):
    found = told(
        {"index-url": "https://pip.test/"},
        UV_INDEX="own=https://uv.test/simple",
        UV_INDEX_OWN_USERNAME="me",
        UV_INDEX_OWN_PASSWORD="hunter2",
        UV_NO_INDEX="1",
    )
    assert found.index["UV_INDEX"] == "own=https://uv.test/simple"
    assert found.index["UV_INDEX_OWN_PASSWORD"] == "hunter2"
    assert "UV_DEFAULT_INDEX" not in found.index
    assert "UV_NO_INDEX" not in found.index
    assert "hunter2" in found.passwords
    assert "hunter2" not in " ".join(found.notes)


def test_script_gives_a_shell_exactly_the_values(told):
    address = "https://u:a'b\"$x`id`@index.test/s"
    found = told(UV_DEFAULT_INDEX=address)
    shell = f'{found.script}printf %s "$UV_DEFAULT_INDEX"'
    assert subprocess.check_output(["sh", "-c", shell], text=True) == address
    assert told().script == ""


def test_certificates_that_are_there(told, tmp_path):
    bundle = tmp_path / "ca.pem"
    assert told({"cert": bundle}).certificates is None
    bundle.write_text("x")
    assert told({"cert": bundle}).certificates == bundle
    assert told(SSL_CERT_FILE=str(bundle)).certificates == bundle


def test_proxies_but_those_of_this_machines_loopback(told):
    found = told(
        HTTP_PROXY="http://me:hidden@proxy.test:3128",
        https_proxy="proxy.test:3128",
        ALL_PROXY="socks5://127.0.0.1:9050",
        no_proxy="internal.test",
    )
    assert found.proxies == {
        "HTTP_PROXY": "http://me:hidden@proxy.test:3128",
        "https_proxy": "proxy.test:3128",
        "no_proxy": "internal.test",
    }
    assert "ALL_PROXY=socks5://127.0.0.1:9050 is only on this machine" in " ".join(found.notes)
    assert "hidden" not in " ".join(found.notes)
    assert "hidden" in found.passwords
    assert told(no_proxy="x").proxies == {}
