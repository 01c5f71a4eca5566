"""The launcher, registered with Hydra with its settings when this is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher

from launch_tui.integrations.hydra_settings import LaunchTuiLauncherConf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


ConfigStore.instance().store(
    group="hydra/launcher", name="launch_tui", node=LaunchTuiLauncherConf, provider="launch_tui"
)


class LaunchTuiLauncher(Launcher):
    """Puts the jobs of a multirun on a queue and waits for them."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401
        self._settings = settings
        self.config: DictConfig | None = None
        self.task_function: TaskFunction | None = None
        self.hydra_context: HydraContext | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives; see ``hydra.plugins.launcher``."""
        self.config = config
        self.hydra_context = hydra_context
        self.task_function = task_function

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run one job for each list of overrides and return how they ended, in their order."""
        from launch_tui.integrations.hydra import Sweep

        if self.config is None or self.task_function is None or self.hydra_context is None:
            raise RuntimeError("Hydra has not set this launcher up")
        sweep = Sweep(self.hydra_context, self.task_function, self.config)
        return sweep.run(self._settings, job_overrides, initial_job_idx)
