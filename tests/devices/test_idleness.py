from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launch_tui.devices.idleness import Idleness


def test_since_when_it_has_been_below():
    history = Idleness(100.0)
    assert history.seconds_below(10, 130.0) == 30
    history.add(140.0, 50)
    history.add(150.0, 9)
    history.add(160.0, 10)
    assert history.seconds_below(10, 170.0) == 10
    assert history.seconds_below(10.5, 170.0) == 30
    assert history.seconds_below(60, 170.0) == 70


def test_what_is_not_told_counts_as_busy():
    history = Idleness(0.0)
    history.add(50.0, None)
    assert history.seconds_below(100, 60.0) == 10


@given(
    st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 100)))),
    st.integers(0, 100),
)
def test_against_all_samples(steps, below):
    history, now, busy = Idleness(0.0), 0.0, 0.0
    for step, utilization in steps:
        now += step
        history.add(now, utilization)
        if utilization is None or utilization >= below:
            busy = now
    assert history.seconds_below(below, now) == now - busy
