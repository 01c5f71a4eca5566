"""The Dockerfile of a job that has none: its packages in one layer, its code in a later one.

The first stage installs, the second gets the result, so that uv, caches and what only installing
needed are in no image. A job runs as the user of its agent, whom the image cannot know: its home
and its code belong to nobody in particular. Nothing here depends on this machine, on its package
index or on the job's name, so the same job has the same image everywhere.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from launch_tui.builders.image_packages import FROZEN, Packages
from launch_tui.builders.requirements import Kind
from launch_tui.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = "/home/launch"
SOURCE = f"{HOME}/src"
USER = "1000:0"
INDEX_SECRET = "launch-tui-index"
"""The secret with the package index of this machine, as shell assignments."""
CERTIFICATES_SECRET = "launch-tui-certificates"
"""The secret with the certificates that this machine trusts."""
OWN_LINES = "launch-tui: "
NOT_INSTALLED = f"{OWN_LINES}not installed: "
"""Begins the line with the packages of W&B's file that could not be installed."""
FIRST_STAGE = "FROM base AS build"
UV = "uv>=0.11.20"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_VERSION = re.compile(r"3\.\d+(\.\d+)?", re.ASCII)
_SECRETS = "/run/secrets"
_SETTINGS = "/opt/launch-tui-settings"
READ_SETTINGS = f". {_SETTINGS} && "
"""Begins every command that installs something."""
_PYTHONS = "/opt/python"
_WANTED = "/opt/launch-tui-python"
"""Holds the version that the job wants, in a base image that had no Python of its own."""
_DEPENDENCIES = "/opt/dependencies"
_INSTALL = "uv pip install --python /env/bin/python"
_MISSING = "/env/launch-tui-not-installed"
_COMMANDS = {
    Kind.REQUIREMENTS: f"{_INSTALL} -r {Kind.REQUIREMENTS}",
    Kind.PROJECT: f"{_INSTALL} -r {Kind.PROJECT}",
    Kind.LOCK: "uv sync --frozen --no-install-project --python /env/bin/python",
}
_BUILD_VARIABLES = {
    # uv brings certificates of its own, and knows no company's.
    "UV_SYSTEM_CERTS": "1",
    "UV_LINK_MODE": "copy",
    # An editable install would point into the first stage.
    "UV_NO_EDITABLE": "1",
    "UV_NO_PROGRESS": "1",
    "UV_PROJECT_ENVIRONMENT": "/env",
    "UV_PYTHON_INSTALL_DIR": _PYTHONS,
    "UV_CACHE_DIR": "/var/cache/launch-tui/uv",
    "PIP_CACHE_DIR": "/var/cache/launch-tui/pip",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "NO_COLOR": "1",
}
_CACHE = "--mount=type=cache,id=launch-tui,target=/var/cache/launch-tui"

# W&B's file lists all that its run had, also what no index has: a conda package, an editable one.
_INSTALL_FROZEN = rf"""{{ \
    install="{_INSTALL} --no-deps -r"; $install {FROZEN} || {{ \
    installed=; missing=; \
    while IFS= read -r line || [ -n "$line" ]; do \
        case "$line" in ''|'#'*) continue;; esac; \
        printf '%s\n' "$line" > /tmp/one.txt; \
        if $install /tmp/one.txt < /dev/null 2> /tmp/said; then installed=yes; continue; fi; \
        cat /tmp/said >&2; \
        if grep -q -e 'error sending request' -e 'dns error' /tmp/said; then exit 1; fi; \
        missing="$missing, ${{line%% *}}"; \
    done < {FROZEN}; \
    [ -n "$installed" ] || exit 1; \
    [ -z "$missing" ] || echo "{NOT_INSTALLED}${{missing#, }}" > {_MISSING}; }}; }}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a generated Dockerfile says.

    ``base`` is the image it begins from, empty for Python's own; ``python_version`` is ``3.X``, and
    with a base holds only where that has no Python. ``build_args`` and ``secrets``
    are names, which installing finds as variables.
    """

    packages: Packages
    entry_point: tuple[str, ...]
    python_version: str = ""
    base: str = ""
    build_args: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=())


def generate(recipe: Recipe, *, mounts: bool = True) -> str:
    """Return the text of the Dockerfile.

    Args:
        recipe: What it is to say.
        mounts: Whether it may use what only BuildKit has: caches and secrets.

    Raises:
        BuildFailed: When something cannot be written in a Dockerfile.
    """
    _check(recipe)
    return "\n".join([*_base(recipe), "", *_build(recipe, mounts), "", *_final(recipe), ""])


def _check(recipe: Recipe) -> None:
    if recipe.python_version and not _VERSION.fullmatch(recipe.python_version):
        raise BuildFailed(f"{recipe.python_version!r} is no version of Python")
    for kind, names in (("build argument", recipe.build_args), ("secret", recipe.secrets)):
        for name in names:
            if not _NAME.fullmatch(name):
                raise BuildFailed(
                    f"builder: the {kind} {name!r} cannot be the name of a variable",
                    next_step="Use letters, digits and _, or a Dockerfile of your own",
                )
    try:
        "\0".join(recipe.entry_point).encode()
    except UnicodeEncodeError as error:
        raise BuildFailed(
            "the entry point has a name that is not UTF-8, which no Dockerfile can say",
            next_step="Rename the file, or use a Dockerfile of your own",
        ) from error


