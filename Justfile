# `just` alone runs what a change has to pass; `just ci` is what the continuous integration runs.
# The tools are those of the environment that `just` itself was installed into, else of .venv.

set shell := ["bash", "-euo", "pipefail", "-c"]

own := parent_directory(just_executable())
tools := if path_exists(own / "ruff") == "true" { own } else { justfile_directory() / ".venv/bin" }
export PATH := tools + ":" + env("PATH")

# Check, then test.
default: check test

# Format, lint, types, import contracts.
check:
    ruff format --check .
    ruff check .
    mypy
    lint-imports --no-cache

# Put the code into the project's format, and repair what ruff can.
format:
    ruff format .
    ruff check --fix .

# All tests; arguments go to pytest: `just test tests/store -x`.
test *arguments:
    python -m pytest -n auto --dist worksteal {{ arguments }}

# The built wheel in a clean environment: version, doctor, one run through an agent.
smoke:
    .ci/smoke

# What .ci/run calls; the tests come last, so that their summary is the last line.
ci: check smoke test

# A real training job, three configurations, from nothing, in a data directory of its own.
demo:
    LAUNCH_TUI_HOME="$(mktemp -d)" launch-tui demo --headless

# The figures that must hold, beside their peers in the same run: `just bench`, or one part of it,
# `just bench spine`, `order`, `parts`, `recovery`, `sdk`, `widgets`, `ui` or `containers`. Each file of bench/ says what it measures.
bench *parts="spine order parts recovery sdk widgets ui containers":
    missed=0; for part in {{ parts }}; do python "bench/$part.py" || missed=1; done; exit $missed

# The pictures of the README, from real runs.
screenshots:
    python screenshots/make.py

# docs/keys.md, from the table of keys.
keys:
    python -m launch_tui.tui.key_page > docs/keys.md

# docs/verbs.md, from the table of verbs.
verbs:
    python -m launch_tui.cli.verb_page > docs/verbs.md

# Kill everything at random and look whether anything was lost: `just soak 60 --seed 7`; see bench/soak.py.
soak *arguments:
    python bench/soak.py {{ arguments }}

# Look for inputs that crash what reads them, so many seconds for each: `just fuzz 600 documents`.
fuzz *arguments:
    python fuzz/run.py {{ arguments }}

# Pin the newest versions that pyproject.toml allows.
constraints:
    { sed '/^[^#]/,$d' constraints.txt; \
      uv pip compile --universal --python-version 3.11 --extra dev --upgrade \
        --no-annotate --no-header --no-emit-index-url --quiet pyproject.toml \
        | grep -vE "^pip==|win32'" | sed 's/ ;.*//'; } > constraints.new
    mv constraints.new constraints.txt
