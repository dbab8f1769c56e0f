"""Tasks on the machines of a Ray cluster: the same workers as here, each kept by an actor on its node.

Of Ray only actors and its object store are used. The starter carries the data of the workspace there once
and the files of a run as they change, and writes the run's events itself; so whoever looks at the run sees
what he would see of local processes.
"""

import hashlib
import signal
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from engine.config import Config
from engine.errors import EnvironmentProblem, GateError, UsageError
from engine.runs.launch import ControlFiles, Wish
from engine.stages.context import StageContext
from engine.stages.node import (
    Mirror,
    NodeFacts,
    NodeWorker,
    Report,
    data_files,
    digest_of,
    place_data,
    shared_digest,
    takes_part,
    workspace_on,
)
from engine.stages.processes import Processes
from engine.stages.tasks import Answer, Task

_TRIES = 4
"""How often a task is begun: a node that is lost takes its tasks along, and another may follow it."""
_STORE_SHARE = 0.25
"""Of a node's memory that the data may fill; larger ones need a directory that all machines see."""
_KILLED = -9
_POLL_S = 0.1
_ANSWER_S = 5.0


def beside(context: StageContext, jobs: int) -> Processes:
    """Where ``jobs`` tasks at a time are done: in processes of this machine, or on the cluster."""
    config = context.config.executor
    if config.kind == "local":
        return Processes(context, jobs)
    _connect(config.address)
    carried = None if config.shared else _carry(context.workspace)
    start = partial(_hire, carried=carried, facts=_facts(context, carried))
    return Processes(context, jobs, start=start, tries=_TRIES)


def cluster_cores(config: Config) -> int:
    """Cores of all machines of the cluster."""
    _connect(config.executor.address)
    return int(_ray().cluster_resources().get("CPU", 1))


@dataclass(frozen=True, slots=True)
class _Carried:
    """The workspace's data in the object store of the cluster."""

    listing: dict[str, str]
    """Name -> SHA-256."""
    refs: Mapping[str, Any]


def _ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError(
            "executor.kind = ray: Ray is not installed here",
            hint="`pip install 'atft-tui[ray]'` on every machine (docs/cluster.md)",
        ) from error
    return ray


def _connect(address: str) -> None:
    """Join the cluster once; the signals of this process stay its own."""
    ray = _ray()
    if ray.is_initialized():
        return
    main = threading.current_thread() is threading.main_thread()
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _require_answer(address)
        ray.init(address, log_to_driver=False, logging_level="ERROR", namespace="atft-tui")
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise EnvironmentProblem(
            f"no Ray cluster at {address}: {error}",
            hint="`ray start --head` on one machine, `ray start --address HOST:6379` on the others",
        ) from error
    for number, handler in kept.items() if main else ():
        signal.signal(number, handler)


def _require_answer(address: str) -> None:
    """OSError within seconds where nobody listens; Ray itself asks for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), _ANSWER_S).close()


def _carry(workspace: Path) -> _Carried:
    """Put the data into the object store. GateError where they fill too much of a node's memory."""
    ray, files = _ray(), data_files(workspace)
    size = sum(path.stat().st_size for path in files.values())
    memory = [node["Resources"].get("memory", 0.0) for node in ray.nodes() if node["Alive"]]
    if memory and size > _STORE_SHARE * min(memory):
        raise GateError(
            f"the data, {size / 2**30:.1f} GiB, fill more than a quarter of the smallest node's "
            f"{min(memory) / 2**30:.1f} GiB",
            hint="keep the workspace in a directory that all machines see: executor.shared = true",
        )
    listing, refs = {}, {}
    for name, path in files.items():
        content = path.read_bytes()
        listing[name], refs[name] = hashlib.sha256(content).hexdigest(), ray.put(content)
    return _Carried(listing, refs)


def _facts(context: StageContext, carried: _Carried | None) -> NodeFacts:
    data = digest_of(carried.listing) if carried else shared_digest(context.workspace)
    return NodeFacts.here(data)


class _NodeActor(NodeWorker):
    """What Ray keeps on a node."""

    def __repr__(self) -> str:
        """Where it works: Ray writes it into its errors."""
        return f"worker in {self.workspace}"

    def __init__(self, workspace: str, config: str, carried: _Carried | None) -> None:
        settings = Config.model_validate_json(config)
        if carried is None:
            place = Path(workspace)
            super().__init__(place, settings, NodeFacts.here(shared_digest(place)), shared=True)
            return
        get = _ray().get
        data = place_data(carried.listing, lambda name: get(carried.refs[name]))
        facts = NodeFacts.here(digest_of(carried.listing))
        super().__init__(workspace_on(data), settings, facts)


