"""What is fuzzed: functions that take any bytes, and may only end well or with an error of ours.

Each states what must hold as well: nothing that acts on a terminal is left in what is shown, no
reader goes back or stands still, what was written is read back. They need nothing but the package,
so that the tests run all of them over known inputs (``tests/fuzz``), with or without atheris.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import os
import re
import shutil
import struct
import tarfile
import tempfile
import zlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from launch_tui.agent.config import config_of
from launch_tui.agent.env_file import parse_env_text
from launch_tui.care import fsck_runs, run_record
from launch_tui.care.archive import HEADER, MANIFEST, Header
from launch_tui.care.unpack import unpack
from launch_tui.cli.documents import is_text, parse_document
from launch_tui.cli.launch_spec import read_config
from launch_tui.domain import begin, dependency, quantities, resource_config, template, text, words
from launch_tui.domain.document import check_plain, read_document
from launch_tui.domain.filter import Filter
from launch_tui.domain.image import parse_image
from launch_tui.domain.inputs import check_config, infer_inputs, merge_schemas
from launch_tui.domain.last_words import last_words
from launch_tui.domain.macros import expand
from launch_tui.domain.managed_files import (
    check_files,
    config_of_overrides,
    join_files,
    split_files,
    split_key,
    written_key,
)
from launch_tui.domain.params import parse_params, product
from launch_tui.domain.patterns import BadPattern, compiled, literal
from launch_tui.domain.wandb_job import read_wandb_job
from launch_tui.errors import LaunchError, UsageError
from launch_tui.sources.entry_point import resolve_entry_point
from launch_tui.sources.git_url import check_ref, check_subdirectory, check_url
from launch_tui.sources.ignore import IgnoreFile
from launch_tui.store.accounts import put_record
from launch_tui.store.database import Database
from launch_tui.store.log_folds import Folds
from launch_tui.store.log_search import LineSearch
from launch_tui.store.logs import BlockIndex
from launch_tui.store.paths import Home
from launch_tui.targets.schemas import schema_of
from launch_tui.tracking.decoding import Decoder
from launch_tui.tracking.observed import Observed
from launch_tui.tracking.protobuf import Malformed
from launch_tui.tracking.wandb_file import BLOCK, MAGIC, WandbFile
from launch_tui.tui.widgets.ansi import painted, without_colours

_SGR = re.compile(r"\x1b\[[0-9;:]{0,64}m")
_ACTS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FILE = Path(tempfile.mkdtemp(prefix="launch-tui-fuzz-"), "input")
atexit.register(shutil.rmtree, _FILE.parent, ignore_errors=True)
_RUN = "abcd1234"
_NOW = datetime(2030, 1, 31, 8, 0, tzinfo=UTC)


def wandb_file(data: bytes) -> None:
    """The reader of ``.wandb`` files: it always gets to the end, in bounded steps, and resumes."""
    whole = _read_wandb(MAGIC + data)
    assert whole == _read_wandb(MAGIC + data, resumed=True)


def wandb_records(data: bytes) -> None:
    """The same with whole frames, so that what is fuzzed is what the records hold."""
    frames = bytearray(MAGIC)
    for record in data.split(b"\n\n"):
        part = record[: BLOCK - len(frames) % BLOCK - 8]
        if len(part) < len(record) or BLOCK - len(frames) % BLOCK < 8:
            break
        frames += struct.pack("<IHB", zlib.crc32(b"\x01" + part), len(part), 1) + part
    _read_wandb(bytes(frames))


def wandb_decoder(data: bytes) -> None:
    """Protobuf, decoded and kept: what is known of a run can be stored and shown."""
    seen = Observed()
    try:
        record = Decoder().decode(data)
    except Malformed:
        return
    if record is not None:
        seen.take("x", [record])
        kept = json.loads(json.dumps(seen.state()))
        Observed.restored(kept)
        seen.config_now()
        seen.summary_now()


def log_index(data: bytes) -> None:
    """The index of a log that grows: it counts what is there, and finds every line."""
    lines = data.split(b"\n")
    count = len(lines) - (not lines[-1])
    _FILE.write_bytes(data[: len(data) // 2])
    index = BlockIndex(_FILE)
    index.advance()
    _FILE.write_bytes(data)
    while not index.complete or index.size < len(data):
        assert index.advance(1 << 12)
    assert index.line_count == count
    assert index.read(0, count) == [line[: 64 << 10] for line in lines[:count]] or (
        max(map(len, lines)) > 64 << 10
    )
    assert len(index.tail(7)) == min(7, count)
    wanted = data[:2].decode("ascii", "replace").strip() or "x"
    search = LineSearch(index, re.escape(wanted))
    for _ in range(len(data) // 1024 + 16):
        if not search.behind:
            break
        search.advance(1 << 12)
    assert not search.behind
    search.close()
    index.close()


def log_renderer(data: bytes) -> None:
    """A line of a log as it is drawn: colours, and nothing else that a terminal would obey."""
    line = text.log_line(data)
    assert not _ACTS.search(_SGR.sub("", line).replace("\t", " "))
    drawn = painted(line, _plain_style(), 200)
    assert sum(len(segment.text) for segment in drawn) <= 200
    assert not any("\x1b" in segment.text for segment in drawn)
    without_colours(line)
    shown = text.printable(data.decode("utf-8", "surrogateescape"))
    assert not _ACTS.search(shown)
    stream = text.SafeStream()
    cut = data[0] % 7 + 1 if data else 1
    out = "".join(stream.feed(data[at : at + cut]) for at in range(0, len(data), cut))
    out += stream.feed(b"", final=True)
    assert "\x1b]" not in out
    assert "\x1b" not in _SGR.sub("", out)
    last_words(data.decode("utf-8", "replace"))


def templates(data: bytes) -> None:
    """Holes, their declarations and values: what is filled has no hole and the right types."""
    parts = _texts(data, 3)
    variables = template.check_declarations(_object(parts[0]))
    config = _object(parts[1])
    template.check_template(config, variables)
    filled = template.fill(config, variables, _object(parts[2]))
    assert not any(template.has_hole(value) for value in filled.values())


def macros(data: bytes) -> None:
    """Macros are replaced once, and never within what replaced them."""
    first, second = _texts(data, 2)
    expand({"a": [first, {"b": second}]}, {"run_id": "${run_id}", "project_name": second})


def filters(data: bytes) -> None:
    """The language of ``runs --filter``."""
    (given,) = _texts(data, 1)
    Filter(given[:2000])


def params(data: bytes) -> None:
    """``--param``: at most as many runs as are allowed."""
    (given,) = _texts(data, 1)
    assert len(product(parse_params(given.split("\n")))) <= 10_000


def assignments(data: bytes) -> None:
    """``key=value`` words, dotted or not; a value that is written reads back as it was."""
    (given,) = _texts(data, 1)
    config = words.parse_assignments(given.split("\n"))
    words.merge(config, config)
    for value in config.values():
        if value == value and is_text(value):
            written = words.write_value(value)
            assert repr(words.parse_value(written)) == repr(value) or "nan" in repr(value)


def documents(data: bytes) -> None:
    """YAML and JSON of queues, launches and agents: plain values come out, of bounded size."""
    (given,) = _texts(data, 1)
    document = f"{given}\n\n"
    try:
        check_plain(read_document(document, "-c"), "-c")
    except UsageError:
        pass
    json.dumps(parse_document(document, where="the text", field="-c"))
    read_config(document)


def resource_configs(data: bytes) -> None:
    """Resource configurations of both targets, as an owner and as a launch gives them."""
    (given,) = _texts(data, 1)
    values = read_document(f"{given}\n\n", "-R")
    for resource in ("local-process", "local-container"):
        for owner in (True, False):
            try:
                checked = resource_config.check(
                    schema_of(resource_config.parse_resource(resource)),
                    values,
                    owner=owner,
                    field="-R",
                    holes_allowed=owner,
                )
                resource_config.shown(checked)
            except LaunchError:
                pass


def agent_configs(data: bytes) -> None:
    """Settings of an agent."""
    (given,) = _texts(data, 1)
    config_of(read_document(f"{given}\n\n", "agent.yaml"), Path("agent.yaml")).described()


def schemas(data: bytes) -> None:
    """What is learnt of a job's inputs, and a configuration checked against it."""
    one, other = (_object(part) for part in _texts(data, 2))
    check_config(merge_schemas(infer_inputs(one), infer_inputs(other)), other)


