from __future__ import annotations

import pytest

from launch_tui.errors import UsageError


def test_another_command_is_the_next_version_and_the_rest_stays(launch, job):
    made = launch.jobs.revise(job.name, {"entry_point": ("python", "other.py")})
    assert (made.outcome, made.job.version) == ("updated", "v1")
    assert made.job.entry_point == ("python", "other.py")
    assert (made.job.source, made.job.environment) == (job.source, job.environment)
    assert launch.jobs.get(f"{job.name}:v0").entry_point == job.entry_point


def test_what_is_told_and_what_the_form_takes_change_in_place(launch, job):
    schema = {"type": "object", "properties": {"lr": {"type": "number", "maximum": 1}}}
    made = launch.jobs.revise(job.name, {"description": "digits", "inputs": schema})
    assert made.job.version == job.version
    found = launch.jobs.get(job.name)
    assert (found.description, found.inputs) == ("digits", schema)


def test_what_is_no_schema_is_refused_and_nothing_changed(launch, job):
    with pytest.raises(UsageError, match="inputs"):
        launch.jobs.revise(job.name, {"inputs": {"type": "numbr"}, "description": "x"})
    assert launch.jobs.get(job.name).description == job.description


@pytest.mark.parametrize("wrong", [{"description": " "}, {"tracking": "maybe"}])
def test_what_a_field_cannot_be_is_refused_by_name(launch, job, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        launch.jobs.revise(job.name, {"entry_point": ("true",), **wrong})
    assert launch.jobs.get(job.name).version == job.version
