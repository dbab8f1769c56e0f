"""A cluster without Ray: its actors are objects here, its calls are answered at once. What they keep is real:
a copy of the workspace, and worker processes (the small scripts of test_processes) in it.
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.config import Config
from engine.errors import EngineError, EnvironmentProblem, GateError, IntegrityError
from engine.runs.events import Noted, RunEvent
from engine.runs.launch import ControlFiles
from engine.runs.sink import ListSink
from engine.runs.store import Run
from engine.stages import cluster
from engine.stages.cluster import _NodeActor, _RayWorker, beside
from engine.stages.context import StageContext, StopFlag
from engine.stages.node import NodeFacts, data_files, place_data
from engine.stages.tasks import Task
from tests.engine.stages.test_processes import _small_workers as small_workers

__all__ = ["small_workers"]


class ActorLostError(Exception):
    pass


@dataclass
class Call:
    """A method of an actor; its answer is made when it is asked for."""

    actor: "Actor"
    name: str

    def remote(self, *arguments: object) -> Callable[[], Any]:
        if self.actor.lost:
            return self.actor.fail
        value = getattr(self.actor.worker, self.name)(*arguments)
        return lambda: value


@dataclass
class Actor:
    worker: _NodeActor
    lost: bool = False

    def __getattr__(self, name: str) -> Call:
        return Call(self, name)

    def fail(self) -> None:
        raise ActorLostError("the node is gone")


@dataclass
class Ray:
    """As much of Ray as is used."""

    memory: float = 2**30
    room: int = 99
    """Actors that a node has a core for."""
    actors: list[Actor] = field(default_factory=list)
    exceptions: Any = None

    def __post_init__(self) -> None:
        self.exceptions = type("exceptions", (), {"RayActorError": ActorLostError})

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"memory": self.memory}}]

    def put(self, value: bytes) -> Callable[[], bytes]:
        return lambda: value

    def get(self, ref: Callable[[], Any]) -> Any:
        return ref()

    def wait(self, refs: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        return refs, []

    def kill(self, actor: Actor) -> None:
        actor.lost = True

    def remote(self, kind: type[_NodeActor]) -> Any:
        def make(*arguments: Any) -> Actor:
            self.actors.append(Actor(kind(*arguments)))
            return self.actors[-1]

        maker = type("maker", (), {"remote": staticmethod(make)})
        return type("options", (), {"options": staticmethod(lambda **_: maker)})


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ray:
    found = Ray()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(cluster, "_ray", lambda: found)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return found


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    workspace = tmp_path / "workspace"
    for name in ("data/CURRENT", "features/f/x-0000.npy"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(name)
    config = Config.model_validate({"executor": {"kind": "ray"}})
    return StageContext(workspace=workspace, config=config, sink=ListSink(), stop=StopFlag())


@pytest.fixture
def run(context: StageContext) -> Run:
    return context.store.create("walkforward", Config())


def do(context: StageContext, run: Run, *parts: str, told: list[RunEvent] | None = None) -> Any:
    def watch(task: Task, event: RunEvent) -> bool:
        if told is not None:
            told.append(event)
        return True

    tasks = (Task(run, part) for part in parts)
    return sorted(task.part for task in beside(context, 2).each(tasks, watch))


def test_the_nodes_work_in_copies_and_what_they_write_comes_back(
    context: StageContext, run: Run, ray: Ray
) -> None:
    assert do(context, run, *"abcd") == [*"abcd"]
    workspaces = {actor.worker.workspace for actor in ray.actors}
    assert len(workspaces) == 2
    assert context.workspace not in workspaces
    for part in "abcd":
        assert run.path(f"tasks/{part}/log.txt").read_text().strip().isdigit()
    assert not any(workspace.exists() for workspace in workspaces), "they are removed at the end"


def test_the_copy_holds_the_data_once_for_all_workers(
    context: StageContext, run: Run, ray: Ray
) -> None:
    do(context, run, *"ab")
    copies = [p for p in Path(tempfile.gettempdir()).glob("atft-tui-*/*") if p.is_dir()]
    assert len(copies) == 1
    copied = {name: path.read_text() for name, path in data_files(copies[0]).items()}
    assert copied == {name: name for name in ("data/CURRENT", "features/f/x-0000.npy")}


def test_a_task_whose_node_is_lost_is_begun_on_another(
    context: StageContext, run: Run, ray: Ray
) -> None:
    told: list[RunEvent] = []
    begin = _NodeActor.begin

    def lose_the_first(worker: _NodeActor, run: str, part: str, pieces: Any) -> None:
        begin(worker, run, part, pieces)
        ray.actors[0].lost = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_NodeActor, "begin", lose_the_first)
        assert do(context, run, "a", "b", told=told) == ["a", "b"]
    assert any(isinstance(e, Noted) and "it is begun again" in e.message for e in told)


def test_a_worker_that_waits_for_a_machine_gets_no_task(
    context: StageContext, run: Run, ray: Ray, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = _RayWorker.ready
    waiting: set[int] = set()

    def only_the_first(worker: _RayWorker) -> bool:
        if worker.actor is ray.actors[0]:
            return ready(worker)
        waiting.add(id(worker))
        return False

    monkeypatch.setattr(_RayWorker, "ready", only_the_first)
    assert do(context, run, *"abc") == [*"abc"]
    assert waiting, "a second worker was wanted, and all was done without it"


@pytest.mark.parametrize("allowed", [False, True])
def test_a_node_with_another_processor_is_refused_unless_allowed(
    context: StageContext, run: Run, ray: Ray, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    executor = context.config.executor.model_copy(update={"any_processor": allowed})
    context = with_executor_table(context, executor)
    _differ(monkeypatch, processor="another kind")
    if allowed:
        assert do(context, run, "a") == ["a"]
        return
    with pytest.raises(GateError, match=r"processor: .* here, another kind there") as raised:
        do(context, run, "a")
    assert "any_processor" in raised.value.hint


def with_executor_table(context: StageContext, executor: Any) -> StageContext:
    return replace(context, config=context.config.model_copy(update={"executor": executor}))


def _differ(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    """From now on a node's facts are others than the starter's."""
    here = NodeFacts.here("")
    made: list[int] = []

    def facts(data: str) -> NodeFacts:
        made.append(1)
        found = msgspec.structs.replace(here, data=data)
        return found if len(made) == 1 else msgspec.structs.replace(found, **changed)

    monkeypatch.setattr(NodeFacts, "here", facts)


def test_other_libraries_are_refused_whatever_the_processor(
    context: StageContext, run: Run, ray: Ray, monkeypatch: pytest.MonkeyPatch
) -> None:
    _differ(monkeypatch, libraries={**NodeFacts.here("").libraries, "torch": "1.0"})
    with pytest.raises(GateError, match=r"torch: .* here, 1\.0 there"):
        do(context, run, "a")


def test_data_that_fill_a_node_need_a_shared_directory(
    context: StageContext, run: Run, ray: Ray
) -> None:
    ray.memory = 4.0 * sum(path.stat().st_size for path in data_files(context.workspace).values())
    do(context, run, "a")
    ray.memory -= 1
    with pytest.raises(GateError, match="more than a quarter") as raised:
        do(context, run, "b")
    assert "executor.shared" in raised.value.hint


def test_in_a_shared_directory_nothing_is_carried(
    context: StageContext, run: Run, ray: Ray
) -> None:
    executor = context.config.executor.model_copy(update={"shared": True})
    context = with_executor_table(context, executor)
    assert do(context, run, "a") == ["a"]
    assert ray.actors[0].worker.workspace == context.workspace
    assert context.workspace.exists()
    assert not list(Path(tempfile.gettempdir()).glob("atft-tui-*"))


def test_a_file_that_arrives_with_other_bytes_is_refused(ray: Ray) -> None:
    listing = {"data/CURRENT": hashlib.sha256(b"right").hexdigest()}
    with pytest.raises(IntegrityError, match="data/CURRENT: arrived with other bytes"):
        place_data(listing, lambda name: b"wrong")


def test_a_worker_that_cannot_start_says_why(context: StageContext, run: Run, ray: Ray) -> None:
    class Lost(_NodeActor):
        def __init__(self, *arguments: Any) -> None:
            self.facts = NodeFacts.here("")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "_NodeActor", Lost)
        made = ray.remote

        def lost(kind: type[_NodeActor]) -> Any:
            options = made(kind)
            maker = options.options().remote

            def make(*arguments: Any) -> Actor:
                actor: Actor = maker(*arguments)
                actor.lost = True
                return actor

            chosen = type("maker", (), {"remote": staticmethod(make)})
            return type("options", (), {"options": staticmethod(lambda **_: chosen)})

        patch.setattr(ray, "remote", lost)
        with pytest.raises(EnvironmentProblem, match="could not start on the cluster: the node is"):
            do(context, run, "a")


def test_a_pause_lasts_and_another_wish_is_asked_once(
    context: StageContext, run: Run, ray: Ray
) -> None:
    files = ControlFiles.of(run, "a")
    files.ask("pause")
    files.ask("checkpoint")
    worker = _RayWorker(None, NodeFacts.here(""), context.config, task=Task(run, "a"))
    assert worker._wishes() == {"pause", "checkpoint"}
    assert worker._wishes() == {"pause"}


def test_ray_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match="Ray is not installed here") as raised:
        cluster._ray()
    assert "atft-tui[ray]" in raised.value.hint