def git_urls(data: bytes) -> None:
    """URLs, refs and folders of repositories: what is taken begins with nothing that git obeys."""
    url, ref, folder = _texts(data, 3)
    for check, given in ((check_url, url), (check_ref, ref), (check_subdirectory, folder)):
        try:
            taken = check(given)
        except UsageError:
            continue
        assert not taken.startswith("-")
        assert not re.search(r"[\x00-\x1f\x7f]", taken)
        assert not re.match(r"(ext|fd|file\+|http|git)::?", taken) or check is not check_url


def image_names(data: bytes) -> None:
    """References of images: what is taken reads back as itself."""
    (given,) = _texts(data, 1)
    taken = str(parse_image(given, field="-d"))
    assert str(parse_image(taken, field="-d")) == taken


def entry_points(data: bytes) -> None:
    """Commands: words that a process can be started with."""
    (given,) = _texts(data, 1)
    assert resolve_entry_point(given, lambda _: True)


def quantities_and_times(data: bytes) -> None:
    """Sizes, durations, times, and runs to wait for."""
    (given,) = _texts(data, 1)
    for read in (
        lambda: quantities.parse_size(given),
        lambda: quantities.parse_duration(given),
        lambda: begin.parse_begin(given, now=_NOW),
        lambda: dependency.parse_dependency(given),
    ):
        try:
            read()
        except UsageError:
            pass


