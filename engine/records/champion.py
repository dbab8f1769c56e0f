"""Which model trades, since when, and who was it before: ``models/champion.json`` and ``model.json``."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.records import record
from engine.records.figure import counted
from engine.records.names import model_name
from engine.records.rank_ic import RankICSummary
from engine.records.train import Spans

CHAMPION_FILE = Path("models") / "champion.json"
"""Below the workspace."""
Action = Literal["promoted", "rolled back", "refused"]


class GateCondition(Struct, frozen=True, kw_only=True):
    """One condition that a challenger has to meet, and how it did."""

    name: str
    passed: bool
    detail: str


class ChampionEntry(Struct, frozen=True, kw_only=True):
    """One promotion, rollback or refusal."""

    n: int
    """Number in the history, from 1."""
    action: Action
    model: str
    """Id of the package."""
    run: str = ""
    """The run it was made of; empty for a rollback."""
    reason: str = ""
    """Why it was promoted against the gate; empty if the gate let it through."""
    gate: tuple[GateCondition, ...] = ()
    at: str
    """UTC, ISO 8601."""


class ChampionHistory(Struct, frozen=True, kw_only=True):
    """Promotions, rollbacks and challengers that were refused, oldest first."""

    history: tuple[ChampionEntry, ...] = ()

    @property
    def reigns(self) -> tuple[ChampionEntry, ...]:
        """The entries that made a model champion, oldest first."""
        return tuple(entry for entry in self.history if entry.action != "refused")

    @property
    def champion(self) -> str:
        """Id of the model that trades now; empty before the first promotion."""
        return self.reigns[-1].model if self.reigns else ""

    @property
    def promotion(self) -> ChampionEntry | None:
        """The entry that names the run of the champion's package; None where none does, as a rollback."""
        own = (entry for entry in reversed(self.reigns) if entry.model == self.champion)
        return next((entry for entry in own if entry.run), None)

    @property
    def succession(self) -> list[str]:
        """Models that rollbacks would go back through, the champion last; empty before the first one."""
        line: list[str] = []
        for entry in self.reigns:
            if entry.action == "promoted" and (not line or line[-1] != entry.model):
                line.append(entry.model)
            elif entry.action == "rolled back" and len(line) > 1:
                line.pop()
        return line

    @property
    def before(self) -> str:
        """Id of the model that a rollback goes to; empty if there is none."""
        return "".join(self.succession[-2:-1])


class MemberFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One member of a packaged blend, or the one model of a package without networks."""

    name: str
    files: tuple[str, ...]
    """Within the package: one a network; of fitted models one for all seeds, and the code of one's own."""
    blocks: tuple[tuple[str, ...], ...] = ()
    """Blocks that are switched on in each network; fitted models have none."""


class ModelFacts(Struct, frozen=True, kw_only=True):
    """What a package of networks says of itself."""

    features: tuple[str, ...] = ()
    """Names of the inputs, in their order on the tensor."""
    blocks: tuple[tuple[str, ...], ...] = ()
    """Blocks that are switched on in each network of a model that is no blend."""
    members: tuple[MemberFacts, ...] = ()
    """What a blend is made of, or the one model that is no network; empty for networks of one kind."""
    rules: dict[str, object] = {}
    """Everything of the configuration that decides the inputs."""
    splits: dict[str, object] = {}
    """``train``, ``validation`` and ``test`` -> ISO dates ``first`` and ``last``, and the gaps between."""
    last_session: str = ""
    """Newest session of the data when it was trained; it has learned from none after `trained_to`."""
    score_horizon: int = 0
    """Sessions that the traded score looks ahead."""
    test: RankICSummary
    """Out of sample, on the days of the test span."""

    @property
    def networks(self) -> int:
        """How many networks are in the package, those of all members."""
        return len(self.blocks) + sum(len(member.blocks) for member in self.members)

    @property
    def words(self) -> str:
        """What the model is: ``3 networks``, or ``blend of network x3, perceptron x3, LightGBM, ridge``."""
        if not self.members:
            return counted(self.networks, "network")
        sizes = {model_name(member.name): len(member.blocks) for member in self.members}
        told = ", ".join(f"{name} x{n}" if n > 1 else name for name, n in sizes.items())
        return f"blend of {told}" if len(sizes) > 1 else told

    @property
    def trained_to(self) -> str:
        """Last session whose label was learned from, ISO date; in older packages the last training day."""
        spans = self._spans
        return spans.trained_to or spans.train.last or self.last_session

    @property
    def chosen_to(self) -> str:
        """Last session that the training or the choice of its epochs has seen, ISO date."""
        return self._spans.validation.last

    def has_seen(self, session: str) -> bool:
        """Whether training or the choice of epochs has seen the session (ISO date) or a return from it on.

        A refit has learned from labels that end in the embargo before the test days.
        """
        spans = self._spans
        return session < spans.test.first if spans.refitted else session <= spans.validation.last

    @property
    def _spans(self) -> Spans:
        return record.convert(self.splits, Spans, "splits of a model")
