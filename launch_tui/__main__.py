"""Entry point of ``python -m launch_tui`` and of the ``launch-tui`` command."""

from __future__ import annotations

import gc


def main() -> int:
    """Run the command line and return its exit status."""
    from launch_tui.cli.program import main as program

    status = program()
    # The process ends now. Frozen, what it holds is not searched for cycles on the way out, which
    # takes a fifth of a launch.
    gc.freeze()
    return status


if __name__ == "__main__":
    raise SystemExit(main())
