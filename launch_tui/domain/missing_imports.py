"""What to do about an import that failed: which package to add, or which version does not fit."""

from __future__ import annotations

import re

_PACKAGES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "bs4": "beautifulsoup4",
    "attr": "attrs",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "hydra": "hydra-core",
    "faiss": "faiss-cpu",
    "git": "gitpython",
    "fitz": "pymupdf",
    "umap": "umap-learn",
    "Levenshtein": "levenshtein",
    "Crypto": "pycryptodome",
    "google.protobuf": "protobuf",
    "pkg_resources": "setuptools<81",
    "clip": "openai-clip",
}
"""Modules whose package has another name."""
_WHERE = "the job's requirements.txt or pyproject.toml"
_AGAIN = "create a new version of the job, then launch it"


def step_for(text: str) -> str | None:
    """Return what to do about a failed import, None when its message says too little.

    Args:
        text: The message of the exception, its first line first.
    """
    for pattern, step in _STEPS:
        found = pattern.search(text)
        if found:
            return step(found)
    return None


def _module(found: re.Match[str]) -> str:
    name = found["name"]
    top, _, rest = name.partition(".")
    package = _PACKAGES.get(name) or _PACKAGES.get(top) or top.replace("_", "-")
    if rest and name not in _PACKAGES:
        # Python names the whole path only once it has found the beginning of it.
        return (
            f"{top} is there and has no {name}: pin a version of {package} that has it in "
            f"{_WHERE}, or rename a file of yours called {top}.py; {_AGAIN}"
        )
    return (
        f"add {package} to {_WHERE}, or if {top} is your own code, see that the job's source has "
        f"it; {_AGAIN}"
    )


def _name(found: re.Match[str]) -> str:
    package = _PACKAGES.get(found["name"].partition(".")[0]) or found["name"].partition(".")[0]
    if "circular import" in found.string:
        return f"two files import each other: break the circle in {found['name']}; {_AGAIN}"
    return f"pin a version of {package} that has {found['what']} in {_WHERE}; {_AGAIN}"


def _library(found: re.Match[str]) -> str:
    library = found["name"]
    for start, source in _LIBRARIES:
        if library.startswith(start):
            return f"{library} is missing: {source}; then rerun"
    return (
        f"{library} is missing: install the system package that has it on this machine, or give "
        "its folder in LD_LIBRARY_PATH; then rerun"
    )


def _mismatch(found: re.Match[str]) -> str:
    return (
        f"a compiled package was built against another version of what it uses: pin versions that "
        f"fit each other in {_WHERE}; {_AGAIN}"
    )


def _glibc(found: re.Match[str]) -> str:
    return (
        f"a package was built for a newer system ({found['name']}): pin an older version of it in "
        f"{_WHERE}; {_AGAIN}"
    )


_CUDA = "install torch for this machine's CUDA, or give the folder of CUDA in LD_LIBRARY_PATH"
_LIBRARIES = (
    ("libcudnn", "add nvidia-cudnn-cu12 to the requirements, or " + _CUDA),
    ("libcuda.so", "this machine has no NVIDIA driver; launch it where there is one"),
    ("libnvidia-ml", "this machine has no NVIDIA driver; launch it where there is one"),
    ("libcu", _CUDA),
    ("libnv", _CUDA),
    ("libnccl", _CUDA),
    ("libGL.so", "use opencv-python-headless instead of opencv-python, or install libgl1"),
    ("libpython", "use a Python that was built with its shared library"),
)
# The most telling first: a missing library and a symbol are also ImportErrors.
_STEPS = (
    (re.compile(r"(?P<name>lib[\w.+-]+): cannot open shared object file"), _library),
    (re.compile(r"Could not load library (?P<name>lib[\w.+-]+)"), _library),
    (re.compile(r"version `(?P<name>GLIBC(?:XX)?_[\w.]+)' not found"), _glibc),
    (re.compile(r"undefined symbol|numpy\.core\.multiarray failed to import"), _mismatch),
    (re.compile(r"No module named '?(?P<name>[\w.]+)'?"), _module),
    (re.compile(r"cannot import name '(?P<what>[^']+)' from (?:.*?module )?'(?P<name>[^']+)'"),
     _name),
)  # fmt: skip