def _base(recipe: Recipe) -> Iterator[str]:
    if not recipe.base:
        yield f"FROM python:{recipe.python_version}-slim AS base"
        return
    yield f"FROM {recipe.base} AS base"
    yield "USER root"
    yield 'SHELL ["/bin/sh", "-c"]'
    wanted = f"python{recipe.python_version}"
    install = "apt-get install -y --no-install-recommends"
    also = ""
    if recipe.python_version:
        also = f" && {{ {install} {wanted} || true; }} && echo {recipe.python_version} > {_WANTED}"
    yield (
        "RUN python3 -c 'import ensurepip, venv' 2>/dev/null || { \\\n"
        "    command -v apt-get >/dev/null || { \\\n"
        "        echo 'ERROR: the base image has no Python, and no apt-get to install it' >&2; \\\n"
        "        exit 1; }; \\\n"
        "    export DEBIAN_FRONTEND=noninteractive; apt-get update && \\\n"
        f"    {install} ca-certificates python3 python3-venv{also} && \\\n"
        "    rm -rf /var/lib/apt/lists/*; }"
    )


def _build(recipe: Recipe, mounts: bool) -> Iterator[str]:
    packages = recipe.packages
    # The secrets of one job must not keep others from having uv out of the same layer.
    prepare = f"RUN {_mounts(()) if mounts else ''}{READ_SETTINGS}"
    yield FIRST_STAGE
    pairs = " ".join(f"{name}={value}" for name, value in _BUILD_VARIABLES.items())
    yield f"ENV {pairs} PATH=$PATH:/opt/uv/bin"
    yield _settings()
    yield f"{prepare}python3 -m venv /opt/uv && /opt/uv/bin/pip install {shlex.quote(UV)}"
    yield f"{prepare}uv venv --no-project {_venv_options(recipe)} /env"
    yield from (f"ARG {name}" for name in recipe.build_args)
    if packages.made_from:
        yield f"WORKDIR {_DEPENDENCIES}"
        yield from _copies(packages)
        command = _INSTALL_FROZEN
        if packages.made_from != FROZEN:
            command = _COMMANDS[Kind(packages.made_from)]
        yield f"RUN {_mounts(recipe.secrets) if mounts else ''}{READ_SETTINGS}{command}"
    yield "COPY . /src"
    # What a strict umask made readable for one user only is not readable for the job.
    # The packages may be cached; what is missing of them is told with every new code.
    missing = f" && {{ [ ! -f {_MISSING} ] || cat {_MISSING}; }}"
    yield f"RUN chmod -R a+rwX /src{missing if packages.made_from == FROZEN else ''}"


def _final(recipe: Recipe) -> Iterator[str]:
    yield "FROM base"
    yield (
        f"RUN mkdir -p {SOURCE} {HOME}/.cache && chmod 0777 {HOME} {SOURCE} {HOME}/.cache && \\\n"
        "    { grep -q '^launch:' /etc/passwd || \\\n"
        f"      echo 'launch:x:1000:0:launch:{HOME}:/bin/sh' >> /etc/passwd; }}"
    )
    if recipe.base and recipe.python_version:
        yield f"COPY --from=build {_PYTHONS} {_PYTHONS}"
    yield "COPY --from=build /env /env"
    places = ":".join(f"{SOURCE}/{path}".removesuffix("/.") for path in recipe.packages.python_path)
    own = f" PYTHONPATH={places}${{PYTHONPATH:+:$PYTHONPATH}}" if places else ""
    yield f"ENV PATH=/env/bin:$PATH VIRTUAL_ENV=/env HOME={HOME} PYTHONUNBUFFERED=1{own}"
    yield f"WORKDIR {SOURCE}"
    yield f"COPY --from=build --chown={USER} /src {SOURCE}"
    yield f"USER {USER}"
    yield f"ENTRYPOINT {json.dumps(list(recipe.entry_point))}"
    yield "CMD []"


def _mounts(secrets: tuple[str, ...]) -> str:
    names = (INDEX_SECRET, CERTIFICATES_SECRET, *secrets)
    return "".join([f"{_CACHE} ", *(f"--mount=type=secret,id={name} " for name in names)])


def _settings() -> str:
    """Return the step that writes what every later step reads first: the secrets it is given."""
    index, certificates = f"{_SECRETS}/{INDEX_SECRET}", f"{_SECRETS}/{CERTIFICATES_SECRET}"
    lines = (
        f"for file in {_SECRETS}/*; do",
        '[ ! -f "$file" ] || case "${file##*/}" in launch-tui-*) ;;'
        ' *) export "${file##*/}=$(cat "$file")";; esac; done',
        f"[ ! -f {index} ] || . {index}",
        f"[ ! -f {certificates} ] || export SSL_CERT_FILE={certificates} PIP_CERT={certificates}",
    )
    written = " ".join(shlex.quote(line) for line in lines)
    return f"RUN mkdir -p {_PYTHONS} && printf '%s\\n' {written} > {_SETTINGS}"


def _venv_options(recipe: Recipe) -> str:
    if not recipe.base:
        return f"--python {recipe.python_version}"
    # Whoever names an image wants its Python, with what is installed for it.
    own = f'"$(cat {_WANTED} 2>/dev/null || command -v python3)"'
    return f"--system-site-packages --python {own}"


def _copies(packages: Packages) -> Iterator[str]:
    if packages.whole:
        yield f"COPY . {_DEPENDENCIES}"
        return
    for name in packages.files:
        yield f"COPY {json.dumps([name, f'{_DEPENDENCIES}/{name}'])}"
