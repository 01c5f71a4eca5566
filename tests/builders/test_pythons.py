from __future__ import annotations

import sys

from launch_tui.builders.pythons import find_python, found_versions


def interpreter(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_path_first_then_pyenv_whose_shims_are_looked_through(tmp_path):
    on_path = interpreter(tmp_path / "bin" / "python3.9")
    interpreter(tmp_path / "pyenv" / "shims" / "python3.8")
    older = interpreter(tmp_path / "pyenv" / "versions" / "3.8.2" / "bin" / "python3")
    newer = interpreter(tmp_path / "pyenv" / "versions" / "3.8.18" / "bin" / "python3")
    managed = tmp_path / "uv" / "cpython-3.7.9-linux-x86_64-gnu" / "bin" / "python3"
    interpreter(managed)
    environ = {
        "PATH": f"{tmp_path}/bin:{tmp_path}/pyenv/shims:{tmp_path}/not-there",
        "HOME": str(tmp_path),
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "uv"),
    }

    assert find_python("3.9", environ) == on_path
    assert find_python("3.8", environ) == newer
    assert find_python("3.8.2", environ) == older
    assert find_python("3.7", environ) == managed
    assert find_python("3.77", environ) is None
    running = f"3.{sys.version_info.minor}"
    assert found_versions(environ) == ["3.7", "3.8", "3.9", running]
