"""Which searched key explains the outcome of a search."""

import optuna
import pytest

from engine.config import TuneConfig
from engine.tuning.space import Space
from engine.tuning.study import _MIN_TRIALS, Study

optuna.logging.set_verbosity(optuna.logging.WARNING)


def importances(study: optuna.Study) -> dict[str, float]:
    space = Space(dimensions=(), left_out=())
    return Study(
        study=study, space=space, config=TuneConfig(), seed=1, parallel=False
    ).importances()


def searched(trials: int, *, flat: bool = False) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))

    def objective(trial: optuna.Trial) -> float:
        matters = trial.suggest_float("matters", -1.0, 1.0)
        trial.suggest_float("does_not", -1.0, 1.0)
        if trial.number == 1:
            raise optuna.TrialPruned
        return 0.0 if flat else -(matters**2)

    study.optimize(objective, n_trials=trials)
    return study


def test_the_key_that_matters_is_first_and_shares_sum_to_one() -> None:
    found = importances(searched(60))
    assert list(found) == ["matters", "does_not"]
    assert found["matters"] > 0.6
    assert sum(found.values()) == pytest.approx(1.0)
    assert found == importances(searched(60))


def test_too_few_or_equal_outcomes_say_nothing() -> None:
    assert importances(searched(_MIN_TRIALS)) == {}  # one of them was pruned
    assert importances(searched(_MIN_TRIALS + 1))
    assert importances(searched(20, flat=True)) == {}
    assert importances(optuna.create_study()) == {}
