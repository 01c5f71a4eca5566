from __future__ import annotations

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launch_tui.sources.ignore import IgnoreFile, parse

ATOMS = [
    b"a", b"b", b"foo", b".py", b"*", b"**", b"?", b"/", b"/**/", b"!", b"#", b"\\", b" ", b"\t",
    b"\r", b"-", b"]", b"[", b"[ab]", b"[!a]", b"[^a-c]", b"[]a]", b"[a-", b"[\\-a]", b"[a\\]]",
    b"[[:alpha:]]", b"[[:digit:]x]", b"[[:nope:]]", b"[[:a]", b"[--9]", b"[z-a]", b"\xc3", b"\xa9",
]  # fmt: skip
NAMES = [
    b"a", b"b", b"ab", b"a.py", b"foo", b"foob", b"foo.py", b"x y", b"z ", b"#a", b"!a", b"a\\b",
    b"[", b"a]", b"-", b"9", b"\xc3\xa9", b"*", b"A",
]  # fmt: skip

lines = st.lists(st.sampled_from(ATOMS), min_size=1, max_size=6).map(b"".join)
texts = st.lists(lines, min_size=1, max_size=4).map(b"\n".join)
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(b"/".join)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def ignored_by_git(repository, text: bytes, asked: list[bytes]) -> set[bytes]:
    (repository / ".git/info/exclude").write_bytes(text)
    done = subprocess.run(
        ["git", "-C", str(repository), "-c", "core.excludesFile=", "check-ignore", "-z", "--stdin"],
        input=b"\0".join(asked),
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return set(done.stdout.split(b"\0")) - {b""}


def ignored(rules: IgnoreFile, path: bytes) -> bool:
    """Walk down to ``path`` as whoever takes a snapshot does."""
    parts = path.split(b"/")
    above = [b"/".join(parts[:count]) for count in range(1, len(parts))]
    return any(rules.verdict(folder, True) for folder in above) or bool(rules.verdict(path, False))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=texts, asked=st.lists(paths, min_size=10, max_size=60, unique=True))
def test_any_rules_mean_what_they_mean_to_git(repository, text, asked):
    rules = IgnoreFile(text)
    assert {path for path in asked if ignored(rules, path)} == ignored_by_git(
        repository, text, asked
    )


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        (b"*.log", b"deep/er/x.log", True),
        (b"/x.log", b"deep/x.log", None),
        (b"a/b", b"c/a/b", None),
        (b"**/a/b", b"c/a/b", True),
        (b"a/**/b", b"a/b", True),
        (b"a/**", b"a", None),
        (b"a/**", b"a/x/y", True),
        (b"*.log\n!keep.log", b"keep.log", False),
        (b"!keep.log\n*.log", b"keep.log", True),
        (b"\\!a", b"!a", True),
        (b"\\#a", b"#a", True),
        (b"#a", b"#a", None),
        (b"a  ", b"a", True),
        (b"a\\ ", b"a ", True),
        (b"a\r\n", b"a", True),
        (b"\xef\xbb\xbfa", b"a", True),
        (b"caf\xe9", b"caf\xe9", True),
        (b"[a-c].py", b"b.py", True),
        (b"a[", b"a[", None),
        (b"/", b"a", None),
        (b"!", b"a", None),
        (b"\0a", b"a", None),
        (b"foo**/bar", b"foobar", True),
        (b"a\\", b"a", None),
        (b"a?b", b"a/b", None),
        (b"*", b"a/b", True),
        (b"/*", b"a/b", None),
        (b"x[[:space:]]y", b"x y", True),
        (b"x[[:bogus:]]y", b"x y", None),
    ],
)
def test_rules_worth_remembering(text, path, expected):
    assert IgnoreFile(text).verdict(path, False) is expected


def test_a_rule_for_directories_leaves_files_alone():
    rules = IgnoreFile(b"data/\n!data/keep/\n")
    assert rules.verdict(b"data", True) is True
    assert rules.verdict(b"data", False) is None
    assert rules.verdict(b"data/keep", True) is False


def test_every_character_class_is_gits(repository):
    names = [b"x" + bytes([value]) for value in range(1, 256) if value != ord("/")]
    for name in (
        b"alnum", b"alpha", b"blank", b"cntrl", b"digit", b"graph", b"lower", b"print", b"punct",
        b"space", b"upper", b"xdigit",
    ):  # fmt: skip
        text = b"x[[:" + name + b":]]"
        rules = IgnoreFile(text)
        mine = {path for path in names if rules.verdict(path, False)}
        assert mine == ignored_by_git(repository, text, names), name


def test_what_git_discards_is_no_rule():
    assert parse(b"\n# comment\n/\n!\n   \n") == []
