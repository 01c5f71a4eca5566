"""What uv printed, word for word (0.13 and 0.5), and the line it becomes."""

from __future__ import annotations

import pytest

from launch_tui.builders.failure import MAX_CAUSE, explain

BACKEND = """error: Failed to build `flash-attn==1.0`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)

         [stdout]
         running bdist_wheel

         [stderr]
         cc1: fatal error: nofile.c: No such file or directory
         compilation terminated.
         error: Command '['gcc', '-c', 'nofile.c']' returned non-zero exit status 1.

hint: Build failures usually indicate a problem with the package or the build environment
"""
OLD_BACKEND = """  \u00d7 Failed to download and build `brokenpkg==1.0`
  ╰─▶ Build backend failed to determine requirements with `build_wheel()`
      (exit status: 1)

      [stderr]
      Traceback (most recent call last):
        File "<string>", line 1, in <module>
      RuntimeError: CUDA_HOME is not set
"""
CASES = [
    (
        "Using Python 3.11.7 environment at: a\n"
        "error: No solution found when resolving dependencies\n"
        "  cause: Because nosuch-pkg was not found in the package registry and you require "
        "nosuch-pkg, we can conclude that your requirements are unsatisfiable.\n",
        "nosuch-pkg: there is no such package on the index",
    ),
    (
        "  \u00d7 No solution found when resolving dependencies:\n"
        "  ╰─▶ Because there is no version of six==99.1 and you require six==99.1, we\n"
        "      can conclude that your requirements are unsatisfiable.\n",
        "six: there is no version six==99.1",
    ),
    (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because only torch<=2.9.1 is available and you require torch>=99, we can "
        "conclude that your requirements are unsatisfiable.\n",
        "torch: only torch<=2.9.1 is available and you require torch>=99",
    ),
    (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because requests==2.31.0 depends on urllib3>=1.21.1,<3 and you require "
        "requests==2.31, we can conclude that you require urllib3>=1.21.1,<3.\n"
        "         And because you require urllib3==1.20, we can conclude that your requirements "
        "are unsatisfiable.\n",
        "the requirements conflict: requests==2.31.0 depends on urllib3>=1.21.1,<3 and you "
        "require requests==2.31; you require urllib3==1.20",
    ),
    (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because tensorflow==1.15.0 has no wheels with a matching Python ABI tag (e.g., "
        "`cp311`) and you require tensorflow==1.15, we can conclude that your requirements are "
        "unsatisfiable.\n\nhint: You require CPython 3.11\n",
        "tensorflow==1.15.0 has no build for this Python version",
    ),
    (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because the requested Python version (>=3.9) does not satisfy Python>=3.10 and "
        "numpy==2.3.0 depends on Python>=3.10, we can conclude that numpy==2.3.0 cannot be used.\n",
        "numpy==2.3.0 needs Python>=3.10",
    ),
    (
        BACKEND,
        "flash-attn==1.0: its build failed: cc1: fatal error: nofile.c: No such file or directory",
    ),
    (OLD_BACKEND, "brokenpkg==1.0: its build failed: RuntimeError: CUDA_HOME is not set"),
    (
        "error: Request failed after 3 retries in 5.1s\n"
        "  cause: Failed to fetch: http://me:pw@127.0.0.1:9/simple/zope/\n"
        "  cause: error sending request for url (http://127.0.0.1:9/simple/zope/)\n"
        "  cause: Connection refused (os error 111)\n",
        "http://***@127.0.0.1:9/simple/zope/ cannot be reached: Connection refused (os error 111)",
    ),
    (
        "error: Failed to fetch: `https://pkgs/simple/zope/`\n"
        "  Caused by: HTTP status client error (401 Unauthorized) for url (https://pkgs/)\n",
        "https://pkgs/simple/zope/ answered 401 Unauthorized",
    ),
    (
        "error: Git operation failed\n  cause: failed to clone into: /c\n"
        "  cause: process didn't exit successfully: `git fetch 'https://h/x.git'`\n"
        "         --- stderr\n         fatal: unable to access 'https://h/x.git/': refused\n",
        "https://h/x.git: cannot be fetched: fatal: unable to access 'https://h/x.git/': refused",
    ),
    (
        "error: Failed to install: torch-2.9.whl (torch==2.9)\n"
        "  Caused by: No space left on device (os error 28)\n",
        "no space left on the disk while installing torch==2.9",
    ),
    (
        "error: Couldn't parse requirement in `requirements.txt` at position 0\n"
        "  cause: Unexpected end of version specifier, expected version\n         six==\n",
        "Couldn't parse requirement in `requirements.txt` at position 0; Unexpected end of version "
        "specifier, expected version six==",
    ),
]


@pytest.mark.parametrize(("output", "cause"), CASES, ids=[case[1][:30] for case in CASES])
def test_cause_names_package_and_reason(output, cause):
    found, next_step = explain(output, 1)
    assert found == cause
    assert next_step


def test_killed_uv_is_told_as_such():
    assert explain("Resolved 3 packages\n", 137)[0] == "uv was ended by signal 9"


def test_unknown_output_still_makes_one_line():
    assert explain("", 2)[0] == "uv ended with status 2"
    long = explain("error: " + "word " * 200, 1)[0]
    assert len(long) == MAX_CAUSE
    assert "\n" not in long
