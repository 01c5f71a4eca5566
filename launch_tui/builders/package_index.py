"""Where uv is to look for packages, when only pip was told.

uv reads its own settings (UV_*, uv.toml) and nothing of pip's, while most GPU boxes have a pip.conf
or PIP_INDEX_URL and no word for uv. Where uv has been told nothing, pip's settings are translated.
They are read as pip documents it (https://pip.pypa.io/en/stable/topics/configuration/): global,
user, site, then PIP_CONFIG_FILE, then the environment; the later wins.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UV_INDEX_VARIABLES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
)
_UV_INDEX_SETTING = re.compile(
    r"^\s*(?:index-url|extra-index-url|find-links|no-index|index)\s*=|^\s*\[\[?(?:pip\.)?index\]\]?",
    re.MULTILINE,
)
_SETTINGS = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert")
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def redacted(text: str) -> str:
    """Return the text with user names and passwords in URLs replaced."""
    return _CREDENTIALS.sub("***", text)


def index_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the UV_* variables that say what pip was told; none where uv was told itself."""
    if any(environ.get(name) for name in UV_INDEX_VARIABLES) or _uv_is_configured(environ):
        return {}
    result = translated(pip_settings(environ))
    return {name: value for name, value in result.items() if not environ.get(name)}


def translated(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what pip's settings are for uv."""
    result: dict[str, str] = {}
    if index := settings.get("index-url"):
        result["UV_DEFAULT_INDEX"] = index
    if extra := settings.get("extra-index-url"):
        result["UV_INDEX"] = " ".join(extra.split())
        # pip takes the best version of all indexes; uv by default only the first index's.
        result["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if links := settings.get("find-links"):
        result["UV_FIND_LINKS"] = ",".join(links.split())
    if settings.get("no-index", "").lower() in _TRUE:
        result["UV_NO_INDEX"] = "1"
    if hosts := settings.get("trusted-host"):
        result["UV_INSECURE_HOST"] = " ".join(hosts.split())
    if certificate := settings.get("cert"):
        result["SSL_CERT_FILE"] = certificate
    return result


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings about indexes by their long names, as ``pip install`` would have them.

    A file that is not there or cannot be read or parsed says nothing.
    """
    result: dict[str, str] = {}
    for file in _pip_files(environ):
        result |= _file_settings(file)
    for name in _SETTINGS:
        value = environ.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            result[name] = value
    return result


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    chosen = environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return
    home = Path(environ.get("HOME") or Path.home())
    for directory in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(directory, "pip", "pip.conf")
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf")
    for variable in ("CONDA_PREFIX", "VIRTUAL_ENV"):
        if environ.get(variable):
            yield Path(environ[variable], "pip.conf")
    if chosen:
        yield Path(chosen)


def _file_settings(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    result: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            for raw, value in parser.items(section):
                name = raw.lower().replace("_", "-").removeprefix("--")
                if name in _SETTINGS:
                    result[name] = value.strip()
    return result


def _uv_is_configured(environ: Mapping[str, str]) -> bool:
    home = Path(environ.get("HOME") or Path.home())
    files = [
        Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "uv", "uv.toml"),
        Path("/etc/uv/uv.toml"),
        Path("/etc/xdg/uv/uv.toml"),
    ]
    if environ.get("UV_CONFIG_FILE"):
        files.append(Path(environ["UV_CONFIG_FILE"]))
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if _UV_INDEX_SETTING.search(text):
            return True
    return False