@dataclass(slots=True)
class _RayWorker:
    """The worker on a node, as the starter sees it. No call waits for the node, but where it is let go."""

    actor: Any
    facts: NodeFacts
    """Of this machine."""
    config: Config
    task: Task | None = None
    asked: bool = False
    _mirrors: dict[str, Mirror] = field(default_factory=dict)
    _pending: Any = None
    """A report that was asked for."""
    _code: int | None = None
    _placed: bool = False
    """A node has answered."""
    _released: bool = False
    _why: str = ""

    def ready(self) -> bool:
        """Whether a node has it, and is like this machine. EnvironmentProblem where it died at its start."""
        if not self._placed:
            self.answer()
        if self._code is not None and not self._placed:
            raise EnvironmentProblem(
                f"a worker could not start on the cluster: {self._why}",
                hint="`ray status` may tell more",
            )
        return self._placed

    def begin(self, task: Task) -> None:
        """Send the task, with what is here of its run."""
        self.task = task
        pieces = []
        if not self.config.executor.shared:
            mirror = self._mirrors.setdefault(task.run.id, Mirror(task.run.directory))
            mirror.wanted = takes_part(task.part)
            pieces = mirror.changes()
        self.actor.begin.remote(task.run.id, task.part, pieces)

    def answer(self) -> Answer | None:
        """The answer, if it has come; what else has come is written first."""
        if self._code is not None:
            return None
        ray = _ray()
        if self._pending is None:
            self._pending = self.actor.report.remote(self._wishes())
        if not ray.wait([self._pending], timeout=0)[0]:
            return None
        pending, self._pending = self._pending, None
        try:
            report: Report = ray.get(pending)
        except ray.exceptions.RayActorError as error:
            self._code, self._why = _KILLED, str(error)
            return None
        if not self._placed:
            self._require_alike(report.facts)
            self._placed = True
        if self.task is not None and not self.config.executor.shared:
            self._mirrors[self.task.run.id].apply(report.pieces)
        self._code = report.code
        if self._code is not None:
            self._release()
        return report.answer

    def ended(self) -> int | None:
        """Exit code of its process; -9 where the node is gone."""
        if self.task is None:
            self.answer()
        return self._code

    def stop(self) -> None:
        """Ask once."""
        if not self.asked:
            self.asked = True
            self.actor.stop.remote()

    def dismiss(self) -> None:
        """No more tasks for it."""
        self.actor.dismiss.remote()

    def bury(self, seconds: float) -> None:
        """Take what it still saves, for so long at most; then end process and actor."""
        end = time.monotonic() + seconds
        while self._code is None and time.monotonic() < end:
            self.answer()
            time.sleep(_POLL_S)
        self._release()

    def _release(self) -> None:
        """Give the core back."""
        if not self._released:
            self._released = True
            ray = _ray()
            ray.wait([self.actor.clear.remote()], timeout=1.0)
            ray.kill(self.actor)

    def _wishes(self) -> frozenset[Wish]:
        """What a person asks of the task; all but a pause are asked once."""
        if self.task is None or self.config.executor.shared:
            return frozenset()
        files = ControlFiles.of(self.task.run, self.task.part)
        asked = files.asked()
        for wish in asked - {"pause"}:
            files.withdraw(wish)
        return asked

    def _require_alike(self, theirs: NodeFacts) -> None:
        """GateError where the node's code, data or libraries would give other bytes."""
        found = self.facts.differences(theirs)
        if self.config.executor.any_processor:
            found.pop("processor", None)
        if found:
            told = "; ".join(f"{name}: {words}" for name, words in found.items())
            hint = "the same version and `pip install -c constraints.txt` on every machine"
            if set(found) == {"processor"}:
                hint = "executor.any_processor = true takes it; the last bits may then differ"
            raise GateError(f"a node of the cluster is not like this machine: {told}", hint=hint)


def _hire(
    context: StageContext, jobs: int, task: Task, *, carried: _Carried | None, facts: NodeFacts
) -> _RayWorker:
    """An actor on the node that has most room."""
    ray, config = _ray(), context.config
    made = ray.remote(_NodeActor).options(num_cpus=1, scheduling_strategy="SPREAD")
    actor = made.remote(str(context.workspace.resolve()), config.model_dump_json(), carried)
    return _RayWorker(actor, facts, config)
