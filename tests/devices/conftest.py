from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "simulated_nvml"))
try:
    from nvml_fixture import nvml
finally:
    sys.path.pop(0)

__all__ = ["nvml"]
