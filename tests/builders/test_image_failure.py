"""What builds print, by Docker's own words: its steps, why it failed, and no secrets in the log."""

from __future__ import annotations

import pytest

from launch_tui.builders.build_log import BuildLog
from launch_tui.builders.image_failure import explain
from launch_tui.builders.image_output import BuildOutput, Step

PIP = """\
#8 [build 3/5] RUN --mount=type=cache,target=/var/cache pip install -r requirements.txt
#8 sha256:109d168078cf635e63ac5482144e8ddc04bae1e38d915d1239290f1087f2567a
#8 1.002 Looking in indexes: a, b
#9 [final 1/2] COPY . /src
#9 CACHED
#8 1.231 ERROR: Could not find a version that satisfies the requirement nosuch==1
#8 1.231 ERROR: No matching distribution found for nosuch==1
#8 1.240 WARNING: You are using pip version 20
#8 ERROR: executor failed running [/bin/sh -c pip install -r requirements.txt]: exit code: 1
------
 > [build 3/5] RUN pip install -r requirements.txt:
#8 1.231 ERROR: No matching distribution found for nosuch==1
------
executor failed running [/bin/sh -c pip install -r requirements.txt]: exit code: 1
"""
UV = """\
#13 [build 6/8] RUN --mount=type=secret,id=launch-tui-index . /opt/launch-tui-settings && uv pip\
 install --python /env/bin/python -r requirements.txt
#13 0.395 error: No solution found when resolving dependencies:
#13 0.395   cause: Because nosuch was not found in the package registry and you require nosuch
#13 ERROR: process "/bin/sh -c uv" did not complete successfully: exit code: 1
"""
CLASSIC = """\
Step 1/3 : FROM a
 ---> 7a8ad00e79c3
Step 2/3 : RUN pip install nosuch
 ---> Running in 35d69d97e78d
\x1b[91mERROR: No matching distribution found for nosuch
\x1b[0m
"""


def output(tmp_path, text, secrets=(), chunk=7):
    steps = []
    with BuildLog(tmp_path / "log") as log:
        told = BuildOutput(log, steps.append, secrets)
        data = text.encode()
        for start in range(0, len(data), chunk):
            told.feed(data[start : start + chunk])
        told.close()
    return told, steps, (tmp_path / "log").read_text()


def test_failed_step_is_named_with_the_reason_of_what_it_ran(tmp_path):
    told, steps, log = output(tmp_path, PIP)
    cause, _ = explain(told.failed)
    assert cause == (
        "step RUN pip install -r requirements.txt failed: "
        "No matching distribution found for nosuch==1"
    )
    assert steps == [
        "build step 3 of 5: RUN pip install -r requirements.txt",
        "build step 1 of 2: COPY . /src",
    ]
    assert log == PIP


def test_uvs_reasons_are_read_as_for_environments(tmp_path):
    told, steps, _ = output(tmp_path, UV)
    cause, _ = explain(told.failed)
    assert cause == (
        "step RUN uv pip install --python /env/bin/python -r requirements… failed: "
        "nosuch: there is no such package on the index"
    )
    assert steps == [
        "build step 6 of 8: RUN uv pip install --python /env/bin/python -r requirements…"
    ]


def test_classic_builder_says_the_same(tmp_path):
    told, steps, log = output(tmp_path, CLASSIC)
    told.fail("The command '/bin/sh -c pip install nosuch' returned a non-zero code: 1")
    cause, _ = explain(told.failed)
    assert cause == (
        "step RUN pip install nosuch failed: No matching distribution found for nosuch"
    )
    assert steps == ["build step 1 of 3: FROM a", "build step 2 of 3: RUN pip install nosuch"]
    assert "\x1b" not in log


def test_secrets_are_masked_however_the_bytes_come(tmp_path):
    text = "#5 [1/1] RUN x\n#5 0.1 it is hunter2secret and first\n#5 0.2 second line\nhunter2secret"
    secrets = ("hunter2secret", "first\nsecond line", "x")
    for chunk in (1, 3, 1000):
        (tmp_path / str(chunk)).mkdir()
        _, _, log = output(tmp_path / str(chunk), text, secrets, chunk)
        assert "hunter2" not in log
        assert "second line" not in log
        assert log.count("***") == 4
        assert "[1/1] RUN x" in log


