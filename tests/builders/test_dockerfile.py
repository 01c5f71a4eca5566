"""What a generated Dockerfile says, for every combination of what a job's folder may hold."""

from __future__ import annotations

import json
import re

import pytest

from launch_tui.builders.dockerfile import Recipe, generate
from launch_tui.builders.image_bases import named_images
from launch_tui.builders.image_packages import Packages, read_packages
from launch_tui.errors import BuildFailed

PROJECT = '[project]\nname = "thing"\nversion = "1"\ndependencies = ["six"]\n'
PACKAGE = f'{PROJECT}[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


@pytest.fixture
def folder(tmp_path):
    """Returns ``folder(**files) -> Path``; ``__`` in a name stands for its dot."""

    def make(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", ".")
            path.write_text(text)
        return tmp_path

    return make


def dockerfile(source, *, mounts=True, entry_point=("python", "train.py"), **recipe):
    recipe = {"python_version": "" if recipe.get("base") else "3.11"} | recipe
    packages = read_packages(source)
    return generate(Recipe(packages=packages, entry_point=entry_point, **recipe), mounts=mounts)


def instructions(text):
    """The instructions with their lines joined, without comments."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in joined.splitlines() if line.strip()]


def index_of(lines, beginning):
    return next(number for number, line in enumerate(lines) if line.startswith(beginning))


def installing(text):
    """The commands that install what the folder asks for."""
    wanted = ("uv pip install", "uv sync")
    return [line for line in instructions(text) if any(each in line for each in wanted)]


COMBINATIONS = {
    "requirements": ({"requirements__txt": "six\n"}, "-r requirements.txt"),
    "requirements before all": (
        {
            "requirements__txt": "six\n",
            "pyproject__toml": PROJECT,
            "uv__lock": "",
            "requirements__frozen__txt": "six==1\n",
        },
        "-r requirements.txt",
    ),
    "pyproject": ({"pyproject__toml": PROJECT}, "-r pyproject.toml"),
    "pyproject before frozen": (
        {"pyproject__toml": PROJECT, "requirements__frozen__txt": "six==1\n"},
        "-r pyproject.toml",
    ),
    "uv.lock": (
        {"pyproject__toml": PROJECT, "uv__lock": "version = 1\n"},
        "uv sync --frozen --no-install-project",
    ),
    "frozen": ({"requirements__frozen__txt": "six==1\n"}, "--no-deps -r"),
    "tool settings and frozen": (
        {"pyproject__toml": "[tool.ruff]\n", "requirements__frozen__txt": "six==1\n"},
        "--no-deps -r",
    ),
}


@pytest.mark.parametrize("mounts", [True, False], ids=["buildkit", "classic"])
@pytest.mark.parametrize("name", COMBINATIONS)
def test_what_is_asked_for_is_installed_before_the_code_is_there(folder, name, mounts):
    files, command = COMBINATIONS[name]
    text = dockerfile(folder(**files), mounts=mounts)
    [install] = installing(text)
    assert command in install
    lines = instructions(text)
    assert lines.index(install) < index_of(lines, "COPY . /src")
    copied = [json.loads(line[5:]) for line in lines if line.startswith("COPY [")]
    made_from = read_packages(folder()).made_from
    assert [made_from, f"/opt/dependencies/{made_from}"] in copied
    assert all(lines.index(f"COPY {json.dumps(each)}") < lines.index(install) for each in copied)
    assert ("--mount=" in text) == mounts


@pytest.mark.parametrize("files", [{}, {"pyproject__toml": "[tool.ruff]\n"}])
def test_nothing_that_is_asked_for_is_an_empty_environment(folder, files):
    text = dockerfile(folder(**files))
    assert installing(text) == []
    assert "uv venv --no-project --python 3.11 /env" in text


def test_two_stages_of_a_pinned_python_and_what_the_job_finds(folder):
    lines = instructions(dockerfile(folder(requirements__txt="six\n")))
    assert [line for line in lines if line.startswith("FROM")] == [
        "FROM python:3.11-slim AS base",
        "FROM base AS build",
        "FROM base",
    ]
    final = lines[lines.index("FROM base") :]
    assert "COPY --from=build /env /env" in final
    assert "COPY --from=build --chown=1000:0 /src /home/launch/src" in final
    assert final[-5:] == [
        "WORKDIR /home/launch/src",
        "COPY --from=build --chown=1000:0 /src /home/launch/src",
        "USER 1000:0",
        'ENTRYPOINT ["python", "train.py"]',
        "CMD []",
    ]
    assert "PYTHONUNBUFFERED=1" in final[index_of(final, "ENV")]
    assert any("launch:x:1000:0:" in line and "chmod 0777" in line for line in final)
    assert not any(line.startswith("#") for line in lines)


def test_caches_and_the_index_are_mounts_of_what_installs(folder):
    text = dockerfile(folder(requirements__txt="six\n"))
    [install] = installing(text)
    assert "--mount=type=cache," in install
    assert "--mount=type=secret,id=launch-tui-index" in install
    assert "http" not in text


def test_included_files_and_local_projects_belong_to_the_packages(folder):
    source = folder(requirements__txt="-r more/base.txt\n-e ./helper\n", uv__toml="")
    (source / "more").mkdir()
    (source / "more" / "base.txt").write_text("-c limits.txt\nsix\n")
    (source / "more" / "limits.txt").write_text("six<2\n")
    (source / "helper").mkdir()
    (source / "helper" / "pyproject.toml").write_text(PACKAGE)
    packages = read_packages(source)
    assert packages.files == (
        "helper", "more/base.txt", "more/limits.txt", "requirements.txt", "uv.toml",
    )  # fmt: skip
    assert not packages.whole


@pytest.mark.parametrize(
    ("files", "whole"),
    [
        ({"requirements__txt": "-e .\n"}, True),
        ({"pyproject__toml": PROJECT}, False),
        ({"pyproject__toml": PROJECT.replace("dependencies", "#") + 'dynamic = ["dependencies"]\n'},
         True),
        ({"pyproject__toml": '[tool.poetry]\nname = "x"\n'}, True),
        ({"pyproject__toml": f'{PROJECT}[tool.uv.workspace]\nmembers = ["a"]\n'}, False),
        ({"pyproject__toml": PROJECT + '[tool.uv.sources]\nsix = { workspace = true }\n'}, True),
    ],
)  # fmt: skip
def test_all_of_the_code_is_needed_only_where_a_build_backend_is_asked(folder, files, whole):
    text = dockerfile(folder(**files))
    assert ("COPY . /opt/dependencies" in text) == whole


@pytest.mark.parametrize("name", ["a b.txt", "$HOME.txt", "a*.txt", "a[1].txt", 'a"q.txt'])
def test_file_with_a_name_that_docker_would_read_otherwise(folder, name):
    source = folder(requirements__txt=f"-r {name}\n")
    (source / name).write_text("six\n")
    packages = read_packages(source)
    assert packages.whole
    assert "COPY . /opt/dependencies" in dockerfile(source)


def test_file_with_settings_of_uv_decides_too(folder):
    plain = read_packages(folder(requirements__txt="six\n", pyproject__toml="[tool.ruff]\n"))
    assert plain.files == ("requirements.txt",)
    told = read_packages(folder(pyproject__toml="[[tool.uv.index]]\nname = 'x'\n"))
    assert told.files == ("pyproject.toml", "requirements.txt")
    assert told.ignored == ("pyproject.toml",)


@pytest.mark.parametrize("line", ["-r ../outside.txt", "../outside", "-e /outside", "-r link.txt"])
def test_what_lies_outside_the_files_of_the_job_is_in_no_image(folder, line, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for outside in (tmp_path / "outside.txt", tmp_path / "outside"):
        outside.write_text("six\n")
    (source / "link.txt").symlink_to(tmp_path / "outside.txt")
    line = line.replace("/outside", f"{tmp_path}/outside") if line.startswith("-e") else line
    (source / "requirements.txt").write_text(f"{line}\n")
    with pytest.raises(BuildFailed, match=r"requirements.txt: .* lies outside the job's files"):
        read_packages(source)


def test_own_package_is_imported_from_the_code(folder):
    source = folder(pyproject__toml=PACKAGE)
    own = "PYTHONPATH={}${{PYTHONPATH:+:$PYTHONPATH}}"
    assert own.format("/home/launch/src") in dockerfile(source)
    (source / "src").mkdir()
    assert own.format("/home/launch/src/src") in dockerfile(source)
    assert "PYTHONPATH" not in dockerfile(folder(pyproject__toml=PROJECT))


def test_given_base_gets_the_python_that_it_lacks(folder):
    text = dockerfile(
        folder(), base="nvidia/cuda:12.4.1-runtime-ubuntu22.04", python_version="3.12"
    )
    lines = instructions(text)
    assert lines[0] == "FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04 AS base"
    assert lines[1] == "USER root"
    assert "apt-get install -y --no-install-recommends ca-certificates python3 python3-venv" in text
    assert "python3.12 || true" in text
    assert "echo 3.12 > /opt/launch-tui-python" in text
    own = '--python "$(cat /opt/launch-tui-python 2>/dev/null || command -v python3)" /env'
    assert f"uv venv --no-project --system-site-packages {own}" in text
    assert "COPY --from=build /opt/python /opt/python" in lines


def test_given_base_needs_no_version_of_the_job(folder):
    text = dockerfile(folder(), base="image:1")
    assert "command -v python3" in text
    assert "/opt/python /opt/python" not in text


@pytest.mark.parametrize(
    "words",
    [
        ("python", "train.py"),
        ("./run me.sh",),
        ("python", "a\"b'c.py", "$HOME", "${x}", "`id`", "a\\", "\\"),
        ("python", "new\nline", "tab\t", "#", "", "]", "\u2028", "käse.py"),
        ("sh", "-c", 'echo "$0" && exit 1 \\\n'),
    ],
)
def test_entry_point_stays_word_for_word(folder, words):
    lines = dockerfile(folder(), entry_point=words).splitlines()
    [entry] = [line for line in lines if line.startswith("ENTRYPOINT ")]
    assert json.loads(entry.removeprefix("ENTRYPOINT ")) == list(words)
    assert lines[-1] == "CMD []"


def test_entry_point_that_no_dockerfile_can_say(folder):
    with pytest.raises(BuildFailed, match="not UTF-8"):
        dockerfile(folder(), entry_point=("python", "a\udcff.py"))


@pytest.mark.parametrize(
    ("hostile", "says"),
    [
        ({"python_version": "3.11\nRUN id"}, "is no version of Python"),
        ({"python_version": "2.7"}, "is no version of Python"),
        ({"build_args": ("A\nRUN id",)}, "cannot be the name of a variable"),
        ({"build_args": ("a b",)}, "cannot be the name of a variable"),
        ({"secrets": ("a,target=/etc/x",)}, "cannot be the name of a variable"),
    ],
)
def test_names_that_would_be_instructions(folder, hostile, says):
    with pytest.raises(BuildFailed, match=says):
        dockerfile(folder(), **hostile)


def test_arguments_and_secrets_are_variables_of_what_installs(folder):
    text = dockerfile(folder(requirements__txt="six\n"), build_args=("ARCH",), secrets=("TOKEN",))
    lines = instructions(text)
    [install] = installing(text)
    assert lines.index("ARG ARCH") < lines.index(install)
    assert "--mount=type=secret,id=TOKEN " in install


def test_only_the_base_is_an_image_of_a_registry(folder):
    named = named_images(dockerfile(folder(requirements__txt="six\n")), {})
    assert [str(each) for each in named] == ["python:3.11-slim"]


def test_wandb_is_seen_where_it_is_asked_for(folder):
    assert not read_packages(folder(requirements__frozen__txt="six==1\n")).wandb
    assert read_packages(folder(requirements__frozen__txt="wandb==0.19\n")).wandb
    assert read_packages(folder(requirements__txt="wandb\n")) == Packages(
        made_from="requirements.txt", files=("requirements.txt",), wandb=True
    )
