"""Writes a job artifact as wandb's own job builder makes it, in an environment with wandb.

Run as a program: the kind (`git`, `code`, `image`), the folder that is to be the downloaded
artifact, and what the builder is told, as JSON.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import sys

from wandb.sdk.launch.create_job import (
    _configure_job_builder_for_partial,
    _dump_metadata_and_requirements,
)


def make(kind, out, given):
    out.mkdir(parents=True)
    files = out.with_name(f"{out.name}.files")
    files.mkdir()
    _dump_metadata_and_requirements(
        metadata=given["metadata"], tmp_path=str(files), requirements=given.get("requirements", [])
    )
    if "diff" in given:
        (files / "diff.patch").write_text(given["diff"])
    builder = _configure_job_builder_for_partial(str(files), kind)
    builder.set_config(given.get("config", {}))
    builder.set_summary({"loss": 1})
    if kind == "code":
        builder._logged_code_artifact = {"id": "QXJ0aWZhY3Q6MQ==", "name": "code-train"}
    builder._services = given.get("services") or {}
    artifact = builder.build(None, **given.get("build", {}))
    for name, entry in artifact.manifest.entries.items():
        shutil.copy(entry.local_path, out / name)


if __name__ == "__main__":
    make(sys.argv[1], pathlib.Path(sys.argv[2]), json.loads(sys.argv[3]))
