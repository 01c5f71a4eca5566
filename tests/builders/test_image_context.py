"""Which Dockerfile is taken, with which context, and that neither leads out of the job's files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launch_tui.builders.image_context import plan_image
from launch_tui.builders.image_order import ImageOrder
from launch_tui.domain.job import Environment
from launch_tui.errors import BuildFailed


@pytest.fixture
def order(tmp_path):
    """An order for a folder with a script in a package, and Dockerfiles to choose from."""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for path in ("train.py", "sub/train.py"):
        (source / path).write_text("")
    return ImageOrder(
        source=source, source_key="k", job="train", entry_point=("python", "sub/train.py")
    )


def write(order, *paths):
    for path in paths:
        (order.source / path).write_text(f"FROM scratch\nLABEL file={path}\n")


def with_environment(order, **environment):
    return replace(order, environment=Environment(**environment))


def test_first_the_launch_then_the_job_then_beside_the_script_then_none(order):
    write(order, "Dockerfile", "Dockerfile.job", "Dockerfile.launch", "sub/Dockerfile.wandb")
    asked = with_environment(order, dockerfile="Dockerfile.job")
    launched = replace(asked, dockerfile="Dockerfile.launch")

    plans = [plan_image(each, "3.11") for each in (launched, asked, order)]

    names = ["Dockerfile.launch", "Dockerfile.job", "Dockerfile.wandb"]
    assert [plan.dockerfile.name for plan in plans] == names
    says = ["Dockerfile.launch, the Dockerfile of the launch", "the Dockerfile of the job",
            "sub/Dockerfile.wandb, because it lies beside the script"]  # fmt: skip
    assert all(text in plan.notes[0] for text, plan in zip(says, plans, strict=True))
    (order.source / "sub" / "Dockerfile.wandb").unlink()
    generated = plan_image(order, "3.11")
    assert generated.dockerfile is None
    assert "a generated Dockerfile, because there is none for this job" in generated.notes[0]


def test_folder_of_the_script_is_the_context_and_shortens_its_path(order):
    write(order, "sub/Dockerfile.wandb")
    plan = plan_image(order, "3.11")
    assert (plan.place, plan.context) == ("sub", order.source / "sub")
    assert plan.entry_point == ("python", "train.py")
    assert "its build context is sub" in plan.notes[0]


def test_context_that_the_job_names_stays(order):
    write(order, "Dockerfile.wandb")
    module = replace(order, entry_point=("python", "-m", "sub.train"))
    assert plan_image(module, "3.11").dockerfile == order.source / "Dockerfile.wandb"
    named = with_environment(module, context="sub")
    plan = plan_image(named, "3.11")
    assert (plan.place, plan.entry_point) == ("sub", module.entry_point)


def test_dockerfile_is_relative_to_the_context(order):
    write(order, "Dockerfile", "sub/Dockerfile")
    plan = plan_image(with_environment(order, dockerfile="Dockerfile", context="sub"), "3.11")
    assert plan.dockerfile == order.source / "sub" / "Dockerfile"
    up = plan_image(with_environment(order, dockerfile="../Dockerfile", context="sub"), "3.11")
    assert up.dockerfile == order.source / "Dockerfile"
    assert up.entry_point == order.entry_point


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"dockerfile": "nope"}, "Dockerfile of the job: there is no file nope in the job's files"),
        ({"dockerfile": "sub"}, "Dockerfile of the job: there is no file sub in"),
        ({"dockerfile": "train.py", "context": "sub/x"}, "build context: there is no folder sub/x"),
        ({"dockerfile": "x", "context": "sub"}, "there is no file x in the build context sub"),
        ({"context": "train.py"}, "build context: there is no folder train.py in"),
        ({"dockerfile": "../Dockerfile"}, "Dockerfile of the job: ../Dockerfile lies outside"),
        ({"dockerfile": "/etc/passwd"}, "Dockerfile of the job: /etc/passwd lies outside"),
        ({"context": ".."}, "build context: .. lies outside the job's files"),
        ({"context": "away"}, "build context: away lies outside the job's files"),
        ({"dockerfile": "link"}, "Dockerfile of the job: link lies outside the job's files"),
        ({"dockerfile": "../../Dockerfile", "context": "sub"}, "lies outside the job's files"),
    ],
)
def test_what_is_not_there_or_leads_out_is_refused_by_its_name(order, environment, says):
    (order.source.parent / "Dockerfile").write_text("FROM scratch\n")
    (order.source / "link").symlink_to(order.source.parent / "Dockerfile")
    (order.source / "away").symlink_to(order.source.parent)
    with pytest.raises(BuildFailed) as caught:
        plan_image(with_environment(order, **environment), "3.11")
    assert says in caught.value.cause


def test_dockerfile_of_the_launch_is_named_as_such(order):
    with pytest.raises(BuildFailed, match="Dockerfile of the launch: there is no file nope"):
        plan_image(replace(order, dockerfile="nope"), "3.11")


def test_link_beside_the_script_that_leads_out_is_not_taken(order):
    (order.source.parent / "theirs").write_text("FROM evil\n")
    (order.source / "sub" / "Dockerfile.wandb").symlink_to(order.source.parent / "theirs")
    assert plan_image(order, "3.11").dockerfile is None


def test_base_of_a_generated_one_is_checked_and_the_accelerator_wins(order):
    plan = plan_image(replace(order, base_image="a/b:1", accelerator="nvidia/cuda:12"), "3.11")
    assert plan.text.startswith("FROM nvidia/cuda:12 AS base\n")
    assert any("builder.base_image is not used" in note for note in plan.notes)
    hostile = replace(order, base_image="python:3.11\nRUN id")
    with pytest.raises(BuildFailed, match=r"builder.base_image: "):
        plan_image(hostile, "3.11")


def test_version_of_python_is_the_jobs_else_the_default(order):
    assert "FROM python:3.12-slim" in plan_image(order, "3.12").text
    assert (
        "python:3.10-slim" in plan_image(with_environment(order, python_version="3.10"), "3").text
    )


def test_note_says_what_is_installed_and_that_wandb_is_missing(order):
    notes = plan_image(order, "3.11").notes
    assert "without packages, because no requirements.txt" in notes[0]
    assert "wandb is not asked for" in notes[1]
    (order.source / "requirements.txt").write_text("wandb\n")
    (order.source / "pyproject.toml").write_text("")
    [note] = plan_image(order, "3.11").notes
    assert "with what requirements.txt asks for (pyproject.toml is there too and not used)" in note


def test_own_dockerignore_holds_and_what_is_never_code_is_left_out(order):
    (order.source / "requirements.txt").write_text("six\n")
    (order.source / ".dockerignore").write_text("# mine\n*.txt\n!keep.txt\n")
    lines = plan_image(order, "3.11").ignored.splitlines()
    assert lines[:3] == ["# mine", "*.txt", "!keep.txt"]
    assert set(lines[3:]) == {".git", ".venv", "**/__pycache__", "wandb", "!requirements.txt"}
    assert lines[-1] == "!requirements.txt"


def test_package_that_is_called_wandb_is_code(order):
    (order.source / "wandb").mkdir()
    (order.source / "wandb" / "__init__.py").write_text("")
    assert "wandb" not in plan_image(order, "3.11").ignored.splitlines()


def test_same_files_have_the_same_dockerfile_whatever_the_job_is_called(order):
    assert plan_image(order, "3.11") == plan_image(replace(order, job="a\nRUN id"), "3.11")