def test_packages_that_could_not_be_installed_are_told(tmp_path):
    line = "launch-tui: not installed: mkl, -e"
    told, _, _ = output(tmp_path, f"#5 [1/1] RUN echo '{line}'\n#5 0.1 {line}\n")
    assert told.notes == ["not installed: mkl, -e"]
    classic, _, _ = output(tmp_path, f"Step 1/1 : RUN x\n{line}\n")
    assert classic.notes == ["not installed: mkl, -e"]


def failed(title, *lines, error="exit code: 1"):
    return explain(Step(title=title, lines=list(lines), error=error))


@pytest.mark.parametrize(
    ("step", "cause", "next_step"),
    [
        (("RUN x", "OSError: [Errno 28] No space left on device"),
         "no space left on the disk in step RUN x", "image prune"),
        (("", "write /var/lib/docker/tmp/x: no space left on device"),
         "no space left on the disk while building the image", "image prune"),
        (("RUN pip install six",
          "WARNING: Retrying: NewConnectionError('Failed to establish a new connection: [Errno -3]"
          " Temporary failure in name resolution')",
          "ERROR: No matching distribution found for six"),
         "step RUN pip install six failed: no network: WARNING: Retrying", "proxy"),
        (("RUN apt-get update", "E: Failed to fetch x  Could not connect (connection refused)"),
         "step RUN apt-get update failed: no network: Failed to fetch x", "proxy"),
        (("RUN uv venv --no-project --system-site-packages",
          "error: Failed to install cpython-3.12.1", "cause: dns error"),
         "the base image has no Python 3.12, and it could not be fetched: Failed", "base image"),
        (("RUN make", "gcc: not found", "make: *** [all] Error 127"),
         "step RUN make failed: make: *** [all] Error 127", "build log"),
        (("RUN x", "Traceback", "ValueError: bad", "[notice] new pip"),
         "step RUN x failed: ValueError: bad", "build log"),
        (("RUN x", "/bin/sh: 1: nosuch: not found"),
         "step RUN x failed: /bin/sh: 1: nosuch: not found", "build log"),
        (("RUN exit 3",), "step RUN exit 3 failed: it ended with status 1", "build log"),
    ],
)  # fmt: skip
def test_causes(step, cause, next_step):
    found = failed(*step)
    assert found[0].startswith(cause)
    assert next_step in found[1]


@pytest.mark.parametrize(
    ("title", "error", "cause"),
    [
        ("RUN x", "executor failed running [/bin/sh -c x]: exit code: 137",
         "step RUN x failed: it was killed"),
        ("RUN x", "The command '/bin/sh -c x' returned a non-zero code: 137",
         "step RUN x failed: it was killed"),
        ("RUN --mount=type=cache,target=/c x",
         "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/",
         "step RUN --mount=type=cache,target=/c x needs BuildKit, and no docker command here"),
        ("", "dockerfile parse error line 2: unknown instruction: FOO",
         "dockerfile parse error line 2: unknown instruction: FOO"),
        ("COPY a /b", 'failed to compute cache key: "/a" not found: not found',
         "step COPY a /b failed: the build context has no a"),
        ("COPY a /b", 'failed to calculate checksum of ref x::y: "/a": not found',
         "step COPY a /b failed: the build context has no a"),
        ("COPY a /b", "COPY failed: file not found in build context or excluded by .dockerignore: "
         "stat a: file does not exist", "step COPY a /b failed: the build context has no a"),
        ("load metadata for docker.io/library/nosuch:1",
         "pull access denied, repository does not exist or may require authorization",
         "base image library/nosuch:1: pull access denied"),
        ("load metadata for reg:5000/x:1", "reg:5000/x:1: not found",
         "base image reg:5000/x:1: not found"),
        ("RUN x", "executor failed running [/bin/sh -c x]: failed to create endpoint: no bridge",
         "step RUN x failed: failed to create endpoint: no bridge"),
    ],
)  # fmt: skip
def test_causes_that_the_builder_itself_tells(title, error, cause):
    assert failed(title, error=error)[0].startswith(cause)


def test_without_a_step_the_last_words_tell(tmp_path):
    told, _, _ = output(tmp_path, "failed to solve: dockerfile parse error line 1: unknown x\n")
    assert explain(told.failed)[0] == "dockerfile parse error line 1: unknown x"
    told, _, _ = output(tmp_path, "unknown flag: --progress\n")
    assert explain(told.failed)[0] == "the build failed: unknown flag: --progress"


def test_cause_is_one_line_of_bounded_length_without_passwords():
    cause, _ = failed("RUN x", "ERROR: https://user:hidden@host/simple " + "y" * 1000)
    assert len(cause) == 300
    assert "hidden" not in cause
