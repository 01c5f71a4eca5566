from __future__ import annotations

import pytest

from launch_tui.domain.filter import Filter
from launch_tui.domain.run import RunState
from launch_tui.domain.sorting import Sort
from launch_tui.errors import NotFound, UsageError
from launch_tui.sdk import LaunchRequest, listing
from launch_tui.sdk import search as search_module
from launch_tui.sdk.search import Narrowed, Search, matching, narrowed
from launch_tui.store import searching

NOW = 1_800_000_000.0


@pytest.fixture
def runs(launch, job):
    """Twelve runs with lr 0 to 11; the first eight have ended, every third has the tag debug."""
    ids = [
        launch.launch(
            LaunchRequest(job=job.name, config={"lr": n}, tags=("debug",) if n % 3 == 0 else ())
        ).id
        for n in range(12)
    ]
    launch.db.execute("UPDATE runs SET state = 'finished' WHERE seq <= 8")
    return ids


def rates(launch, found):
    return [run.config["lr"] for run in listing.runs_at(launch, found.runs)]


def last(search, launch, **how):
    return list(search.look(launch, NOW, **how))[-1]


def test_what_is_found_is_told_in_the_order_that_is_wanted(launch, runs):
    assert rates(launch, last(Search(Filter("lr>=6 -tag:debug")), launch)) == [11, 10, 8, 7]
    oldest = Search(Filter("lr>=6 -tag:debug"), backwards=True)
    assert rates(launch, last(oldest, launch)) == [7, 8, 10, 11]
    live = Search(Filter("lr>=6"), sort=Sort.STATE)
    assert rates(launch, last(live, launch)) == [8, 9, 10, 11, 7, 6]


def test_finds_are_told_before_all_is_looked_through(launch, runs, monkeypatch):
    monkeypatch.setattr(searching, "FIRST_STRETCH", 2)
    monkeypatch.setattr(searching, "STRETCH_S", 0.0)
    monkeypatch.setattr(search_module, "TOLD_EVERY_S", 0.0)
    monkeypatch.setattr(search_module, "SHARE", float("inf"))
    told = list(Search(Filter("lr<4")).look(launch, NOW))
    assert [len(found.runs) for found in told] == [0, 0, 0, 0, 2, 4]
    assert [round(found.done, 2) for found in told] == [0.17, 0.33, 0.5, 0.67, 0.83, 1.0]


def test_the_first_find_is_not_kept_waiting(launch, runs, monkeypatch):
    monkeypatch.setattr(searching, "FIRST_STRETCH", 2)
    monkeypatch.setattr(searching, "STRETCH_S", 0.0)
    monkeypatch.setattr(search_module, "TOLD_EVERY_S", 1e9)
    told = list(Search(Filter("lr<8")).look(launch, NOW))
    assert [len(found.runs) for found in told] == [0, 2, 8]


def test_only_what_had_not_ended_is_looked_at_again(launch, runs, job):
    search = Search(Filter("lr>=7 -tag:debug"))
    assert rates(launch, last(search, launch)) == [11, 10, 8, 7]
    # An old run gets a tag, a waiting one as well, and a new one comes.
    launch.runs.tag(runs[7], ["debug"])
    launch.runs.tag(runs[10], ["debug"])
    launch.launch(LaunchRequest(job=job.name, config={"lr": 12}))
    assert rates(launch, last(search, launch, whole=False)) == [12, 11, 8, 7]
    assert rates(launch, last(search, launch)) == [12, 11, 8]


def test_a_look_that_was_given_up_counts_as_never_begun(launch, runs, monkeypatch):
    search = Search(Filter("lr>=0"))
    assert len(last(search, launch).runs) == 12
    monkeypatch.setattr(searching, "FIRST_STRETCH", 1)
    monkeypatch.setattr(searching, "STRETCH_S", 0.0)
    for _ in search.look(launch, NOW):
        break
    assert len(last(search, launch, whole=False).runs) == 12


