"""What another process would do, done in this one."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.runs.sink import read_new
from engine.stages.context import StageContext
from engine.stages.tasks import Task, Watch
from engine.stages.workers import _Worker


@dataclass
class BesideHere:
    """Stands for `engine.stages.cluster.beside`; the last task comes first, as processes end in any order."""

    parts: list[str] = field(default_factory=list)
    """Of all tasks that were done."""

    def __call__(self, context: StageContext, jobs: int) -> "BesideHere":
        assert jobs > 1
        self._context = context
        return self

    def each(self, tasks: Iterator[Task], watch: Watch) -> Iterator[Task]:
        worker = _Worker(self._context)
        for task in reversed(list(tasks)):
            worker._do_part(task)
            self.parts.append(task.part)
            for event in read_new(task.events_path, 0)[0]:
                watch(task, event)
            yield task
