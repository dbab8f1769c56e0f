"""Commands in this process, for journeys that need no child: what a stage does without its start-up."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from engine.config import Config
from engine.config.file import resolve
from engine.runs.sink import ListSink
from engine.stages.context import StageContext, StopFlag
from tests.conftest import TINY


@dataclass
class Here:
    """A workspace and settings on top of the tiny ones; ``sink`` hears what a terminal would."""

    workspace: Path
    settings: tuple[str, ...] = ()
    sink: ListSink = field(default_factory=ListSink)
    stop: StopFlag = field(default_factory=StopFlag)

    def context(self, *more: str) -> StageContext:
        return self._of(resolve([], overrides=[*TINY, *self.settings, *more]).config)

    def preset(self, name: str) -> StageContext:
        """At the size of a preset, without the tiny settings."""
        return self._of(resolve([], preset=name, overrides=list(self.settings)).config)

    def _of(self, config: Config) -> StageContext:
        return StageContext(
            workspace=self.workspace,
            config=config,
            sink=self.sink,
            stop=self.stop,
            now=lambda: dt.datetime.now(dt.UTC),
        )
