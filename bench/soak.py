"""Kills processes at random, for as long as you like, and looks whether anything was lost.

    just soak                   ten minutes with a new seed, which is printed
    just soak 60 --seed 7       an hour of the schedule that the seed 7 makes
    just soak --table           the figures of docs/crash-safety.md, about a quarter of an hour
    just soak --table peers     one of them

A round: callers launch through the SDK and the command line, agents carry it out, and meanwhile
agents (also those of a UI on a terminal), callers, supervisors, fork servers, uv and jobs are
killed by SIGKILL at moments that the seed decides. Then one agent works in peace until all has
ended, and everything that docs/crash-safety.md promises is checked from the outside
(`arena.Arena.violations`). The seed repeats what is done and when, not how the machine schedules
it. The exit status is 1 if anything was violated; the data directory is kept then.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from arena import Arena, Limit, command_line, environment_of, pids

from launch_tui.sdk import Launch, LaunchRequest

MINUTES = 10.0
LIMITS = (
    Limit("one", 1),
    Limit("two", 2),
    Limit("three", 3),
    Limit("ranked", 1, prioritized=True),
    Limit("gpus", 4),
)
PRIORITIES = ("critical", "high", "medium", "low")
CODES = ((0,), (0,), (0,), (1,), (3,), (3, 0), (3, 4, 0))
"""How the starts of a job end, the last code for all that follow."""
CONDITIONS = ("ok", "ok", "failed", "any")
MAX_JOBS = 5
RUNS_A_ROUND = 30
WEIGHTS = {"agent": 34, "caller": 12, "supervisor": 15, "job": 12, "build": 15, "fork server": 12}
"""How often each kind is chosen to be killed, of 100."""
SCREENS = 0.2
"""How many of the agents are those of a UI on a terminal."""
PATIENCE_S = {"build": 4.0}
"""How long a process of a kind is waited for; one second where it does not say."""


def main(words):
    table, minutes, seed, wanted = False, MINUTES, random.SystemRandom().randrange(10**6), []
    words = iter(words)
    for word in words:
        if word == "--seed":
            seed = int(next(words))
        elif word == "--table":
            table = True
        elif table:
            wanted.append(word)
        else:
            minutes = float(word)
    began = time.monotonic()
    broken = figures(wanted, seed) if table else soak(minutes, seed)
    print(f"\n{time.monotonic() - began:.0f} s, seed {seed}: {'BROKEN' if broken else 'all held'}")
    return 1 if broken else 0


# -- at random


def soak(minutes, seed):
    """Go on for so long; return what was violated."""
    print(f"seed {seed}, {minutes:g} minutes, {os.cpu_count()} processors", flush=True)
    chance = random.Random(seed)
    # Without a limit of the agent's own, which a UI's has not; `agents` has one.
    with arena("soak", chance, LIMITS) as field:
        end, rounds, broken = time.monotonic() + 60 * minutes, 0, []
        while time.monotonic() < end and not broken:
            broken = one_round(field, chance)
            rounds += 1
            print(f"  round {rounds}: {len(field.checked)} runs, {told(field.kills)}", flush=True)
        show(field, broken)
    return broken


def one_round(field, chance):
    """Launch, kill, wait, look."""
    left = RUNS_A_ROUND
    while left > 0:
        requests = [random_request(field, chance) for _ in range(chance.randint(1, 8))]
        left -= len(requests)
        field.call(requests)
    in_place = [random_request(field, chance, plain=True) for _ in range(2)]
    for request in in_place:
        field.call_by_command(request)
    for _ in range(chance.randint(8, 25)):
        if len(field.living_agents()) < chance.choice((1, 1, 1, 2)):
            start = field.start_ui if chance.random() < SCREENS else field.start_agent
            start()
        time.sleep(chance.choice((0.02, 0.3, 0.9)) * chance.random())
        kind = chance.choices(list(WEIGHTS), WEIGHTS.values())[0]
        if kind == "build":
            field.call([build_request(field, chance)])
        patience = time.monotonic() + PATIENCE_S.get(kind, 1.0)
        while not field.kill(kind) and time.monotonic() < patience:
            time.sleep(0.005)
    field.wait_for_callers()
    return field.settle() + list(field.violations())


def random_request(field, chance, *, plain=False):
    """What a caller may launch; ``plain`` is what ``call_by_command`` has words for."""
    queue = chance.choice(LIMITS).queue
    plan = field.plan(
        codes=chance.choice(CODES),
        tracked=chance.random() < 0.6,
        lines=chance.randint(1, 40),
        pause=chance.choice((0.0, 0.005, 0.02)),
        gpus=chance.choice((1, 1, 2)) if queue == "gpus" and not plain else 0,
        group=chance.choice((2, 3)) if not plain and chance.random() < 0.08 else 1,
    )
    if plain:
        return field.request(queue, plan)
    if chance.random() < 0.25:
        return build_request(field, chance)
    return field.request(queue, plan, **random_wishes(chance, queue))


def random_wishes(chance, queue):
    """What a launch may ask for beside its job: retries, a priority, runs to wait for."""
    wishes = {}
    if queue == "ranked":
        wishes["priority"] = chance.choice(PRIORITIES)
    if chance.random() < 0.35:
        wishes["retries"] = chance.randint(1, 3)
        wishes["retry_on"] = chance.choice((("failed",), ("failed", "lost"), ("lost",)))
        wishes["backoff"] = chance.choice((0.0, 0.0, 0.2))
    if chance.random() < 0.3:
        back = chance.sample((1, 2, 3), chance.randint(1, 2))
        wishes["behind"] = [(each, chance.choice(CONDITIONS)) for each in back]
    return wishes


def build_request(field, chance):
    """A snapshot that needs an environment like no other, so that there is something to build."""
    folder = chance.choice(field.folders)
    (folder / "requirements.txt").write_text(f"# nothing {chance.random()}\n")
    return field.request(chance.choice(LIMITS[:3]).queue, field.plan(), folder=folder)


@contextlib.contextmanager
def arena(name, chance, limits, max_jobs=0):
    """Yield an arena of its own, which goes unless something in it was violated."""
    root = Path(tempfile.mkdtemp(prefix=f"launch-tui-{name}-"))
    field = Arena(root, chance, limits, max_jobs)
    try:
        yield field
    except BaseException:
        print(f"kept: {root}", file=sys.stderr)
        raise
    else:
        if field.kept:
            print(f"kept: {root}", file=sys.stderr)
        else:
            field.close()
            shutil.rmtree(root)
    finally:
        field.close()


def show(field, broken):
    """Print what was done and what was found."""
    field.kept = bool(broken)
    print(f"\n  launched and checked   {len(field.checked)}")
    print(f"  acknowledged           {len(field.acknowledged())}")
    for kind, number in sorted(field.kills.items()):
        print(f"  {kind + 's killed':<22} {number}")
    for state, number in sorted(field.counted.items()):
        print(f"  {state:<22} {number}")
    for what in broken:
        print(f"  VIOLATED  {what}")


def told(kills):
    return ", ".join(f"{number} {kind}s" for kind, number in sorted(kills.items())) or "nobody"


# -- the figures


def figures(wanted, seed):
    broken = []
    for name, measure in FIGURES.items():
        if not wanted or name in wanted:
            print(f"{name}: {measure.__doc__.splitlines()[0]}", flush=True)
            found = list(measure(random.Random(seed)))
            for what in found:
                print(f"  VIOLATED  {what}")
            broken += found
    return broken


def acknowledged_launches(chance, launches=1000, kills=100):
    """1,000 acknowledged launches with at least 100 SIGKILLs of agent and callers."""
    limits = (Limit("one", 1), Limit("two", 2))
    with arena("acknowledged", chance, limits) as field:
        plan = field.plan(tracked=False, lines=1, pause=0.0)
        while len(field.acknowledged()) < launches or field.kills.total() < kills:
            if not field.living_agents():
                field.start_agent()
            field.call([field.request(chance.choice(limits).queue, plan) for _ in range(40)])
            if chance.random() < 0.3:
                field.call_by_command(field.request("one", plan))
            time.sleep(0.7 * chance.random())
            field.kill(chance.choice(("caller", "caller", "agent")))
        field.wait_for_callers()
        broken = field.settle(900) + list(field.violations())
        lost = sum("is lost" in what for what in broken)
        half = sum("half a row" in what for what in broken)
        print(f"  acknowledged {len(field.acknowledged())}, killed: {told(field.kills)};"
              f" lost {lost}, half rows {half}")  # fmt: skip
        show(field, broken)
    return broken


def starts_and_outcomes(chance, runs=300, kills=200):
    """300 runs starting and ending under at least 200 random SIGKILLs of the agent."""
    with arena("agents", chance, LIMITS, MAX_JOBS) as field:
        requests = [random_request(field, chance) for _ in range(runs)]
        field.call(requests)
        field.wait_for_callers()
        while field.kills["agent"] < kills:
            if not field.living_agents():
                field.start_agent()
            time.sleep(0.25 + 0.6 * chance.random())
            field.kill("agent")
            if field.all_ended():
                field.call([random_request(field, chance) for _ in range(50)])
                field.wait_for_callers()
        broken = field.settle(900) + list(field.violations())
        show(field, broken)
    return broken


def supervisors(chance, kills=50):
    """Supervisors killed 50 times."""
    with arena("supervisors", chance, LIMITS) as field:
        field.start_agent()
        while field.kills["supervisor"] < kills:
            plans = [field.plan(codes=chance.choice(CODES), tracked=chance.random() < 0.6,
                                lines=chance.randint(1, 40)) for _ in range(6)]  # fmt: skip
            field.call([field.request(chance.choice(LIMITS).queue, plan) for plan in plans])
            field.wait_for_callers()
            while not field.all_ended() and field.kills["supervisor"] < kills:
                time.sleep(0.2 * chance.random())
                field.kill("supervisor")
        broken = field.settle() + list(field.violations())
        show(field, broken)
    return broken


def peers(chance, launches=20):
    """20 launches behind a blocker, SIGKILL at the last answer, restart, release."""
    with arena("peers", chance, (Limit("one", 1),)) as field:
        gate = field.root / "gate"
        agent = field.start_agent()
        wait_for = f"while ! [ -e {gate} ]; do sleep 0.05; done"
        with Launch(field.home) as launch:
            blocker = in_place(field, ("sh", "-c", wait_for), "one")
            first = launch.launch(blocker).id
            until(lambda: launch.runs.get(first).state == "running")
        line = f"echo x >> {field.root / 'lines'}"
        kept = []
        for _ in range(launches):
            words = ("launch", "--json", "--in-place", "-q", "one", "--", "sh", "-c", line)
            done = subprocess.run(
                (sys.executable, "-m", "launch_tui", *words),
                env=field.environment(), cwd=field.root, check=True, capture_output=True,
            )  # fmt: skip
            kept.append(done.stdout)
        agent.kill()
        agent.wait()
        field.start_agent()
        gate.touch()
        broken = field.settle()
        ran = (field.root / "lines").read_bytes().count(b"x")
        states = Counter(row["state"] for row in field.rows().values())
        print(f"  launch_tui    {ran} of {launches} ran, the blocker too: {dict(states)}")
        if ran != launches or states != {"finished": launches + 1}:
            broken.append(f"{ran} of {launches} kept")
        if tsp := shutil.which("tsp") or shutil.which("ts"):
            print(
                f"  task-spooler  {kept_by_task_spooler(tsp, field.root, launches)} of {launches}"
            )
        else:
            print("  task-spooler is not installed")
    return broken


def kept_by_task_spooler(tsp, root, launches):
    """How many of so many jobs task-spooler runs after the same treatment."""
    lines, gate, name = root / "spooled", root / "spooler.gate", str(root / "tsp.socket")
    environment = {**os.environ, "TS_SOCKET": name, "TMPDIR": str(root)}

    def call(*words):
        done = subprocess.run((tsp, *words), env=environment, check=True, capture_output=True)
        return done.stdout.decode()

    call("-S", "1")
    mark = f"TS_SOCKET={name}".encode()
    servers = [pid for pid in pids() if mark in environment_of(pid) and "tsp" in command_line(pid)]
    call("sh", "-c", f"while ! [ -e {gate} ]; do sleep 0.05; done")
    for _ in range(launches):
        call("sh", "-c", f"echo x >> {lines}")
    for pid in servers:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(f"/proc/{pid}" for pid in servers if Path(f"/proc/{pid}/exe").exists()))
    Path(name).unlink(missing_ok=True)
    call("-S", "1")
    gate.touch()
    call("sh", "-c", "true")
    call("-w")
    call("-K")
    until(lambda: not any(mark in environment_of(pid) for pid in pids()))
    return lines.read_bytes().count(b"x") if lines.exists() else 0


SQLITE_KEEPS = 6
"""Descriptors of closed connections: SQLite holds them while another connection of the process has
the file locked, and uses them again (``setPendingFd`` in its os_unix.c)."""


def memory(chance, runs=10_000, every=1000):
    """Agent memory, descriptors and threads over 10,000 runs."""
    with arena("memory", chance, (Limit("two", 2),)) as field:
        agent = field.start_agent()
        seen = []
        with Launch(field.home) as launch:
            request = in_place(field, ("/bin/true",), "two")
            # The last thread that an agent starts has come when it has looked at the disk.
            until((field.home / "disk.json").exists, 60)
            print(f"  {'runs':>6} {'RSS MB':>7} {'descriptors':>11} {'threads':>7}")
            for done in range(every, runs + 1, every):
                launch.launch_many([request] * every)
                until(field.all_ended, 600)
                # Between two runs: the same moment each time.
                time.sleep(0.3)
                seen.append(size_of(agent.pid))
                print(f"  {done:>6} {seen[-1][0]:>7.1f} {seen[-1][1]:>11} {seen[-1][2]:>7}",
                      flush=True)  # fmt: skip
            states = Counter(row["state"] for row in field.rows().values())
        broken = [] if states == {"finished": runs} else [f"not all finished: {states}"]
        half = max(len(seen) // 2, 2)
        early, late = (statistics.mean(s[0] for s in part) for part in (seen[1:half], seen[half:]))
        if late > early * 1.05 + 1:
            broken.append(f"memory grows: {early:.1f} MB, then {late:.1f} MB")
        if seen[-1][1] > seen[0][1] + SQLITE_KEEPS or seen[-1][2] > seen[0][2]:
            broken.append(f"descriptors or threads grow: {seen[0][1:]}, then {seen[-1][1:]}")
    return broken


def in_place(field, command, queue):
    return LaunchRequest(in_place=str(field.root), entry_point=list(command), queue=queue)


def size_of(pid):
    """Resident megabytes, open descriptors and threads of a process."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return (
        int(status["VmRSS"].split()[0]) / 1024,
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        int(status["Threads"]),
    )


def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.02)


FIGURES = {
    "acknowledged": acknowledged_launches,
    "agents": starts_and_outcomes,
    "supervisors": supervisors,
    "peers": peers,
    "memory": memory,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
