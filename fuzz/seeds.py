"""Where each fuzzer begins: small inputs that reach what it is about."""

from __future__ import annotations

import json

from tests.tracking import encoding

_RECORDS = [
    encoding.header("0.31.0"),
    encoding.run(config={("lr",): 0.1, ("a", "b"): [1, {"c": None}]}, name="n", tags=("t",)),
    encoding.history(3, {("loss",): 0.5, ("_step",): 3, ("media", "_type"): "image-file"}),
    encoding.history(0, {"a.b": float("inf"), "c": {"d": [1]}}),
    encoding.summary({("loss",): 1}, removed=[("x",)]),
    encoding.config({("x", "y"): "z"}, removed=[("lr",)]),
    encoding.stats(1_700_000_000, {"cpu": 3.5}),
    encoding.exit_record(1),
]
_YAML = b"a: &a [1, 2]\nb: {<<: {c: 1}, d: *a}\ne: 1e-3\nf: !!float 1\n"
_VARIABLES = {"g": {"schema": {"type": "integer", "minimum": 1, "maximum": 4, "default": 2}}}
_LOG = b"\x1b[31mred\x1b[0m\r\n 10%\r 20%\r\n\x1b]0;title\x07\xff\xfe\n\x1b[38;2;1;2;3mx\x08\x08y\n"
_TRACE = b'Traceback (most recent call last):\n  File "a", line 1\nValueError: x\n'


def _json(*values: object) -> bytes:
    return b"\xff".join(json.dumps(value).encode() for value in values)


_MEMBERS = [
    b"flaunch.db\nx", b"fruns/a/1/output.log\nlog", b"lruns/a/latest\n1/output.log",
    b"lruns/a/out\n../../launch.db", b"f../x\n", b"1runs/a/hard\n", b"fruns/a/1\nx",
    b"M\n{}\n5\n",
]  # fmt: skip
_RECORD: dict[str, object] = {
    "row": {
        "seq": 1, "id": "abcd1234", "place": 1, "name": "n", "project": "p", "job": "j",
        "version": "v1", "queue_id": 1, "state": "failed", "exit_code": 1, "config": "{}",
        "attempt": 1, "tags": "[]", "spec": "{}", "created_at": "2030-01-01T00:00:00Z",
        "started_at": "2030-01-01T00:00:00Z", "claimed_at": "2030-01-01T00:00:00Z",
    },
    "queue": {"id": 1, "name": "q", "resource": "local-process", "created_at": ""},
    "job": {"id": 1, "name": "j", "kind": "code", "created_at": ""},
    "version": {"id": 1, "job_id": 1, "number": 1, "created_at": ""},
    "events": [{"at": "", "run_id": "abcd1234", "attempt": 1, "actor": "a", "message": ""}],
    "dependencies": [{"run_id": "abcd1234", "on_run": "b"}],
    "files": {"1/exit": [3, "ab"], "1/output.log": [9, ""]}, "kept": {"1/exit": "{}"}, "lost": {},
}  # fmt: skip
_WANDB_JOB: dict[str, object] = {
    "source_type": "repo",
    "source": {
        "git": {"remote": "https://h/x.git", "commit": "abcdef1234"},
        "entrypoint": ["python3.11", "a/train.py"], "args": ["--x"], "notebook": True,
        "dockerfile": "a/Dockerfile", "build_context": "a",
    },
    "runtime": "3.11.4",
    "input_types": {
        "@wandb.config": {"wb_type": "typedDict", "params": {"type_map": {
            "a": {"wb_type": "union", "params": {"allowed_types": [{"wb_type": "number"}]}},
            "b": {"wb_type": "const", "params": {"val": 1}}}}},
        "files": {"c.yaml": {"wb_type": "dict"}},
    },
    "input_schemas": {"@wandb.config": {"type": "object", "properties": {"a": {"type": "number"}}}},
    "services": {"x": 1},
}  # fmt: skip
_BARS = b"outer 1\n\rinner 1\x1b[A\n\rinner 2\x1b[A\router 2\n\rinner 1\x1b[2A\n\n\nend\n"

