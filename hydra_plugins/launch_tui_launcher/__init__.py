"""``hydra/launcher=launch_tui``, where Hydra looks for launchers: in ``hydra_plugins``.

Hydra imports every module here whenever a program of its user starts, so nothing heavy is imported
at the top; the launcher itself is ``launch_tui.integrations.hydra``.
"""

from __future__ import annotations

__version__ = "1.0.0"
