from __future__ import annotations

import shlex

from launch_tui.cli.parsing import find_verb, parse, split_globals
from launch_tui.domain.run import RunState
from launch_tui.tui.copying import BY_ID, COPYABLE, launch_command, log_tail


def of(world, what, run_id):
    return BY_ID[what].text(world.launch, world.launch.runs.get(run_id))


def test_each_has_a_letter_of_its_own():
    assert len({one.key for one in COPYABLE}) == len(COPYABLE)


def test_what_can_be_copied_of_a_run(busy_world):
    run_id = busy_world.running
    assert of(busy_world, "id", run_id) == run_id
    assert '"lr": 0.001' in of(busy_world, "config", run_id)
    assert of(busy_world, "log", run_id).endswith(f"{run_id}/1/output.log")
    assert of(busy_world, "directory", run_id).endswith(run_id)
    assert of(busy_world, "rerun", run_id) == f"launch-tui rerun {run_id}"
    assert of(busy_world, "url", run_id) == ""
    assert of(busy_world, "cause", "run00003") == (
        "no version of torchh is known. correct requirements.txt"
    )


def test_the_tail_of_a_log_is_its_last_lines_as_they_were_seen(busy_world):
    run_id = busy_world.run(RunState.RUNNING)
    busy_world.log(run_id, "".join(f"\x1b[31mline {n}\x1b[0m\n" for n in range(300)))
    busy_world.log(run_id, "10%\r20%\r30%")
    tail = log_tail(busy_world.launch, busy_world.launch.runs.get(run_id)).split("\n")
    assert len(tail) == 200
    assert tail[0] == "line 101"
    assert tail[-1] == "30%"


def test_the_command_launches_the_same_and_has_no_secret(busy_world):
    run_id = busy_world.run(
        RunState.QUEUED, name="my run", config={"lr": 0.1, "opt": {"name": "adam"}}
    )
    command = launch_command(busy_world.launch, busy_world.launch.runs.get(run_id))
    assert "hunter2" not in command
    given = split_globals(shlex.split(command)[1:])
    verb, words = find_verb(given.rest)
    arguments = parse(verb, words, given)
    assert arguments.words[0] == "train:v0"
    assert arguments.text("name") == "my run"
    assert arguments.many("pass_env") == ("HF_TOKEN",)
    assert arguments.many("setenv") == ("DEBUG=1",)


def test_a_run_whose_job_is_gone_can_only_be_run_again(busy_world):
    run_id = busy_world.run(job="nosuch")
    run = busy_world.launch.runs.get(run_id)
    assert launch_command(busy_world.launch, run) == f"launch-tui rerun {run_id}"
