"""The house is as it is described: layers, what an import loads, and what the README says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import launch_tui
from launch_tui.sdk import Launch
from launch_tui.store import jobs

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {
    "sqlite_utils", "textual", "wandb", "docker", "requests", "httpx", "jsonschema", "rich",
    "watchfiles", "yaml",
}  # fmt: skip


def loaded_by(code, *, cwd=ROOT):
    """Names of the modules that a fresh interpreter has after ``code``."""
    script = f"{code}\nimport sys, json; sys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def roots(modules):
    return {name.partition(".")[0] for name in modules}


def tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_imports_run_downwards_only():
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout


def test_importing_the_package_loads_nothing_of_it():
    assert {n for n in loaded_by("import launch_tui") if n.startswith("launch_tui.")} == set()


def test_the_public_names_load_nothing_that_they_do_not_need():
    one = roots(loaded_by("import launch_tui\nlaunch_tui.Launch"))
    assert not one & (HEAVY | {"asyncio", "git", "submitit", "hydra"})
    everything = "import launch_tui\nfor name in launch_tui.__all__: getattr(launch_tui, name)"
    assert not roots(loaded_by(everything)) & (HEAVY | {"git", "submitit", "hydra"})


def test_the_public_names_are_those_that_are_told_of():
    assert set(dir(launch_tui)) == set(launch_tui.__all__)
    assert list(launch_tui.__all__) == sorted(launch_tui.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        launch_tui.nothing  # noqa: B018


@pytest.mark.parametrize("module", ["launch_tui.agent", "launch_tui.agent.loop"])
def test_the_agent_needs_no_screen(module):
    assert not roots(loaded_by(f"import {module}")) & {"textual", "rich", "httpx"}


def test_the_domain_needs_nothing_from_outside():
    names = ", ".join(
        f"launch_tui.domain.{path.stem}"
        for path in (ROOT / "launch_tui" / "domain").glob("*.py")
        if path.stem != "__init__"
    )
    loaded = roots(loaded_by(f"import {names}"))
    assert {n for n in loaded if not n.startswith("_")} <= set(sys.stdlib_module_names) | {
        "launch_tui"
    } | roots(loaded_by(""))


@pytest.fixture
def project(tmp_path):
    """A folder with a script, whose job exists already and has learnt what it takes."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text("print(1)\n")
    launch(folder)
    with Launch() as sdk:
        inputs = {"type": "object", "properties": {"lr": {"type": "number", "default": 1}}}
        jobs.learn(sdk.db, "project:v0", inputs, {})
    return folder


def launch(folder):
    words = ["launch", "-q", "default", "lr=0.1", "--", "python", "train.py"]
    return loaded_by(
        f"from launch_tui.cli.program import main\nassert main({words!r}) == 0", cwd=folder
    )


def test_a_launch_loads_nothing_it_does_not_need(project):
    modules = launch(project)
    assert "launch_tui.sdk.launching" in modules
    assert not roots(modules) & (HEAVY | {"asyncio", "git"})


def test_no_verb_loads_the_screens_unasked(project):
    code = "from launch_tui.cli.program import main\nassert main(['runs', '--json']) == 0"
    assert "textual" not in roots(loaded_by(code, cwd=project))


def readme_command(name):
    """The last line of the README's code block that is marked so."""
    text = (ROOT / "README.md").read_text()
    block = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert block, f"the README has no block {name}"
    return block[1].strip().splitlines()[-1]


def test_continuous_integration_runs_the_readmes_command():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == readme_command("tests")


def test_the_readmes_commands_need_only_python_and_pip():
    for name in ("demo", "tests"):
        assert readme_command(name).startswith("python3 -m venv .venv && .venv/bin/pip install ")


def test_scripts_of_the_integration_can_be_executed():
    for name in ("run", "smoke"):
        assert os.access(ROOT / ".ci" / name, os.X_OK)


def text_of(page):
    """The text of a page without its blocks of code, where a # begins a comment."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """What a browser may be sent to on a page, by the rule of GitHub and of GitLab."""
    headings = re.findall(r"^#+ +(.+?) *$", text_of(page), re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    before = [slugs[:at].count(slug) for at, slug in enumerate(slugs)]
    return [f"{slug}-{n}" if n else slug for slug, n in zip(slugs, before, strict=True)]


def test_anchors_are_those_of_the_headings(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Groups: `--param`\n\n```sh\n# gpu.yaml\n```\n## Keys of local-process\n"
        "## Runs\n### What is kept twice, and what that costs\n## Runs\n"
    )
    assert anchors(page) == [
        "groups---param",
        "keys-of-local-process",
        "runs",
        "what-is-kept-twice-and-what-that-costs",
        "runs-1",
    ]


def test_links_of_the_documents_lead_somewhere():
    led = 0
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            file = page.parent / name if name else page
            assert file.exists(), f"{page.name}: {target}"
            if anchor:
                led += 1
                assert anchor in anchors(file), f"{page.name}: {target}"
    assert led > 3


def test_the_readme_leads_to_every_page():
    told = set(re.findall(r"\]\(docs/([^)#]+)", (ROOT / "README.md").read_text()))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - told == set()


def test_no_file_knows_the_machine_it_was_written_on():
    machine = re.compile(r"(?<![\w.])/(?:root|work|opt/lt|opt/w31)/|https?://\S*pypi\S*/simple\b")
    found = {}
    for path in tracked_files():
        if path == Path(__file__).resolve() or path.suffix in {".db", ".png", ".svg"}:
            continue
        if hits := machine.findall(path.read_text("utf-8", "replace")):
            found[str(path.relative_to(ROOT))] = hits
    assert found == {}


def test_constraints_are_versions_and_nothing_else():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 30
    assert [line for line in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", line)] == []