def env_files(data: bytes) -> None:
    """Files of variables."""
    try:
        found = parse_env_text(data.decode("utf-8", "replace"))
    except ValueError as error:
        assert str(error).startswith("line ")
        return
    assert not any("\0" in value for value in found.values())


def ignore_files(data: bytes) -> None:
    """``.gitignore`` and ``.launchignore``, and paths looked up in them."""
    rules, _, path = data.partition(b"\n\n")
    found = IgnoreFile(rules[:4000])
    found.verdict(path[:400], False)
    found.verdict(path[:400], True)


def backup_archives(data: bytes) -> None:
    """Backups: bytes as they come, or members that anybody put together under a right header."""
    archive = data[1:] if data[:1] != b"m" else _archive_of(data[1:].split(b"\xff\xff"))
    with tempfile.TemporaryDirectory(dir=_FILE.parent) as folder:
        into = Path(folder, "into")
        into.mkdir()
        try:
            unpack(io.BytesIO(archive), into)
        finally:
            assert [path.name for path in Path(folder).iterdir()] == ["into"]
            for path in into.rglob("*"):
                if path.is_symlink():
                    run = into / "runs" / path.relative_to(into).parts[1]
                    assert Path(os.path.normpath(path.parent / path.readlink())).is_relative_to(run)


def run_records(data: bytes) -> None:
    """``record.json`` of a run, with a right digest: what is taken goes into the store, no more."""
    home, db = _store()
    folder = home.run(_RUN)
    (folder / run_record.NAME).write_bytes(
        data + b"\n" + hashlib.sha256(data).hexdigest().encode() + b"\n"
    )
    record = run_record.read(home, _RUN)
    if record is None:
        return
    put_record(db, record)
    try:
        for finding in fsck_runs.findings(home, agent=False):
            assert str(finding.place).startswith(("runs/", "launch.db"))
        assert all((folder / path).is_relative_to(folder) for path in record["files"])
        assert not any(".." in path.split("/") for path in (*record["files"], *record["kept"]))
    finally:
        for table in ("events", "dependencies", "runs", "job_versions", "jobs"):
            db.execute(f"DELETE FROM {table}")
        db.execute("DELETE FROM queues WHERE name <> 'default'")


def wandb_jobs(data: bytes) -> None:
    """``wandb-job.json``: nothing that is taken of it leads out of the job, and it can be kept."""
    job = read_wandb_job(_object(data.decode("utf-8", "replace")))
    json.dumps(job.inputs)
    assert not job.dockerfile.startswith("/")
    assert ".." not in job.dockerfile.split("/") + job.build_context.split("/")
    assert all("\0" not in word for word in job.entry_point)
    check_config(job.inputs, {"a": 1})


def file_words(data: bytes) -> None:
    """``FILE:key=value`` words: a key reads back, and files are told from other keys and back."""
    key, rest = _texts(data, 2)
    parts = split_key(key)
    if all(parts):
        assert split_key(written_key(parts)) == parts
    config = words.parse_assignments([f"{key}={rest}", *rest.split("\n")][: 1 + data.count(b"=")])
    own, files = split_files(config)
    assert join_files(own, files) == config
    check_files(config)
    assert not any(path.startswith("/") or ".." in path.split("/") for path in files)
    assert config_of_overrides({"run_config": own, "files": files}, field="-c") == config


