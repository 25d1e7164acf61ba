"""What a person takes away: the best configuration and its checkpoint."""

from pathlib import Path
from typing import Any

from tuning.models import Study, Trial
from tuning.selectors.artifacts import opened
from tuning.selectors.errors import NotFound


def best_trial(study: Study) -> Trial:
    """The study's best completed trial. Raises NotFound while there is none."""
    if study.best_trial is None:
        raise NotFound("No trial of this study is complete yet, so there is no best configuration.")
    return study.best_trial


def best_configuration(study: Study) -> dict[str, Any]:
    """All that is needed to train the best configuration again. Raises NotFound while there is none."""
    trial = best_trial(study)
    return {
        "study": study.name,
        "study_id": study.pk,
        "trial": trial.number,
        "metric": study.metric,
        "direction": study.direction,
        "objective": study.objective,
        "value": trial.value,
        "step": trial.value_step,
        "params": trial.params,
        "seed": trial.seed,
        "epochs": trial.resource,
        "workload": study.workload,
        "workload_digest": study.workload_digest,
        "environment": trial.facts.get("environment", {}),
    }


def trial_checkpoint(trial: Trial) -> Path:
    """The checkpoint that the trial's value comes from: of its best step, or of its last. Raises NotFound."""
    best = trial.study.objective == Study.Objective.BEST
    relative = trial.best_checkpoint if best else trial.checkpoint
    if not relative:
        raise NotFound(
            f"Trial {trial.number} has left no checkpoint; plain objectives and scripts keep their own files."
        )
    return opened(relative)


def best_checkpoint(study: Study) -> Path:
    """The checkpoint of the study's best trial. Raises NotFound with the reason."""
    return trial_checkpoint(best_trial(study))
