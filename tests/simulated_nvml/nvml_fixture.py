"""The simulated NVML inside a test's own process, beside the real module."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


class SimulatedNvml:
    """A module of its own, and the file that it answers from."""

    def __init__(self, path):
        spec = importlib.util.spec_from_file_location("simulated_pynvml", FOLDER / "pynvml.py")
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.path = path
        self.tell(gpus=[])

    def tell(self, *, gpus=(), error=""):
        """Replace what the driver says, whole, under whoever reads it."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"gpus": list(gpus), "error": error}))
        fresh.replace(self.path)

    @property
    def environment(self):
        """The variables with which a process of its own finds these GPUs."""
        paths = [str(FOLDER), os.environ.get("PYTHONPATH", "")]
        path = os.pathsep.join(each for each in paths if each)
        return {self.module.VARIABLE: str(self.path), "PYTHONPATH": path}


@pytest.fixture
def nvml(tmp_path, monkeypatch):
    simulated = SimulatedNvml(tmp_path / "nvml.json")
    monkeypatch.setenv(simulated.module.VARIABLE, str(simulated.path))
    return simulated