def log_folds(data: bytes) -> None:
    """The bars of a log that grows: folds are in order, and as if it had been read whole."""
    _FILE.write_bytes(data)
    whole = _folded(BlockIndex(_FILE), [len(data)], data)
    steps = [len(data) * at // 5 for at in range(1, 6)]
    assert _folded(BlockIndex(_FILE), steps, data) == whole
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    end = 0
    for first, taken, rows in whole:
        assert first >= end
        assert taken > 0
        assert len(rows) <= 200
        end = first + taken
    assert end <= lines


def patterns(data: bytes) -> None:
    """Expressions that a person types: each is refused, or answers soon and within the text."""
    typed, _, searched = data.partition(b"\xff")
    for pattern, within in (
        (typed, searched),
        (typed.decode("utf-8", "replace"), searched.decode("utf-8", "replace")),
        (typed.decode("utf-8", "surrogateescape"), searched.decode("utf-8", "surrogateescape")),
    ):
        for ignore_case in (False, True):
            try:
                made = compiled(pattern, ignore_case=ignore_case)
            except BadPattern as error:
                assert str(error)
                continue
            before = -1
            for found in made.finditer(within):
                begin, end = found.span()
                assert 0 <= begin <= end <= len(within)
                assert begin >= before
                before = begin
            first = made.search(within)
            assert (first is not None) == (before >= 0)
            assert literal(pattern).search(pattern)


TARGETS = {
    one.__name__: one
    for one in (
        wandb_file, wandb_records, wandb_decoder, log_index, log_renderer, templates, macros,
        filters, params, assignments, documents, resource_configs, agent_configs, schemas,
        git_urls, image_names, entry_points, quantities_and_times, env_files, ignore_files,
        backup_archives, run_records, wandb_jobs, file_words, log_folds, patterns,
    )
}  # fmt: skip


def run(name: str, data: bytes) -> None:
    """Run one target over one input; an error of ours is an answer like any other."""
    try:
        TARGETS[name](data)
    except LaunchError as error:
        assert str(error)


def _archive_of(parts: list[bytes]) -> bytes:
    """Return an archive: of each part a letter says what it is, then a name and a content."""
    out = io.BytesIO()
    header = Header(
        format=1, taken_at="", program="", schema=1, host="", home="", runs=1, files=9, size=9
    )
    listed = [{"path": HEADER, **_digested(header.encoded())}]
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, HEADER, header.encoded())
        manifest = b""
        for part in parts:
            name, _, content = part[1:].partition(b"\n")
            path, kind = name.decode("utf-8", "surrogateescape"), part[:1]
            if kind == b"M":
                manifest += content
            elif kind == b"l":
                target = content.decode("utf-8", "surrogateescape")
                _add(tar, path, b"", tarfile.SYMTYPE, target)
                listed.append({"path": path, "link": target})
            elif kind in (b"1", b"5", b"6", b"7"):
                _add(tar, path, content, kind, "launch.db")
            else:
                _add(tar, path, content)
                listed.append({"path": path, **_digested(content)})
        lines = [json.dumps(line).encode() for line in (*listed, {"members": len(listed)})]
        _add(tar, MANIFEST, manifest or b"\n".join(lines) + b"\n")
    return out.getvalue()


def _add(
    tar: tarfile.TarFile, path: str, data: bytes, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    info = tarfile.TarInfo(path)
    info.type, info.linkname = kind, link
    info.size = len(data) if kind in (tarfile.REGTYPE, b"7") else 0
    tar.addfile(info, io.BytesIO(data))


def _digested(data: bytes) -> dict[str, object]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@cache
def _store() -> tuple[Home, Database]:
    """Return a data directory with an empty store and the directory of one run."""
    home = Home(_FILE.parent / "home")
    home.root.mkdir(mode=0o700)
    home.run(_RUN).mkdir(parents=True)
    db = Database(home)
    return home, db


def _folded(
    index: BlockIndex, sizes: list[int], data: bytes
) -> list[tuple[int, int, list[tuple[int, int]]]]:
    """Return the folds of a log that was looked at when it had each of these sizes."""
    folds = Folds(index)
    for size in sizes:
        _FILE.write_bytes(data[:size])
        while index.advance():
            pass
        for _ in range(len(data) // 64 + 16):
            if not folds.behind:
                break
            folds.advance()
        assert not folds.behind
    index.close()
    return [(one.first, one.taken, one.rows) for one in [*folds.settled, *folds.live]]


def _plain_style() -> object:
    from rich.style import Style

    return Style.null()


def _texts(data: bytes, count: int) -> list[str]:
    """Return so many texts: what stands between bytes that no UTF-8 has."""
    parts = data.split(b"\xff", count - 1)
    return [part.decode("utf-8", "replace") for part in (*parts, *[b""] * count)][:count]


def _object(given: str) -> dict[str, object]:
    return read_document(f"{given}\n\n", "-c")


def _read_wandb(data: bytes, *, resumed: bool = False) -> list[object]:
    _FILE.write_bytes(data)
    reader = WandbFile(_FILE)
    records: list[object] = []
    seen = Observed()
    for _ in range(len(data) // BLOCK + 2):
        before = reader.offset
        found = reader.read(2 * BLOCK)
        assert reader.offset >= before
        records += found
        seen.take("x", found)
        if not reader.more:
            break
        if resumed:
            reader = WandbFile(_FILE, offset=reader.offset, skipped=reader.skipped)
    assert not reader.more
    json.dumps(seen.state())
    return [repr(record) for record in records]
