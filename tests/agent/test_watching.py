from __future__ import annotations

from launch_tui.agent.learning import without


def test_what_a_launch_gave_is_left_out_of_what_the_script_set_itself():
    config = {"lr": 0.5, "bs": 8, "model": {"layers": 5, "name": "a"}, "all": {"x": 1}}
    given = {"lr": 0.5, "model": {"layers": 5}, "all": {"x": 1}}
    assert without(config, given) == {"bs": 8, "model": {"name": "a"}}
