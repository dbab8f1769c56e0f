"""How much of a search's outcome each searched key explains, by PED-ANOVA.

Watanabe, Bansal, Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces", IJCAI 2023, arXiv:2304.10255: how far the distribution of a key among the best tenth of the
trials lies from its distribution among all. Shares that sum to 1; with few trials a rough hint, no finding.
"""

import warnings

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

MIN_TRIALS = 5
"""Complete trials below which nothing can be said."""


def importances(study: optuna.Study) -> dict[str, float]:
    """Searched key -> share, the largest first; empty with too few trials or equal outcomes."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < MIN_TRIALS or len({trial.value for trial in complete}) < 2:
        return {}
    with warnings.catch_warnings():
        # Optuna says on every construction that the evaluator is experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {key: float(share) for key, share in found.items()}
