from __future__ import annotations

import pytest

from launch_tui.errors import SourceFailed
from launch_tui.sources.code import snapshot
from launch_tui.sources.code_diff import diff, text_diff, text_diffs
from launch_tui.store.artifacts import ArtifactStore


@pytest.fixture
def artifacts(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


def take(tmp_path, artifacts, files: dict[str, bytes]):
    import shutil

    folder = tmp_path / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return snapshot(folder, artifacts, cache_dir=tmp_path / "cache").source


def test_paths_and_requirements(tmp_path, artifacts):
    old = take(
        tmp_path,
        artifacts,
        {"a.py": b"1\n", "b.py": b"1\n", "same": b"", "requirements.txt": b"torch\nnumpy<2\n"},
    )
    new = take(
        tmp_path,
        artifacts,
        {"a.py": b"2\n", "c.py": b"1\n", "same": b"", "requirements.txt": b"torch\nnumpy>=2\n"},
    )
    found = diff(old, new, artifacts)
    assert (found.added, found.removed) == (("c.py",), ("b.py",))
    assert found.changed == ("a.py", "requirements.txt")
    assert found
    assert list(found.requirements) == ["requirements.txt"]
    assert "-numpy<2\n+numpy>=2\n" in found.requirements["requirements.txt"]
    assert not diff(old, old, artifacts)


def test_text_of_added_and_removed_files(tmp_path, artifacts):
    old = take(tmp_path, artifacts, {"a.py": b"gone\n", "x": b""})
    new = take(tmp_path, artifacts, {"b.py": b"come\n", "x": b""})
    assert text_diff("a.py", old, new, artifacts).startswith("--- a/a.py\n+++ /dev/null\n")
    assert "+come\n" in text_diff("b.py", old, new, artifacts)


def test_contents_that_are_no_text_are_said_to_differ(tmp_path, artifacts):
    old = take(tmp_path, artifacts, {"a": b"\0\1", "big": b"x" * 2_000_000})
    new = take(tmp_path, artifacts, {"a": b"\0\2", "big": b"y" * 2_000_000})
    assert text_diff("a", old, new, artifacts) == "a: contents differ\n"
    assert text_diff("big", old, new, artifacts) == "big: contents differ\n"


def test_a_last_line_without_its_end_is_shown(tmp_path, artifacts):
    old = take(tmp_path, artifacts, {"a": b"one\n"})
    new = take(tmp_path, artifacts, {"a": b"one"})
    assert "-one\n+one\n\\ No newline at end of file\n" in text_diff("a", old, new, artifacts)


def test_links_and_modes_are_compared(tmp_path, artifacts):
    folder = tmp_path / "folder"
    old = take(tmp_path, artifacts, {"run.sh": b"x\n", "b": b""})
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("b")
    middle = snapshot(folder, artifacts, cache_dir=tmp_path / "cache").source
    assert text_diff("run.sh", old, middle, artifacts) == "now executable\n"
    assert text_diff("run.sh", middle, old, artifacts) == "no longer executable\n"
    assert "+link to b\n" in text_diff("link", old, middle, artifacts)


def test_a_missing_snapshot_is_said_so(tmp_path, artifacts):
    source = take(tmp_path, artifacts, {"a": b"1"})
    artifacts.delete_unreferenced([], grace=-1)
    with pytest.raises(SourceFailed, match="not in the artifact store"):
        diff(source, source, artifacts)


def test_all_texts_that_differ_come_by_path(tmp_path, artifacts):
    old = take(tmp_path, artifacts, {"b.py": b"1\n", "gone": b"x\n", "same": b"s\n"})
    new = take(tmp_path, artifacts, {"a.py": b"new\n", "b.py": b"2\n", "same": b"s\n"})
    texts = list(text_diffs(old, new, artifacts))
    assert [text.splitlines()[1] for text in texts] == ["+++ b/a.py", "+++ b/b.py", "+++ /dev/null"]
    assert list(text_diffs(old, old, artifacts)) == []
