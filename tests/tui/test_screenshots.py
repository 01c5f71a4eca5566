from __future__ import annotations

import importlib.util
from pathlib import Path

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"


def make():
    spec = importlib.util.spec_from_file_location("make", SCREENSHOTS / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_were_made_from_these_screens():
    noted = (SCREENSHOTS / "sources.sha256").read_text().strip()
    assert noted == make().sources_hash(), "run `just screenshots`"


def test_every_picture_is_there():
    assert {path.stem for path in SCREENSHOTS.glob("*.svg")} == set(make().PICTURES)
