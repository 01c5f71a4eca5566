"""``fsck``: what is wrong in the data directory, what would be done about it, and doing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.cli.output import line, print_json, say, shown

if TYPE_CHECKING:
    from launch_tui.care.findings import Finding
    from launch_tui.cli.parsing import Arguments


def fsck(arguments: Arguments) -> int:
    """Check the data directory, and with ``--repair`` put right what is wrong.

    Returns:
        0 when all is as it should be, 1 when something was wrong, be it right again or not.
    """
    from launch_tui.sdk.care import fsck
    from launch_tui.store.paths import default_home

    report = fsck(default_home(arguments.home), repair=arguments.on("repair"))
    clean = not report.found and not report.mended
    if arguments.json:
        print_json(
            {
                "clean": clean,
                "found": [finding.described() for finding in report.found],
                "mended": [
                    {**finding.described(), "lost": lost} for finding, lost in report.mended
                ],
                "notes": list(report.notes),
            }
        )
        return 0 if clean else 1
    for note in report.notes:
        say(f"note: {note}")
    for finding, lost in report.mended:
        line(_told(finding, "mended"))
        line(shown(f"  lost: {lost}") if lost else "  nothing is lost")
    for finding in report.found:
        line(_told(finding, "wrong"))
        if finding.lost:
            line(shown(f"  lost: {finding.lost}"))
    if clean:
        line("all is as it should be")
    elif not arguments.on("repair"):
        say(f"{len(report.found)} found; launch-tui fsck --repair does what is said above")
    elif report.found:
        say(f"{len(report.found)} could not be put right")
    return 0 if clean else 1


def _told(finding: Finding, state: str) -> str:
    return shown(f"{state}  {finding.phase}  {finding.place}: {finding.cause}; {finding.next_step}")