def test_what_an_index_knows_restricts_the_search(launch, runs):
    search = Search(Filter("lr>=0"), states=(RunState.FINISHED,))
    assert len(last(search, launch).runs) == 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Narrowed()),
        ("state:failed", Narrowed(states=(RunState.FAILED,))),
        ("q:gpu j=train", Narrowed(queue="gpu", job="train")),
        ("state=active lr>1", Narrowed(
            states=("building", "claimed", "held", "queued", "running", "sourcing", "starting"),
            rest=True)),
        ("queue:p", Narrowed(rest=True)),
        ("queue=nosuch", Narrowed(rest=True)),
        ("queue!=gpu", Narrowed(rest=True)),
        ("state:fail", Narrowed(rest=True)),
        ("state:failed state:lost", Narrowed(states=(RunState.FAILED,), rest=True)),
        ("-state:failed", Narrowed(rest=True)),
        ("state:failed or q:gpu", Narrowed(rest=True)),
        ("job:ev resnet", Narrowed(job="eval", rest=True)),
    ],
)  # fmt: skip
def test_what_of_a_filter_an_index_answers(text, expected):
    assert narrowed(Filter(text), ["gpu", "cpu"], ["train", "eval"]) == expected


def test_runs_that_match_come_newest_first(launch, runs):
    found = [run.config["lr"] for run in matching(launch, Filter("lr>=9"), NOW)]
    assert found == [11, 10, 9]


def test_filters_are_checked_when_they_are_saved(launch):
    launch.filters.save(" good ones ", " loss<0.3 ")
    assert launch.filters.list() == {"good ones": "loss<0.3"}
    assert launch.filters.get("good ones") == "loss<0.3"
    for name, text in (("", "x"), ("a\nb", "x"), ("n" * 61, "x"), ("n", " "), ("n", "(")):
        with pytest.raises(UsageError):
            launch.filters.save(name, text)
    launch.filters.delete("good ones")
    with pytest.raises(NotFound):
        launch.filters.get("good ones")


def test_the_runs_of_a_job_are_counted_once_and_then_followed(launch, runs, job, monkeypatch):
    counts = listing.Counts(launch)

    def counted(*states):
        return counts.count(queue="", states=states, job=job.name)

    assert (counted(), counted(RunState.FINISHED), counted(RunState.QUEUED)) == (12, 8, 4)
    asked = []
    count = listing.read.count
    monkeypatch.setattr(
        listing.read, "count", lambda db, query: asked.append(query.above) or count(db, query)
    )
    launch.launch(LaunchRequest(job=job.name))
    assert counted() == 13
    assert asked == [12]
    launch.db.execute("UPDATE runs SET state = 'finished' WHERE seq = 9")
    assert counted(RunState.FINISHED) == 9
    launch.runs.delete(runs[0])
    assert (counted(), counted(RunState.FINISHED)) == (12, 8)


def test_at_a_glance_the_newest_finds_are_there_and_the_rest_is_not_looked_at(
    launch, runs, monkeypatch
):
    monkeypatch.setattr(search_module, "AT_A_GLANCE", 2)
    monkeypatch.setattr(searching, "FIRST_STRETCH", 2)
    monkeypatch.setattr(searching, "STRETCH_S", 0.0)
    monkeypatch.setattr(search_module, "GLANCE_S", 1e9)
    search = Search(Filter("lr<9"))
    found = search.glance(launch, NOW)
    assert rates(launch, found) == [8]
    assert found.done == pytest.approx(4 / 12)
    assert Search(Filter("lr>99")).glance(launch, NOW).done == 1.0
    monkeypatch.setattr(search_module, "GLANCE_S", -1.0)
    assert Search(Filter("lr<2")).glance(launch, NOW).done == pytest.approx(2 / 12)
    # It counts for nothing in the look that follows.
    assert len(last(search, launch).runs) == 9
