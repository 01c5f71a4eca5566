"""Every file of a real data directory is deleted, cut off and has a byte flipped, one at a time.

After ``fsck --repair`` nothing is wrong any more, and whatever is not named as lost is as it was.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3

import pytest

from launch_tui import faults
from launch_tui.care import run_record
from launch_tui.care.fsck import check, repair
from launch_tui.store import second_copy
from launch_tui.store.database import Database
from launch_tui.store.paths import Home
from launch_tui.store.series import SeriesReader
from tests.faults.world import LINES, World, wait_until

CACHES = ("repos/", "envs/", "images/", "artifacts/cache/", "damaged/")
"""What is made again when it is needed."""
MOST_AGENTS = 10
NOTES = {
    "agent.lock", "agent-settings.json", "artifacts/lock", "devices.json", "host.jsonl",
    "disk.json", "keep.lock", "launch.db-shm", "launch.db-wal", "migrate.lock",
}  # fmt: skip
"""What describes the moment, or only holds a lock."""
ENVIRONMENT_FILES = 6
SEED = 20261128


def wreck_deleted(path, chance):
    path.unlink()


def wreck_cut_off(path, chance):
    os.chmod(path, path.stat().st_mode | 0o200)
    os.truncate(path, path.stat().st_size // 2)


def wreck_flipped(path, chance):
    os.chmod(path, path.stat().st_mode | 0o200)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


WRECKS = (wreck_deleted, wreck_cut_off, wreck_flipped)


class Store:
    """A data directory that can be brought back to what it was."""

    def __init__(self, world):
        self.world = world
        self.home = Home(world.home)
        self.kept = {
            path.relative_to(world.home): (path.read_bytes(), path.stat().st_mode)
            for path in sorted(world.home.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        self.links = {
            path: os.readlink(path) for path in world.home.rglob("*") if path.is_symlink()
        }
        self.folders = {path for path in world.home.rglob("*") if path.is_dir()}
        self.rows = self.select()

    def bring_back(self):
        for path in sorted(self.home.root.rglob("*"), reverse=True):
            known = path.is_symlink() or path.relative_to(self.home.root) in self.kept
            if path.is_file() and not known:
                path.unlink()
            elif path.is_dir() and path not in self.folders:
                shutil.rmtree(path)
        for relative, (data, mode) in self.kept.items():
            path = self.home.root / relative
            if not path.exists() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                path.write_bytes(data)
            os.chmod(path, mode)
        for path, target in self.links.items():
            if not path.is_symlink():
                path.symlink_to(target)

    def select(self):
        """All rows of all tables, but for what fsck writes down."""
        db = sqlite3.connect(f"{self.home.store.as_uri()}?mode=ro", uri=True)
        try:
            tables = [
                name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            rows = {
                name: db.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
                for name in tables
                if name != "sqlite_sequence"
            }
            rows["events"] = [row for row in rows["events"] if "fsck" not in row]
            return rows
        finally:
            db.close()

    def files(self):
        """What is damaged by the tests: everything, of an environment some."""
        chance = random.Random(SEED)
        inside = [p for p in self.kept if p.parts[0] == "envs" and len(p.parts) > 3]
        some = set(chance.sample(inside, min(ENVIRONMENT_FILES, len(inside))))
        return [p for p in self.kept if p not in inside or p in some]

    def comes_again(self, relative):
        """Whether a file is one of a working copy that an artifact or a repository has as well."""
        if relative.parts[0] != "runs" or len(relative.parts) < 4:
            return False
        record = run_record.read(self.home, relative.parts[1])
        return "/".join(relative.parts[2:]) in record["again"]

    def require_as_it_was(self, spoilt, mended):
        """Whatever is not named as lost is as it was before."""
        lost = {finding.place for finding, what in mended if what}
        assert self.select() == self.rows
        for relative, (data, _) in self.kept.items():
            name = str(relative)
            if name in lost or name in NOTES or name.startswith(CACHES):
                continue
            if name in ("launch.db", "launch.db.copy"):
                continue
            path = self.home.root / relative
            if relative.name == "record.json" or (relative == spoilt and name.endswith(".db")):
                continue
            if not path.exists() and relative == spoilt and self.comes_again(relative):
                continue
            assert path.exists(), f"{name} is gone, after {spoilt} was"
            assert path.read_bytes() == data, f"{name} is changed, after {spoilt} was"
        assert second_copy.compare(self.home).store_wrong == ()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("damage"))
    world.queue("loose", "--max-running", "3")
    words = ("-q", "default", "--setenv", f"MARKS={world.marks}")
    code = world.launch("-u", str(world.folder), "-E", "python job.py", *words)
    git = world.launch("-u", world.repository.as_uri(), "-E", "python job.py", *words)
    failed = world.launch_here("loose", "python3", "-c", "print('no'); raise SystemExit(3)")
    agent = world.start_agent()
    wait_until(world.all_ended, "all ended")
    wait_until((world.home / "disk.json").exists, "the agent looked at the disk")
    world.cli("agent", "stop")
    agent.wait(timeout=30)
    queued = world.launch("-u", str(world.folder), "-E", "python job.py", *words)
    world.cli("tag", code, "kept")
    assert [world.rows()[each]["state"] for each in (code, git, failed, queued)] == [
        "finished", "finished", "failed", "queued",
    ]  # fmt: skip
    made = Store(world)
    assert not check(made.home).found
    yield made
    world.close()


@pytest.fixture
def whole(store):
    yield store
    store.bring_back()


def test_the_data_directory_is_as_it_should_be(whole):
    done = whole.world.cli("fsck", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["clean"] is True


@pytest.mark.timeout(600)
@pytest.mark.parametrize("wreck", WRECKS)
def test_every_file_is_put_back_or_named(whole, wreck):
    chance = random.Random(SEED)
    seen = []
    for relative in whole.files():
        path = whole.home.root / relative
        if not whole.kept[relative][0] and wreck is not wreck_deleted:
            continue
        wreck(path, chance)
        mended = repair(whole.home).mended
        left = check(whole.home).found
        assert not left, f"{relative}: {left}"
        whole.require_as_it_was(relative, mended)
        whole.bring_back()
        seen.append((str(relative), [(each.place, lost) for each, lost in mended]))
    assert not check(whole.home).found
    # What the loop above rests on: of each kind of file it has met one, and it found the damage.
    told = dict(seen)
    for part in (
        "artifacts/blobs/",
        "artifacts/manifests/",
        "runs/",
        "repos/",
        "envs/",
        "launch.db",
    ):
        assert any(mended for name, mended in told.items() if name.startswith(part)), part


@pytest.mark.parametrize("wreck", WRECKS)
def test_the_command_line_says_what_is_wrong_and_puts_it_right(whole, wreck):
    chance = random.Random(SEED)
    wreck(whole.home.store, chance)
    found = whole.world.cli("fsck")
    assert found.returncode == 1
    assert b"launch.db" in found.stdout
    assert b"Traceback" not in found.stderr
    done = whole.world.cli("fsck", "--repair", "--json")
    assert done.returncode == 1
    mended = json.loads(done.stdout)["mended"]
    assert [(each["place"], each["lost"]) for each in mended] == [("launch.db", "")]
    assert whole.world.cli("fsck").returncode == 0
    assert whole.select() == whole.rows


def test_a_damaged_store_is_refused_with_one_line_by_everything_else(whole):
    wreck_cut_off(whole.home.store, None)
    for words in (("runs",), ("launch", "-q", "loose", "--", "true"), ("--agent-only",)):
        done = whole.world.cli(*words)
        assert done.returncode == 1
        assert b"launch-tui fsck" in done.stderr
        assert len(done.stderr.decode().strip().splitlines()) == 1
    whole.home.store.unlink()
    done = whole.world.cli("queue", "create", "other", "-r", "local-process")
    assert done.returncode == 1
    assert b"fsck --repair" in done.stderr
    assert not whole.home.store.exists()


def test_without_any_copy_what_is_in_the_directories_of_runs_comes_back(whole):
    second_copy.copy_path(whole.home).unlink()
    whole.home.store.unlink()
    done = whole.world.cli("fsck", "--repair", "--json")
    told = json.loads(done.stdout)
    assert "never began" in told["mended"][0]["lost"]
    ended = [row for row in whole.rows["runs"] if "queued" not in row]
    with Database(whole.home, read_only=True) as db:
        back = [row[0] for row in db.all("SELECT id FROM runs ORDER BY seq")]
        jobs = db.one("SELECT count(*) FROM job_versions")[0]
    assert back == [row[1] for row in ended]
    assert jobs == 2
    assert whole.world.cli("fsck").returncode == 0


def test_without_any_copy_a_damaged_page_costs_the_rows_on_it(whole):
    with Database(whole.home) as db, db.transaction():
        for number in range(400):
            db.execute("INSERT INTO drafts VALUES (?, ?, '')", (f"d{number:03}", "x" * 900))
            db.execute(
                "INSERT INTO events (at, actor, message) VALUES ('', 'test', ?)", (f"m{number}",)
            )
    before = whole.select()
    second_copy.copy_path(whole.home).unlink()
    data = bytearray(whole.home.store.read_bytes())
    pages = [
        n
        for n in range(len(data) // 4096)
        if data[n * 4096] == 13 and b"testm2" in data[n * 4096 : (n + 1) * 4096]
    ]
    assert pages
    data[pages[0] * 4096 : pages[0] * 4096 + 200] = b"\xff" * 200
    whole.home.store.write_bytes(data)
    done = whole.world.cli("fsck", "--repair", "--json")
    told = json.loads(done.stdout)
    assert "rows of events" in told["mended"][0]["lost"], told
    after = whole.select()
    assert after["runs"] == before["runs"]
    assert after["drafts"] == before["drafts"]
    assert 0 < len(after["events"]) < len(before["events"])
    assert whole.world.cli("fsck").returncode == 0


def test_nothing_is_repaired_while_an_agent_is_at_work(whole):
    agent = whole.world.start_agent()
    wait_until(lambda: whole.world.agent_is_active(agent), "an agent")
    done = whole.world.cli("fsck", "--repair")
    assert done.returncode == 1
    assert b"agent stop" in done.stderr
    whole.world.cli("agent", "stop")
    agent.wait(timeout=30)


def test_metrics_are_read_again_from_what_wandb_wrote(whole):
    (metrics,) = [p for p in whole.kept if p.name == "metrics.db"][:1]
    path = whole.home.root / metrics
    wreck_cut_off(path, None)
    done = whole.world.cli("fsck", "--repair", "--json")
    assert [each["lost"] for each in json.loads(done.stdout)["mended"]] == [""]
    with SeriesReader(path) as reader:
        assert len(reader.points("loss")) == LINES


def test_a_job_that_runs_and_that_the_store_does_not_know_is_adopted(whole):
    world = whole.world
    gate = world.root / "gate"
    gate.unlink(missing_ok=True)
    run = world.probe("loose", gate=str(gate))
    agent = world.start_agent()
    world.wait_for_state(run, "running")
    agent.kill()
    agent.wait()
    with Database(whole.home) as db, db.transaction():
        db.execute("DELETE FROM events WHERE run_id = ?", (run,))
        db.execute("DELETE FROM runs WHERE id = ?", (run,))
    found = json.loads(world.cli("fsck", "--json").stdout)["found"]
    assert [(each["run"], each["cause"]) for each in found] == [
        (run, "a job runs here that the store does not know")
    ]
    world.cli("fsck", "--repair")
    assert world.cli("fsck").returncode == 0
    agent = world.start_agent()
    gate.touch()
    world.wait_for_state(run, "finished")
    assert len(world.ran(run)) == 1
    world.cli("agent", "stop")
    agent.wait(timeout=30)


def test_a_run_that_was_half_deleted_does_not_come_back(whole):
    run = next(row[1] for row in whole.rows["runs"] if "failed" in row)
    (whole.home.run(run) / "deleted").touch()
    assert whole.world.cli("fsck").returncode == 0
    with Database(whole.home) as db:
        db.execute("DELETE FROM runs WHERE id = ?", (run,))
    done = whole.world.cli("fsck", "--repair", "--json")
    assert "was deleted" in json.loads(done.stdout)["mended"][0]["cause"]
    assert not whole.home.run(run).exists()
    assert run not in whole.world.rows()


def test_a_row_that_cannot_be_read_costs_its_run_alone(whole):
    (queued,) = [row[1] for row in whole.rows["runs"] if "queued" in row]
    run = next(row[1] for row in whole.rows["runs"] if "finished" in row)
    before = json.loads(whole.world.cli("show", run, "--json").stdout)
    other = whole.world.launch_here("loose", "true")
    with Database(whole.home) as db:
        db.execute("UPDATE runs SET spec = '{\"kind' WHERE id IN (?, ?)", (queued, run))
        db.execute("UPDATE runs SET summary = '{' WHERE id = ?", (run,))
    done = whole.world.cli("runs", "--json")
    assert done.returncode == 0, done.stderr
    shown = {each["id"]: each for each in json.loads(done.stdout)}
    assert shown[run]["state"] == "lost"
    assert "damaged" in shown[run]["cause"]
    agent = whole.world.start_agent()
    whole.world.wait_for_state(other, "finished")
    whole.world.wait_for_state(queued, "failed")
    whole.world.cli("agent", "stop")
    agent.wait(timeout=30)
    told = json.loads(whole.world.cli("fsck", "--repair", "--json").stdout)["mended"]
    assert {(each["run"], each["lost"]) for each in told} >= {
        (run, ""), (queued, f"spec of run {queued}"),
    }  # fmt: skip
    assert json.loads(whole.world.cli("show", run, "--json").stdout) == before


def test_damaged_code_is_never_run(whole):
    blobs = [p for p in whole.kept if p.parts[:2] == ("artifacts", "blobs")]
    for relative in blobs:
        wreck_flipped(whole.home.root / relative, random.Random(SEED))
    (queued,) = [row[1] for row in whole.rows["runs"] if "queued" in row]
    before = whole.world.started(queued)
    agent = whole.world.start_agent()
    whole.world.wait_for_state(queued, "failed")
    whole.world.cli("agent", "stop")
    agent.wait(timeout=30)
    row = whole.world.rows()[queued]
    assert row["phase"] == "source"
    assert "damaged in the artifact store" in row["cause"]
    assert "fsck --repair" in row["next_step"]
    assert whole.world.started(queued) == before


@pytest.mark.parametrize("wreck", WRECKS)
def test_what_a_killed_agent_left_in_the_log_is_kept_or_named(whole, wreck):
    log = whole.home.root / "launch.db-wal"
    launched = []
    for _ in range(MOST_AGENTS):
        agent = whole.world.start_agent()
        wait_until(lambda: whole.world.agent_is_active(agent), "an agent")  # noqa: B023
        launched += [whole.world.launch_here("loose", "sleep", "0") for _ in range(3)]
        wait_until(whole.world.all_ended, "all ended")
        agent.kill()
        agent.wait()
        # One that was idle for a moment has moved its log into the store already.
        if log.stat().st_size:
            break
    assert log.stat().st_size
    wreck(log, random.Random(SEED))
    found = whole.world.cli("fsck", "--json")
    assert found.returncode == 1
    (told,) = [f for f in json.loads(found.stdout)["found"] if f["place"] == "launch.db-wal"]
    assert "last" in told["lost"]
    whole.world.cli("fsck", "--repair")
    assert whole.world.cli("fsck").returncode == 0
    # What the log has lost of these, their own directories tell.
    assert set(launched) <= set(whole.world.rows())


@pytest.mark.parametrize("point", sorted(p for p in faults.POINTS if p.startswith("seal.")))
def test_who_dies_while_pages_move_loses_nothing(whole, point):
    with Database(whole.home) as db:
        before = db.one("SELECT count(*) FROM runs")[0]
    done = whole.world.cli("launch", "-q", "loose", "--in-place", "--", "true", fault=point)
    assert done.returncode == -9
    assert whole.world.cli("fsck").returncode == 0
    assert whole.world.cli("fsck", "--repair").returncode == 0
    assert len(whole.world.rows()) == before + 1


@pytest.mark.parametrize("point", sorted(p for p in faults.POINTS if p.startswith("mend.")))
def test_who_dies_while_repairing_leaves_what_can_be_repaired(whole, point):
    if point in ("mend.new_store", "mend.moved_aside"):
        second_copy.copy_path(whole.home).unlink()
        data = bytearray(whole.home.store.read_bytes())
        data[4096:4160] = b"\xff" * 64
        whole.home.store.write_bytes(data)
    else:
        wreck_cut_off(whole.home.store, None)
    done = whole.world.cli("fsck", "--repair", fault=point)
    assert done.returncode == -9
    whole.world.cli("fsck", "--repair")
    assert whole.world.cli("fsck").returncode == 0
    rows = whole.select()
    lost = {row[1] for row in whole.rows["runs"]} - {row[1] for row in rows["runs"]}
    assert not lost or point in ("mend.new_store", "mend.moved_aside")
