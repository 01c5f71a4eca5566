"""Tells what a script declares by ``wandb.sdk.launch.manage_*``, from within the job's own Python.

wandb tells it to nobody offline: the declared schema goes into no file. So this module is put
before a job's own modules as ``sitecustomize`` (Python imports that at its start) and, once the
script imports wandb's module of inputs, writes down what is declared: one line of JSON each, into
the file that ``LAUNCH_TUI_INPUTS`` names. Nothing else changes: it hands on to the
``sitecustomize`` that it stands before, takes its folder off ``sys.path``, and is silent whatever
goes wrong. It runs in any Python from 3.7 on, so it needs nothing and says things simply.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

MODULE = "wandb.sdk.launch.inputs.internal"
VARIABLE = "LAUNCH_TUI_INPUTS"
MAX_CONTENT = 1000000


def _begin() -> None:
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    rest = [path for path in sys.path if os.path.abspath(path or ".") != here]
    sys.path[:] = rest
    if os.environ.get(VARIABLE) and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _hand_on(rest)


def _hand_on(path: list[str]) -> None:
    """Run the ``sitecustomize`` that would have been found without this one."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize", path)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


class _Finder:
    """Finds wandb's module as always, and has it listened to once it is loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != MODULE:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        loader: Any = getattr(spec, "loader", None)
        if loader is None:
            return spec
        load = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            try:
                _listen(module)
            except Exception:
                pass

        try:
            loader.exec_module = exec_module
        except AttributeError:
            pass
        return spec


def _listen(internal: Any) -> None:
    before: dict[str, str] = {}
    override_file = internal.override_file
    prepare = internal.JobInputArguments.__init__

    def override_and_tell(path: str) -> Any:
        try:
            with open(path, encoding="utf-8") as file:
                before[path] = file.read(MAX_CONTENT)
        except Exception:
            pass
        return override_file(path)

    def prepare_and_tell(self: Any, *arguments: Any, **named: Any) -> None:
        prepare(self, *arguments, **named)
        try:
            _tell(self, before)
        except Exception:
            pass

    internal.override_file = override_and_tell
    internal.JobInputArguments.__init__ = prepare_and_tell


def _tell(declared: Any, before: dict[str, str]) -> None:
    import json
    import os

    path = declared.file_path or ""
    told = {
        "file": path,
        "include": declared.include or [],
        "exclude": declared.exclude or [],
        "schema": declared.schema,
        "content": before.get(path),
    }
    line = json.dumps(told) + "\n"
    # One write to a file that is only appended to: ranks of one job do not mix their lines.
    number = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(number, line.encode("utf-8"))
    finally:
        os.close(number)


if __name__ == "sitecustomize":
    try:
        _begin()
    except Exception:
        pass
