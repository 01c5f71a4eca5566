from __future__ import annotations

import sys

import pytest

from launch_tui.builders.requirements import Kind, read_requirements
from launch_tui.builders.venv_key import environment_key
from launch_tui.builders.wandb_check import lacks_wandb
from launch_tui.domain.job import Environment, VenvMode

PROJECT = '[project]\nname = "wandb-thing"\nversion = "1"\ndependencies = [{}]\n'


def key(site, version="3.11", **files):
    return environment_key(read_requirements(site.folder(**files)), version)


def test_comments_and_blank_lines_do_not_make_another_environment(site):
    first = key(site, requirements__txt="six\n")
    assert key(site, requirements__txt="# for python 2\n\n  six   # compat\n") == first
    assert key(site, requirements__txt="six==1.16\n") != first
    assert key(site, "3.12", requirements__txt="six\n") != first


def test_included_files_count(site):
    source = site.folder(requirements__txt="-r more/base.txt\n-c limits.txt\n", limits__txt="a<2\n")
    (source / "more").mkdir()
    (source / "more" / "base.txt").write_text("--requirement=deep.txt\nsix\n")
    (source / "more" / "deep.txt").write_text("-r base.txt\ntqdm\n")
    text = read_requirements(source).text
    assert {"six", "tqdm", "a<2"} <= set(text.splitlines())


def test_requirements_come_before_the_project_which_is_named_as_ignored(site):
    source = site.folder(requirements__txt="six\n", pyproject__toml=PROJECT.format('"tqdm"'))
    found = read_requirements(source)
    assert (found.kind, found.text, found.ignored) == (
        Kind.REQUIREMENTS,
        "six",
        ("pyproject.toml",),
    )


def test_only_what_decides_the_packages_of_a_project_counts(site):
    plain = key(site, pyproject__toml=PROJECT.format('"six"'))
    linted = PROJECT.format('"six"') + "[tool.ruff]\nline-length = 88\n"
    assert key(site, pyproject__toml=linted) == plain
    assert key(site, pyproject__toml=PROJECT.format('"six<2"')) != plain


def test_dynamic_dependencies_count_by_their_file(site):
    project = (
        '[project]\nname = "a"\nversion = "1"\ndynamic = ["dependencies"]\n'
        '[tool.setuptools.dynamic]\ndependencies = { file = "deps.in" }\n'
    )
    first = key(site, pyproject__toml=project, deps__in="six\n")
    assert key(site, pyproject__toml=project, deps__in="six<2\n") != first


@pytest.mark.parametrize(
    ("line", "local"),
    [
        ("-e .", True),
        ("--editable=./lib", True),
        ("./lib[extra] ; python_version > '3'", True),
        ("thing @ file:./lib", True),
        ("lib", False),
        ("git+https://example.org/lib.git", False),
        ("--find-links ./lib", False),
        ("../outside-and-not-there", False),
    ],
)
def test_local_projects_are_told_from_names_and_addresses(site, line, local):
    source = site.folder(requirements__txt=line)
    (source / "lib").mkdir()
    assert bool(read_requirements(source).local) is local


def test_broken_project_file_is_left_to_uv(site):
    assert read_requirements(site.folder(pyproject__toml="[project\n")).kind is Kind.PROJECT


def test_flat_package_is_found_in_the_working_copy(site):
    build_system = '[build-system]\nrequires = ["setuptools"]\n'
    source = site.folder(pyproject__toml=PROJECT.format("") + build_system)
    assert read_requirements(source).python_path == (source,)
    source = site.folder(pyproject__toml=PROJECT.format(""))
    assert read_requirements(source).python_path == ()


@pytest.mark.parametrize(
    ("files", "lacks"),
    [
        ({}, True),
        ({"requirements__txt": "torch\nwandb\n"}, False),
        ({"requirements__txt": "WandB[media]>=0.19 ; python_version > '3'\n"}, False),
        ({"requirements__txt": "git+https://github.com/wandb/wandb.git@main\n"}, False),
        ({"requirements__txt": "wandb-osh\n# wandb\n"}, True),
        ({"requirements__txt": "-r base.txt\n", "base__txt": "wandb\n"}, False),
        ({"pyproject__toml": PROJECT.format('"torch"')}, True),
        ({"pyproject__toml": PROJECT.format('"torch", "wandb>=0.19"')}, False),
        (
            {
                "pyproject__toml": PROJECT.format('"torch"'),
                "uv__lock": '[[package]]\nname = "wandb"\n',
            },
            False,
        ),
    ],
)
def test_missing_wandb_is_told_when_the_job_is_made(site, files, lacks):
    assert lacks_wandb(site.folder(**files), Environment()) is lacks


def test_missing_wandb_of_an_existing_interpreter(site):
    prefix = site.root / "venv"
    packages = prefix / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (prefix / "bin").mkdir()
    python = prefix / "bin" / "python"
    python.symlink_to(sys.executable)
    (prefix / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\n")
    environment = Environment(mode=VenvMode.PYTHON, interpreter=str(python))

    # A module of that name in the job's folder is not the package.
    assert lacks_wandb(site.folder(wandb__py=""), environment)
    (packages / "wandb-0.31.0.dist-info").mkdir()
    assert not lacks_wandb(site.folder(), environment)
    assert not lacks_wandb(site.folder(), Environment(mode=VenvMode.NONE))
