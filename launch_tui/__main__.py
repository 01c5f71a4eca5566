"""Entry point of ``python -m launch_tui`` and of the ``launch-tui`` command."""

from __future__ import annotations


def main() -> int:
    """Run the command line and return its exit status."""
    from launch_tui.cli.program import main as program

    return program()


if __name__ == "__main__":
    raise SystemExit(main())