SEEDS: dict[str, list[bytes]] = {
    "wandb_file": [encoding.log(_RECORDS)[7:], encoding.log(_RECORDS)[7:90], bytes(40_000)],
    "wandb_records": [b"\n\n".join(_RECORDS)],
    "wandb_decoder": _RECORDS,
    "log_index": [_LOG, b"\n" * 50, b"x" * 70_000, b"a\r" * 400, _TRACE],
    "log_renderer": [_LOG, _TRACE, b"\x9b31m\x90q\x1b\\\xe2\x80\xae", b"\x1b[" + b"1;" * 40 + b"m"],
    "templates": [_json(_VARIABLES, {"cpus": "{{g}}", "x": "a{{ g }}b"}, {"g": "3"})],
    "macros": [b"${run_id} ${project_name}\xff$${x} ${", b"${run_id"],
    "filters": [b"state=failed config.lr>=1e-3", b'not (tag:a or note~"^x") -b age<1d', b"a!~b"],
    "params": [b"lr=1e-3,3e-4\nseed=0..4", b'a=[1,"x"],{"b":1}', b"x=1..0..-0.25", b"k="],
    "assignments": [b"a.b=1\nc=[1]", b'd={"e":null}', b"x=True\ny=.5\nz=1e400"],
    "documents": [
        _YAML,
        b'{"overrides": {"run_config": {"a": 1}}, "priority": 2}',
        b"a: !!set {x}",
    ],
    "resource_configs": [
        b'{"gpus": 1, "memory": "2G", "env": {"A": "1"}, "ulimit": {"nofile": "5:9"}}',
        b"image: x\nvolume: [/a:/b:ro]\npublish: '80:80'\nshm-size: 1g\nuser: '1:1'\n",
    ],
    "agent_configs": [b"queues: [a]\nmax_jobs: 2\nbuilder: {type: docker}\n", b"cpus: .inf\n"],
    "schemas": [_json({"a": 1, "b": {"c": [1]}}, {"a": 0.5, "b": 3})],
    "git_urls": [
        b"https://h/x.git\xffmain\xffa/b",
        b"git@h:x.git\xffv1^{}\xff../x",
        b"ssh://u@h/x",
    ],
    "image_names": [b"r.io:5000/a/b:t@sha256:" + b"a" * 64, b"alpine", b"a__b"],
    "entry_points": [b"python 'a b.py' --x=\"1\"", b"./run.sh $X", b"train.py"],
    "quantities_and_times": [b"1h30m", b"1-02:03:04", b"20GiB", b"tomorrow 06:00", b"abc:ok"],
    "env_files": [b"A=1\nexport B='x\ny' # z\nC=\"\\n\\$\"\n", b"A=# none"],
    "ignore_files": [b"*.pt\n!a/**/b\n[[:alpha:]-z]\\ \n/x/\n\na/b/c", b"**\n\nx"],
    "backup_archives": [
        b"m" + b"\xff\xff".join(_MEMBERS[:3]),
        *(b"m" + member for member in _MEMBERS),
        b"x\x1f\x8b\x08",
    ],
    "run_records": [_json(_RECORD)],
    "wandb_jobs": [
        _json(_WANDB_JOB),
        _json({"source_type": "image", "source": {"image": "x"}}),
        _json({**_WANDB_JOB, "input_types": {"files": {"c.yaml": "dict"}}}),
    ],
    "file_words": [b"conf/m.yaml:opt.lr\xff0.1\na.b=2\n../x.json:=1", b"a\\.b\\\\.c\xffx=y"],
    "log_folds": [_BARS, _BARS * 30, b"\x1b[99A" * 9 + b"x\n" * 200, _LOG],
    "patterns": [
        b"(a+)+$\xff" + b"a" * 40 + b"\n",
        b"^x{2,3}|[[:alpha:]]\\b\xffxxx abc",
        b"plain\xffa PLAIN plain",
        b"(?=a)\xffa",
        "é|(?i)ß\xff".encode("latin-1") + "é ß".encode(),
        b"\\C\xff\xff\x10\\",
        b"\\B\xff\xff\\C\xff\xf8",
    ],
}
