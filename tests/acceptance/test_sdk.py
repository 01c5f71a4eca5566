"""``import launch_tui`` as a program has it: its public names, a real agent, real jobs."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
import typing
import warnings

import pytest

import launch_tui
from launch_tui import AsyncLaunch, Launch, NotFound, RunFailure, RunState, UsageError
from tests.wandb_envs import wandb_python

SPEAKS = (
    "import sys, time\nfor n in range(3):\n    print('line', n, flush=True)\n    time.sleep(0.02)\n"
)
SLEEPS = "import time\nprint('begun', flush=True)\ntime.sleep(60)\n"
FAILS = "import sys\nprint('boom')\nsys.exit(3)\n"
TRAINS = """\
import wandb
run = wandb.init(config={"lr": 0.5})
for epoch in range(4):
    wandb.log({"loss": run.config.lr / (epoch + 1), "note": f"e{epoch}"}, step=epoch)
wandb.summary["best"] = 0.125
wandb.finish()
"""


@pytest.fixture
def launch(private_home):
    with Launch(private_home) as opened:
        yield opened


@pytest.fixture
def script(tmp_path):
    """Returns ``script(text)``: a folder with that text as its ``train.py``."""

    def make(text, name="project"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "train.py").write_text(text)
        return folder

    return make


@pytest.fixture
def job(launch, script, running):
    """Returns ``job(text)``: a job of that script, which need not use wandb."""
    return lambda text, name="project": launch.create_job(
        script(text, name),
        entry_point=[sys.executable, "train.py"],
        venv="none",
        tracking="optional",
    )


def test_a_job_is_made_launched_and_waited_for(launch, job):
    made = job(SPEAKS)
    assert (made.name, made.version) == ("project", "v0")
    run = launch.launch(made, "q", {"lr": 0.1}, name="first", tags=["a"])
    ended = run.wait_until_finished(timeout=30)
    assert (ended.state, ended.exit_code, ended.name, ended.tags) == (
        "finished",
        0,
        "first",
        ("a",),
    )
    assert run.state is RunState.FINISHED
    assert run.cause is None
    assert run.config == {"lr": 0.1}
    assert run.directory.is_dir()
    assert list(run.logs()) == ["line 0", "line 1", "line 2"]
    assert [one.id for one in launch.runs(queue="q")] == [run.id]
    assert launch.run(run.id[:6]) == launch.run("@") == run


def test_the_log_is_followed_to_its_end(launch, job):
    run = launch.launch(job(SPEAKS), "q")
    assert list(run.logs(follow=True)) == ["line 0", "line 1", "line 2"]
    assert run.wait_until_finished(timeout=30).state == "finished"


def test_a_followed_log_goes_on_with_the_next_attempt(launch, job):
    text = (
        "import os, sys\n"
        "attempt = os.environ['LAUNCH_TUI_ATTEMPT']\n"
        "print('attempt', attempt)\n"
        "sys.exit(attempt != '2')\n"
    )
    run = launch.launch(job(text), "q", retries=1, retry_on=["failed"])
    assert list(run.logs(follow=True)) == ["attempt 1", "attempt 2"]
    assert run.wait_until_finished(timeout=30).state == "finished"
    assert list(run.logs(attempt=1)) == ["attempt 1"]
    with pytest.raises(NotFound, match=r"attempt: .* has no attempt 3"):
        next(run.logs(attempt=3))


def test_waiting_ends_when_the_run_fails(launch, job):
    run = launch.launch(job(FAILS), "q")
    assert run.wait_until_running(timeout=30).state in ("running", "failed")
    ended = run.wait_until_finished(timeout=30)
    assert (ended.state, ended.phase, ended.exit_code) == ("failed", "run", 3)
    assert run.cause == ended.cause != ""
    with pytest.raises(RunFailure, match=f"run {run.id} failed"):
        run.wait_until_finished(check=True)
    with pytest.raises(RunFailure) as caught:
        run.check()
    assert caught.value.phase == "run"
    assert caught.value.next_step


def test_a_run_that_cannot_start_says_so_at_once(launch, script, running):
    broken = launch.create_job(script(SPEAKS), entry_point="no-such-program-here", venv="none")
    run = launch.launch(broken, "q")
    ended = run.wait_until_running(timeout=30)
    assert (ended.state, ended.phase) == ("failed", "start")
    with pytest.raises(launch_tui.StartFailed):
        run.check()


def test_waiting_has_a_limit(launch, job):
    run = launch.launch(job(SLEEPS), "q")
    run.wait_until_running(timeout=30)
    with pytest.raises(TimeoutError, match=f"run {run.id} is still running after 0.2 s"):
        run.wait_until_finished(timeout=0.2)
    assert run.stop() == "running"
    assert run.wait_until_finished(timeout=40).state == "stopped"
    with pytest.raises(UsageError, match=r"run: .* has ended already"):
        run.stop()


def test_a_run_is_run_again_with_changes(launch, job):
    first = launch.launch(job(SPEAKS), "q", {"lr": 0.1, "net": {"depth": 2, "width": 8}})
    again = first.rerun(config={"net": {"depth": 3}}, tags=["again"])
    assert again.config == {"lr": 0.1, "net": {"depth": 3, "width": 8}}
    assert again.info.tags == ("again",)
    assert [one.state for one in launch.wait([first, again], timeout=40)] == ["finished"] * 2
    again.delete()
    with pytest.raises(NotFound, match="run: "):
        again.state  # noqa: B018


def test_queues_are_made_changed_paused_and_deleted(launch, job):
    made = launch.queues.create(
        "gpu",
        resource="local-process",
        config={"env": {"SIZE": "{{size}}"}},
        template_variables={"size": {"schema": {"type": "integer", "maximum": 9, "default": 1}}},
        tracking="optional",
        prioritized=True,
    )
    assert (made.name, made.resource, made.max_running) == ("gpu", "local-process", 1)
    assert launch.queues.update("gpu", max_running=2).max_running == 2
    assert launch.queues.pause("gpu").paused
    run = launch.launch(
        job("import os; print(os.environ['SIZE'])\n"),
        "gpu",
        template_variables={"size": 5},
        priority="low",
    )
    assert "paused" in run.why()
    assert not launch.queues.resume("gpu").paused
    run.wait_until_finished(timeout=30, check=True)
    assert list(run.logs()) == ["5"]
    assert run.info.priority == "low"
    launch.queues.create("spare", resource="process")
    launch.queues.delete("spare")
    assert [queue.name for queue in launch.queues.list()] == ["q", "gpu"]


def test_jobs_are_listed_named_compared_and_deleted(launch, job, script):
    made = job(SPEAKS)
    (script(FAILS, "other")).rename(script(SPEAKS, "spare").parent / "other2")
    assert [one.name for one in launch.jobs.list()] == ["project"]
    assert "good" in launch.jobs.set_alias("project:v0", "good").aliases
    assert launch.jobs.get("project:good").version == made.version
    launch.jobs.delete("project")
    assert launch.jobs.list() == []


def test_what_a_job_is_made_of_is_told_by_its_looks(launch, script, world, tmp_path):
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare")], check=True)
    folder = launch.create_job(script(SPEAKS), entry_point="python train.py", venv="none")
    image = launch.create_job("registry.example:5000/team/train:v2")
    assert (folder.kind, image.kind, image.name) == ("code", "image", "team_train")
    with pytest.raises(UsageError, match=r"source: .*/bare has no commits yet"):
        launch.create_job(tmp_path / "bare", entry_point="python train.py")
    with pytest.raises(UsageError, match=r"source: .* does not appear to be a git repository"):
        launch.create_job((tmp_path / "nothing.git").as_uri(), entry_point="python train.py")
    assert launch.create_job("busybox", kind="image").name == "busybox"


def test_the_order_of_runs_can_be_asked_for(launch, job):
    made = job(SPEAKS)
    first = launch.launch(made, "q", begin="+1h")
    second = launch.launch(made, "q", after=first)
    third = launch.launch(made, "q", after=[f"{first.id}:any", second])
    assert set(third.info.after) == {f"{first.id}:any", f"{second.id}:ok"}
    first.stop()
    assert second.wait_until_finished(timeout=30).state == "stopped"


def test_a_folder_and_its_python_run_in_place(launch, script, running):
    folder = script(SPEAKS)
    run = launch.launch(
        in_place=folder, queue="q", entry_point=[sys.executable, "train.py"], tracking="optional"
    )
    run.wait_until_finished(timeout=30, check=True)
    assert next(run.logs()) == "line 0"


def test_tracking_may_be_left_out_by_one_launch(launch, job):
    launch.queues.create("strict", resource="local-process")
    made = launch.create_job(
        job(SPEAKS).source.path,
        name="strict",
        entry_point=[sys.executable, "train.py"],
        venv="none",
    )
    lax = launch.launch(made, "strict", tracking="optional")
    strict = launch.launch(made, "strict")
    ended = launch.wait([lax, strict], timeout=40)
    assert [(run.state, run.phase) for run in ended] == [("finished", None), ("failed", "tracking")]


@pytest.mark.wandb
def test_metrics_and_summary_of_a_job_with_wandb(launch, script, running):
    python = str(wandb_python("newest"))
    made = launch.create_job(script(TRAINS), entry_point="python train.py", python=python)
    run = launch.launch(made, "q", {"lr": 1.0})
    assert run.metrics("loss") == []
    run.wait_until_finished(timeout=60, check=True)
    assert run.metrics("loss") == [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3)), (3, 0.25)]
    assert run.metrics("note") == [(n, f"e{n}") for n in range(4)]
    assert {"loss", "note"} <= set(run.metric_keys())
    assert run.summary["best"] == 0.125
    assert run.config["lr"] == 1.0
    with pytest.raises(NotFound, match=r"key: .* no 'los' \(allowed: loss\)"):
        run.metrics("los")


def test_many_runs_are_one_group_in_order(launch, job):
    launch.queues.pause("q")
    runs = launch.launch_many(
        job(SPEAKS), "q", ({"seed": seed} for seed in range(40)), name="grid", tags=["x"]
    )
    infos = [run.info for run in runs]
    assert [info.config for info in infos] == [{"seed": seed} for seed in range(40)]
    assert {(info.group, info.name, info.tags) for info in infos} == {
        (infos[0].group, "grid", ("x",))
    }
    assert infos[0].group
    assert [run.id for run in launch.runs(group=infos[0].group)] == [
        run.id for run in reversed(runs)
    ]
    launch.queues.resume("q")
    ended = launch.wait(runs, timeout=50)
    assert {run.state for run in ended} == {"finished"}
    started = [run.claimed_at for run in ended]
    assert started == sorted(started)
    with pytest.raises(UsageError, match=r"configs\[1\]: is no dict"):
        launch.launch_many("project", "q", [{}, 5])
    with pytest.raises(UsageError, match="config x: nan"):
        launch.launch_many("project", "q", [{}, {"x": float("nan")}])
    assert len(launch.runs(limit=100)) == 40


BAD_INPUT = {
    "job": lambda launch: launch.launch("nothing", "q"),
    "queue": lambda launch: launch.launch("project", "nowhere"),
    "entry_point": lambda launch: launch.launch("project", "q", entry_point="a\0b"),
    "config": lambda launch: launch.launch("project", "q", 5),
    "tags": lambda launch: launch.launch("project", "q", tags="abc"),
    "colour": lambda launch: launch.launch("project", "q", colour="red"),
    "priority": lambda launch: launch.launch("project", "q", priority="high"),
    "after": lambda launch: launch.launch("project", "q", after="nothing"),
    "resource_args nicer": lambda launch: launch.launch("project", "q", resource_args={"nicer": 1}),
    "tracking": lambda launch: launch.launch("project", "q", tracking="maybe"),
    "retries": lambda launch: launch.launch("project", "q", retries=-1),
    "setenv A": lambda launch: launch.launch("project", "q", setenv={"A": "\0"}),
    "description": lambda launch: launch.create_job(".", entry_point="a", description="\0"),
    "python_version": lambda launch: launch.create_job("x:y", python_version="3.11"),
    "config nicer": lambda launch: launch.queues.create("x", "process", config={"nicer": 1}),
    "source": lambda launch: launch.create_job("projct", entry_point="python train.py"),
    "kind": lambda launch: launch.create_job(".", kind="zip"),
    "resource": lambda launch: launch.queues.create("x", resource="mainframe"),
    "max_running": lambda launch: launch.queues.create("x", resource="process", max_running=0),
    "states": lambda launch: launch.runs(states=["asleep"]),
    "run": lambda launch: launch.run("nothing"),
}


@pytest.mark.parametrize("field", BAD_INPUT)
def test_bad_input_names_the_argument(launch, script, world, field):
    launch.create_job(script(SPEAKS), entry_point="python train.py", venv="none")
    with pytest.raises(UsageError) as caught:
        BAD_INPUT[field](launch)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
    assert launch.runs() == []


def test_warnings_are_pythons(launch, tmp_path, world):
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "train.py").write_text(SPEAKS)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = launch.create_job(folder, kind="git", entry_point="python train.py", venv="none")
        folder.rename(tmp_path / "away")
        run = launch.launch(made.name, "q")
    assert run.state == "queued"
    (told,) = [one for one in caught if one.category is launch_tui.LaunchWarning]
    assert "as pinned before" in str(told.message)
    assert told.filename == __file__


async def test_the_same_is_awaited(private_home, script, running):
    async with AsyncLaunch(private_home) as launch:
        assert await launch.agent_is_running()
        made = await launch.create_job(
            script(SPEAKS), entry_point=[sys.executable, "train.py"], venv="none"
        )
        assert (await launch.jobs.list())[0].name == made.name
        await launch.queues.create(
            "r", resource="local-process", tracking="optional", max_running=3
        )
        run = await launch.launch(made, "r", {"lr": 1})
        assert [line async for line in run.logs(follow=True)] == ["line 0", "line 1", "line 2"]
        assert (await run.wait_until_finished(timeout=30, check=True)).state == "finished"
        assert (await run.state(), await run.cause()) == ("finished", None)
        assert await run.config() == {"lr": 1}
        assert await run.summary() == {}
        again = await run.rerun(config={"lr": 2})
        many = await launch.launch_many(made, "r", [{"seed": n} for n in range(6)])
        states = await asyncio.gather(*(one.wait_until_finished(timeout=40) for one in many))
        assert {one.state for one in states} == {"finished"}
        assert [one.state for one in await launch.wait([run, again, *many], timeout=30)] == (
            ["finished"] * 8
        )
        assert len(await launch.runs()) == 8
        assert (await launch.run(run.id)).id == run.id


async def test_waiting_for_hundreds_takes_no_thread_each(private_home, script, world):
    async with AsyncLaunch(private_home) as launch:
        made = await launch.create_job(script(SPEAKS), entry_point="python train.py", venv="none")
        runs = await launch.launch_many(made, "q", [{"seed": n} for n in range(300)])
        before = threading.active_count()
        waits = [asyncio.create_task(run.wait_until_finished()) for run in runs]
        with pytest.raises(TimeoutError, match=r"run .* is in none of: "):
            await runs[0].wait_until_running(timeout=0.2)
        assert threading.active_count() <= before + 5
        for run in runs:
            assert await run.stop() == "stopped"
        ended = await asyncio.gather(*waits)
        assert {run.state for run in ended} == {"stopped"}
        gone = asyncio.create_task(runs[0].wait_until_finished())
        await gone
        await runs[0].delete()
        with pytest.raises(NotFound):
            await runs[0].wait_until_finished(timeout=5)


def test_any_thread_may_ask(launch, script, world):
    made = launch.create_job(script(SPEAKS), entry_point="python train.py", venv="none")
    found = []

    def work():
        run = launch.launch(made, "q")
        found.append((run.id, run.state))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.id for run in launch.runs()) == sorted(run_id for run_id, _ in found)
    assert {state for _, state in found} == {"queued"}


def test_a_forked_process_has_a_connection_of_its_own(launch, script, world):
    made = launch.create_job(script(SPEAKS), entry_point="python train.py", venv="none")
    launch.launch(made, "q", {"who": "parent"})
    children = []
    for number in range(4):
        if (pid := os.fork()) == 0:
            # Nothing of the test may run twice: no clean-up, no report.
            status = 1
            try:
                for _ in range(5):
                    launch.launch(made, "q", {"who": number})
                launch.close()
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert len(launch.runs(limit=100)) == 21
    assert world.ok("doctor").status == 0


ENQUEUES = """\
import sys, launch_tui
with launch_tui.Launch() as launch:
    for number in range(int(sys.argv[2])):
        launch.launch("project", "q", {"who": int(sys.argv[1]), "number": number})
