"""Commands in this process, for journeys that need no child: what a stage does without its start-up."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from engine.config_file import resolve
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
        config = resolve([], overrides=[*TINY, *self.settings, *more]).config
        return StageContext(
            workspace=self.workspace,
            config=config,
            sink=self.sink,
            stop=self.stop,
            now=lambda: dt.datetime.now(dt.UTC),
        )
