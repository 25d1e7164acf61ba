"""Reading the final look of a study: what may be chosen, how the sealed choice stands, and what was revealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuning.analysis.final import FinalScore, final_findings, final_scores, score_name
from tuning.findings import Finding
from tuning.models import Job, Offering, Reveal, SealedChoice, Study, Trial
from tuning.selectors.curves import trial_curves
from tuning.selectors.errors import NotFound
from tuning.selectors.looks import looks_at, looks_under_way
from tuning.selectors.seal import NONE, seal_of
from tuning.selectors.trials import leaderboard
from tuning.selectors.work import workload_document
from tuning.selectors.workloads import split_of

SEEDS = 3
MOST_SEEDS = 20
SHOWN = 10  # configurations that the page offers
LONGEST_REASON = 500
Retrain = SealedChoice.Retrain


@dataclass(frozen=True)
class Standing:
    """How a study stands before its test set.

    state: "none" (nothing is sealed), "waits" or "runs" (its job), "broken" (its job has failed: no number was shown),
    "revealed". seal: the newest. looks: at the test set by any study, those under way among them, without this seal.
    trains: whether a choice is trained anew; hindrance: why none can be sealed now, in words, else "".
    """

    state: str
    seal: SealedChoice | None
    looks: int
    trains: bool
    hindrance: str

    @property
    def error(self) -> str:
        """Why a broken seal has no result; else empty."""
        return broken_words(self.seal) if self.seal is not None and self.state == "broken" else ""


def standing_before_test(study: Study) -> Standing:
    """The study's newest seal, how it stands, and whether another can be made."""
    seal = newest_seal(study)
    state = state_of(seal) if seal is not None else "none"
    others = looks_under_way(study).exclude(study=study)  # a study has one under way at most, its newest
    looks = looks_at(study).count() + others.count()
    return Standing(state, seal, looks, is_trained(study), hindrance_of(study))


def newest_seal(study: Study) -> SealedChoice | None:
    return SealedChoice.objects.filter(study=study).select_related("trial", "job", "reveal").order_by("-pk").first()


def seal_numbered(seal_id: int) -> SealedChoice:
    """A seal with its study and trial, for the worker that measures it. Raises NotFound."""
    seal = SealedChoice.objects.select_related("study", "trial").filter(pk=seal_id).first()
    if seal is None:
        raise NotFound(f"There is no seal {seal_id}; its study was deleted.")
    return seal


def state_of(seal: SealedChoice) -> str:
    """How a seal stands; see `Standing`."""
    if hasattr(seal, "reveal"):
        return "revealed"
    if seal.job is None:
        return "broken"
    return {Job.State.WAITING: "waits", Job.State.RUNNING: "runs"}.get(Job.State(seal.job.state), "broken")


def broken_words(seal: SealedChoice) -> str:
    """Why a broken seal has no result."""
    if seal.job is None:
        return "It was sealed, and not opened: run it again."
    return seal.job.error or "Its job has ended without an answer."


def is_trained(study: Study) -> bool:
    """Whether a choice is trained anew: of PyTorch workloads; others have reported their test metrics already."""
    return bool(study.workload) and workload_document(study.workload).get("kind") == "pytorch"


def hindrance_of(study: Study) -> str:
    """Why no choice can be sealed now, and what would help; empty where one can."""
    if study.kind == Study.PAIRED:
        return "These are runs of an advice: take the final look in the study whose trial they are for."
    if study.state == Study.State.RUNNING or study.n_running:
        return "Trials are running. Pause or stop the study, or wait for its end: the choice is made once, among all."
    if not candidates(study):
        return "No trial has a value yet, so there is nothing to choose from."
    if not study.workload:
        return ""
    document = workload_document(study.workload)
    if not document:
        return f"No worker has a workload named {study.workload!r} any more; its file is needed to train it."
    if document.get("kind") != "pytorch":
        return ""
    if seal_of(study).state == NONE:
        return f"{study.workload} has no test split. Add a method test_data() to it that returns examples kept apart."
    offered = Offering.objects.filter(workload=study.workload)
    if study.workload_digest and offered.exists() and not offered.filter(digest=study.workload_digest).exists():
        return (
            "The code of the workload has changed since the trials ran, and no host has the old one: what would be "
            "measured is not what they were. Put the file back and press Refresh on the workloads page."
        )
    return ""


def candidates(study: Study) -> list[Trial]:
    """The trials that may be chosen, the best first, at most SHOWN; cut ones only where none is complete."""
    rows = leaderboard(study, states=["COMPLETE"], limit=SHOWN, counted=True).rows
    chosen = [trial for trial in rows if trial.value is not None]
    return chosen or [trial for trial in [study.best_trial] if trial is not None]


def may_be_chosen(trial: Trial) -> bool:
    """Whether a trial of the study, beyond those that are shown, has a value that counts."""
    cut = trial.state == Trial.State.PRUNED and not trial.infeasible
    return trial.value is not None and not trial.is_excluded and (trial.state == Trial.State.COMPLETE or cut)


def validation_scores(trial: Trial) -> dict[str, float]:
    """What the trial scored at the step of its value, by score, training scores left out."""
    study, found = trial.study, dict[str, float]()
    for name, curve in trial_curves(trial).items():
        if not name.startswith("train") and trial.value_step in curve.steps:
            found[score_name(name)] = curve.values[curve.steps.index(trial.value_step)]
    if trial.value is not None:
        found[score_name(study.metric)] = trial.value
    return found


def epochs_of(trial: Trial, retrain: str) -> int:
    """How long a fresh training runs: as long as the trial, or, where nothing is left to choose by, to its best step.

    A study that takes the last step takes that of the trial in either case.
    """
    best = trial.value_step or trial.resource_done
    return max(1, best if retrain == Retrain.BOTH else trial.resource_done or best)


def seconds_per_seed(trial: Trial, retrain: str) -> float | None:
    """What one fresh training will take, by the trial's own time; None where it has none."""
    if trial.run_seconds <= 0 or trial.resource_done <= 0:
        return None
    share = 1.0
    split = split_of(trial.study.workload) if retrain == Retrain.BOTH else None
    if split is not None and split.sizes.get("train"):
        share += split.sizes.get("validation", 0) / split.sizes["train"]
    return float(trial.run_seconds / trial.resource_done * epochs_of(trial, retrain) * share)


def reveals_of(study: Study) -> list[Reveal]:
    """Every reveal of the study, the newest first."""
    rows = Reveal.objects.filter(study=study).select_related("seal", "trial", "study")
    return list(rows.order_by("-pk"))


def scores_of(reveal: Reveal) -> list[FinalScore]:
    """Every test score of a reveal with its interval, the one that chose the configuration first."""
    study = reveal.study
    return final_scores(reveal.result, reveal.seal.validation, _goals(study), score_name(study.metric))


def findings_of(reveal: Reveal, scores: Sequence[FinalScore]) -> list[Finding]:
    rows = reveal.result["seeds"]
    return final_findings(scores, reveal.looks_before, sum(bool(row.get("diverged")) for row in rows), len(rows))


def _goals(study: Study) -> dict[str, Any]:
    document = workload_document(study.workload) if study.workload else {}
    goals = {score_name(entry["name"]): entry.get("goal") or "" for entry in document.get("metrics") or ()}
    return {**goals, score_name(study.metric): study.direction}
