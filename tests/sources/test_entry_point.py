from __future__ import annotations

import pytest

from launch_tui.errors import UsageError
from launch_tui.sources.entry_point import named_script, resolve_entry_point

FILES = {"train.py", "run.sh", "tool.sh", "src/fit.py", "configs/a.yaml"}


def resolve(given, files=FILES):
    return resolve_entry_point(
        given,
        files.__contains__,
        root_files=files,
        is_executable=lambda path: path == "tool.sh",
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("train.py", ("python", "train.py")),
        ("train.py --lr '1e-3 x'", ("python", "train.py", "--lr", "1e-3 x")),
        ("src/fit.py", ("python", "src/fit.py")),
        ("./train.py", ("./train.py",)),
        ("run.sh a", ("bash", "run.sh", "a")),
        ("tool.sh a", ("./tool.sh", "a")),
        ("python train.py", ("python", "train.py")),
        ("python3.11 ./train.py", ("python3.11", "./train.py")),
        ("python -m pkg.train", ("python", "-m", "pkg.train")),
        ("python -u anything.py", ("python", "-u", "anything.py")),
        ("python -c 'print(1)'", ("python", "-c", "print(1)")),
        ("python ${entry}.py", ("python", "${entry}.py")),
        ("torchrun --nproc 2 x.py", ("torchrun", "--nproc", "2", "x.py")),
        ("/opt/tool.py", ("/opt/tool.py",)),
        ("python /opt/tool.py", ("python", "/opt/tool.py")),
        (["accelerate", "launch", "a b"], ("accelerate", "launch", "a b")),
        (["train.py", "--x", "'"], ("python", "train.py", "--x", "'")),
    ],
)
def test_any_command_is_an_entry_point(given, expected):
    assert resolve(given) == expected


@pytest.mark.parametrize("name", ["main.py", "train.py"])
def test_the_default_is_the_only_one_there(name):
    assert resolve(None, {name, "other.py"}) == ("python", name)


@pytest.mark.parametrize(
    ("given", "files", "message"),
    [
        (None, {"main.py", "train.py"}, r"has both main\.py and train\.py"),
        (None, {"a.py", "b.sh", "c.txt", "d/e.py"}, r"no main\.py or train\.py.*: a\.py, b\.sh\)"),
        (None, {"c.txt"}, r"python train\.py"),
        (None, {f"s{n}.py" for n in range(20)}, r"12 more"),
        ("python 'train.py", FILES, 'no closing quotation in "python \'train.py"'),
        ("", FILES, "is empty"),
        ("   ", FILES, "is empty"),
        ([], FILES, "is empty"),
        (["", "x"], FILES, "is empty"),
        (["python", "a\0b"], FILES, "NUL"),
        ("trian.py", FILES, r"no file trian\.py .*train\.py"),
        ("python trian.py", FILES, r"no file trian\.py"),
        ("./missing.sh", FILES, r"no file \./missing\.sh"),
        ("bash missing.sh", FILES, r"no file missing\.sh"),
    ],
)
def test_what_cannot_run_is_refused(given, files, message):
    with pytest.raises(UsageError, match=message) as caught:
        resolve(given, files)
    assert str(caught.value).startswith("-E: ")


@pytest.mark.parametrize(
    "command", [("env",), ("python",), ("bash", "-c", "x.sh"), ("make", "a.py")]
)
def test_other_commands_name_no_script(command):
    assert named_script(command) is None
