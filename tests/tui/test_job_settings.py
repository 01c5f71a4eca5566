from __future__ import annotations

import pytest

from launch_tui.errors import UsageError
from launch_tui.tui.job_settings import job_document, read_job


def test_what_is_left_as_it_is_changes_nothing(world):
    job = world.job("train", description="a line: with a colon")
    assert read_job(job_document(job), job) == {}


def test_what_differs_is_returned_as_the_job_has_it(world):
    job = world.job("train")
    text = job_document(job).replace("python train.py", 'python "my train.py" --fast')
    assert read_job(text, job) == {"entry_point": ("python", "my train.py", "--fast")}
    assert read_job("inputs: {type: object}", job) == {"inputs": {"type": "object"}}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("name: other", "name"),
        ("entry_point: 'python \"x'", "entry_point"),
        ("entry_point: ''", "entry_point"),
        ("tracking: sometimes", "tracking"),
        ("inputs: [a]", "inputs"),
        ("description: {a: 1}", "description"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_the_field(world, text, field):
    with pytest.raises(UsageError) as refused:
        read_job(text, world.job("train"))
    assert refused.value.field == field
