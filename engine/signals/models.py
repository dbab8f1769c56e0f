"""Models that may trade: packages of weights by content, and the list of which one was champion when.

    models/<id>/{seed-1.safetensors, ..., config.toml, reference.npz, model.json, manifest.json}
    models/champion.json

A blend has the files of each member, as ``mlp-seed-1.safetensors`` and ``ridge.npz``.

A package is never changed; its id is the digest of what is in it, so it names neither a run nor a path.
"""

import datetime as dt
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import engine
from engine.config import (
    BacktestConfig,
    Config,
    ConstraintConfig,
    CostConfig,
    DataConfig,
    PortfolioConfig,
    SignalConfig,
    WorkspaceConfig,
)
from engine.config.file import read_resolved, write_resolved
from engine.errors import GateError, IntegrityError, UsageError
from engine.files import (
    building,
    digest,
    inside,
    read_manifest,
    write_bytes,
    write_json,
    write_manifest,
)
from engine.hashes import sha256
from engine.records import record
from engine.records.champion import (
    CHAMPION_FILE,
    Action,
    ChampionEntry,
    ChampionHistory,
    GateCondition,
    MemberFacts,
    ModelFacts,
)
from engine.records.train import NETWORK
from engine.signals.drift import Reference

_FACTS, _CONFIG, _REFERENCE = "model.json", "config.toml", "reference.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFiles:
    """Where the models of one member lie."""

    name: str
    paths: tuple[Path, ...]
    """One a network, or one for all seeds of fitted models."""
    blocks: tuple[tuple[str, ...], ...] = ()
    """Blocks that are switched on in each network."""


@dataclass(frozen=True, slots=True)
class Model:
    """One package of models."""

    directory: Path

    @property
    def id(self) -> str:
        """Digest of what is in it."""
        return self.directory.name

    @property
    def facts(self) -> ModelFacts:
        """What it was trained on, and the figures it is known by."""
        return record.read(self.directory / _FACTS, ModelFacts)

    def config(self) -> Config:
        """Everything that decides its inputs and its shape; tables of trading have their defaults."""
        return read_resolved(self.directory / _CONFIG)

    def reference(self) -> Reference:
        """What drift is measured against."""
        return Reference.from_bytes((self.directory / _REFERENCE).read_bytes())

    def members(self) -> tuple[MemberFiles, ...]:
        """The files of each member; a model that is no blend has its networks as the only one."""
        facts = self.facts
        names = tuple(member_file(NETWORK, n) for n in range(len(facts.blocks)))
        alone = MemberFacts(name=NETWORK, files=names, blocks=facts.blocks)
        return tuple(
            MemberFiles(
                name=member.name,
                paths=tuple(self.directory / name for name in member.files),
                blocks=member.blocks,
            )
            for member in facts.members or (alone,)
        )

    def verify(self) -> None:
        """IntegrityError unless every file is as it was packed."""
        read_manifest(self.directory)


@dataclass(frozen=True, slots=True)
class ModelStore:
    """Every package of a workspace, and who is champion."""

    root: Path
    """``WORKSPACE/models``."""

    def pack(
        self,
        files: Mapping[str, Path],
        config: Config,
        facts: Mapping[str, Any],
        reference: Reference,
    ) -> Model:
        """Copy the files of a run's members into a package; the same run gives the same one.

        ``files``: name in the package -> file of the run, in the order of ``facts``.
        """
        content = reference.to_bytes()
        kept = _model_config(config)
        name = digest(
            {
                "weights": [sha256(path) for path in files.values()],
                "config": kept.model_dump(mode="json"),
                "facts": dict(facts),
                "reference": content.hex(),
            }
        )
        target = self.root / name
        if not (target / "manifest.json").exists():
            with building(target) as staging:
                for inside, path in files.items():
                    shutil.copyfile(path, staging / inside)
                write_resolved(staging / _CONFIG, kept)
                write_bytes(staging / _REFERENCE, content)
                write_json(staging / _FACTS, facts)
                write_manifest(staging, {})
        return Model(target)

    def open(self, name: str) -> Model:
        """A package by its id, after its hashes were checked."""
        model = Model(inside(self.root, name))
        if not (model.directory / "manifest.json").is_file():
            raise IntegrityError(f"{model.directory}: no such model package")
        model.verify()
        return model

    # ---- who is champion -----------------------------------------------------------------------

    def history(self) -> ChampionHistory:
        """Promotions, rollbacks and challengers that were refused; empty before the first."""
        found = record.read_if_there(self.root / CHAMPION_FILE.name, ChampionHistory)
        return found or ChampionHistory()

    def champion(self) -> Model | None:
        """The package that trades now, after its hashes were checked."""
        name = self.history().champion
        return self.open(name) if name else None

    def require_champion(self) -> Model:
        """The package that trades now. UsageError while there is none."""
        model = self.champion()
        if model is None:
            raise UsageError(
                "there is no champion yet",
                hint="`atft-tui promote RUN`, or name a run with --run",
            )
        return model

    def record(
        self,
        action: Action,
        model: str,
        *,
        at: dt.datetime,
        run: str = "",
        reason: str = "",
        gate: Sequence[GateCondition] = (),
    ) -> ChampionEntry:
        """Add one entry. ``promoted`` and ``rolled back`` make the model champion; ``refused`` does not."""
        history = self.history().history
        entry = ChampionEntry(
            n=len(history) + 1,
            action=action,
            model=model,
            run=run,
            reason=reason,
            gate=tuple(gate),
            at=at.isoformat(timespec="seconds"),
        )
        record.write(self.root / CHAMPION_FILE.name, ChampionHistory(history=(*history, entry)))
        return entry

    def predecessor(self) -> str:
        """The champion before the present one: what a rollback goes to. GateError without one."""
        before = self.history().before
        if not before:
            raise GateError("there is no earlier champion to go back to")
        return before


def _model_config(config: Config) -> Config:
    """The configuration without what does not touch the network: workspace, access to data, trading."""
    horizon = config.training.score_horizon
    kept = ("market", "calendar", "index_symbol")
    data = DataConfig(**{name: getattr(config.data, name) for name in kept})
    return config.model_copy(
        update={
            "workspace": WorkspaceConfig(),
            "data": data,
            "portfolio": PortfolioConfig(horizon=horizon),
            "constraints": ConstraintConfig(),
            "costs": CostConfig(),
            "backtest": BacktestConfig(),
            "signals": SignalConfig(),
        }
    )


def member_file(member: str, n: int | None = None) -> str:
    """Name in a package of a member's ``n``-th network, or of its fitted models (None)."""
    if n is None:
        return f"{member}.npz"
    prefix = "" if member == NETWORK else f"{member}-"
    return f"{prefix}seed-{n + 1}.safetensors"


def code_digest(model: Model | None = None) -> dict[str, str]:
    """Version and digest of the program's source, engine and strategies; place and hash of each of the
    user's modules that a package of models holds a copy of.
    """
    root = Path(engine.__file__).parents[1]
    total = hashlib.sha256()
    for path in sorted(p for part in ("engine", "strategies") for p in (root / part).rglob("*.py")):
        total.update(str(path.relative_to(root)).encode())
        total.update(path.read_bytes())
    copies = sorted(model.directory.glob("*.py")) if model else ()
    own = {f"models/{path.name}": sha256(path) for path in copies}
    return {"version": metadata.version("atft-tui"), "sha256": total.hexdigest()[:16], **own}