"""


def test_launches_of_four_processes_are_all_there_in_order(launch, script, world):
    launch.create_job(script(SPEAKS), entry_point="python train.py", venv="none")
    each = 250
    programs = [
        subprocess.Popen([sys.executable, "-c", ENQUEUES, str(who), str(each)]) for who in range(4)
    ]
    assert [program.wait(timeout=50) for program in programs] == [0] * 4
    runs = world.ok("runs", "-q", "q", "-n", "5000", "--json").json
    assert len(runs) == 4 * each
    for who in range(4):
        numbers = [run["config"]["number"] for run in runs if run["config"]["who"] == who]
        assert numbers == list(reversed(range(each)))


RUNS_AN_AGENT = """\
import launch_tui
launch_tui.run_agent(["served"], max_jobs=1, report=lambda event: print(event.text, flush=True))
print("left", flush=True)
"""


def test_a_program_can_be_the_agent(launch, script, world):
    launch.queues.create("served", resource="process", tracking="optional")
    made = launch.create_job(script(SPEAKS), entry_point=[sys.executable, "train.py"], venv="none")
    passed_over = launch.launch(made, "q")
    run = launch.launch(made, "served")
    program = subprocess.Popen(
        [sys.executable, "-c", RUNS_AN_AGENT], stdout=subprocess.PIPE, text=True
    )
    try:
        run.wait_until_finished(timeout=30, check=True)
        assert launch.agent_is_running()
        assert passed_over.state == "queued"
    finally:
        program.send_signal(signal.SIGTERM)
        told, _ = program.communicate(timeout=20)
    assert program.returncode == 0
    assert told.splitlines()[-1] == "left"
    assert not launch.agent_is_running()
    for bad in ({"queues": "served"}, {"max_jobs": 0}):
        with pytest.raises(UsageError) as caught:
            launch_tui.run_agent(**bad)
        assert caught.value.field in bad


def test_a_closed_launch_says_so(private_home, world):
    launch = Launch(private_home)
    launch.close()
    launch.close()
    with pytest.raises(launch_tui.LaunchError, match="closed"):
        launch.runs()


def public_members():
    """Every public name, and of each class its public members."""
    for name in launch_tui.__all__:
        found = getattr(launch_tui, name)
        yield name, found
        if inspect.isclass(found):
            for inner, member in vars(found).items():
                if not inner.startswith("_") and (
                    inspect.isfunction(member) or isinstance(member, property)
                ):
                    yield f"{name}.{inner}", member


@pytest.mark.parametrize("name", [name for name in launch_tui.__all__ if name != "__version__"])
def test_every_public_name_is_documented(name):
    for qualified, found in public_members():
        if qualified.partition(".")[0] == name:
            assert inspect.getdoc(found), qualified


def test_every_public_function_is_typed():
    for qualified, found in public_members():
        function = found.fget if isinstance(found, property) else found
        if not inspect.isfunction(function) or not function.__module__.startswith("launch_tui"):
            continue
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty, qualified
        for parameter in list(signature.parameters.values()):
            if parameter.name not in ("self", "cls"):
                assert parameter.annotation is not inspect.Parameter.empty, (qualified, parameter)


def test_a_type_checker_sees_every_name(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from __future__ import annotations\n"
        "import asyncio\n"
        "import launch_tui\n"
        "from launch_tui import AsyncLaunch, Job, Launch, QueuedRun, Run, RunState\n"
        "with Launch() as launch:\n"
        "    job: Job = launch.create_job('.', entry_point='python train.py')\n"
        "    run: QueuedRun = launch.launch(job, queue='gpu', config={'lr': 1}, retries=2)\n"
        "    state: RunState = run.state\n"
        "    points: list[tuple[int, object]] = [(s, v) for s, v in run.metrics('loss')]\n"
        "    ended: Run = run.rerun(config={'lr': 2}).wait_until_finished(timeout=5)\n"
        "    names: list[str] = [queue.name for queue in launch.queues.list()]\n"
        "    launch.queues.create('x', resource='process', max_running=2)\n"
        "async def main() -> None:\n"
        "    async with AsyncLaunch() as launch:\n"
        "        run = await launch.launch('train', queue='gpu', priority='high')\n"
        "        one: Run = await run.wait_until_finished()\n"
        "        queue: launch_tui.Queue = await launch.queues.get('gpu')\n"
        "        await launch.launch('train', 'gpu', retries='two')  # wrong: the type of retries\n"
        "        await launch.queues.create('x')  # wrong: no resource\n"
        "        launch_tui.nothing  # wrong: no such name\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--follow-imports=silent"]
    done = subprocess.run([*mypy, str(program)], capture_output=True, text=True, timeout=55)
    wrong = [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line]
    assert wrong == ["18", "19", "20"], done.stdout


def test_typed_options_are_those_that_are_taken():
    hints = typing.get_type_hints(
        launch_tui.LaunchOptions,
        localns={**vars(typing), "Sequence": list, "Mapping": dict, "RunReference": str},
    )
    described = inspect.getdoc(launch_tui.LaunchOptions)
    for name in hints:
        assert f"\n    {name}: " in described, name
