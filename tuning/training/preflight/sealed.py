"""TEST-LABELS: whether the sealed test split can measure what is learned: its classes, and how its numbers lie.

Of the test split nothing but how many classes it lacks, or that it differs, leaves this module. As DUPLICATES it comes
after everything that trains.
"""

from __future__ import annotations

import torch
from scipy.stats import ks_2samp
from torch import Tensor

from tuning.training.determinism import seed_everything
from tuning.training.preflight.check import Result, skipped
from tuning.training.preflight.errors import workload_code
from tuning.training.preflight.labels import CHANCE, all_targets
from tuning.training.preflight.sample import draw_part
from tuning.training.preflight.subject import SEED, Subject
from tuning.training.splits import opened_seal


def sealed_labels(subject: Subject) -> Result:
    """Hold the test targets against the training targets."""
    if not subject.workload.has_test_data():
        return skipped("The workload has no test split.")
    train, _ = all_targets(subject)
    seed_everything(SEED)
    with opened_seal(), workload_code("test_data()"):
        test = draw_part(subject.workload.test_data(), subject.clock).targets
    if train is None or test is None or subject.task.kind == "unknown":
        return skipped("The targets are neither classes nor numbers that can be stacked into one tensor.")
    if subject.task.classifies:
        return _classes(subject.task.labels(train), subject.task.labels(test))
    return _numbers(train, test)


def _classes(train: Tensor, test: Tensor) -> Result:
    known, held = train[train >= 0].unique(), test[test >= 0].unique()
    lacking, unseen = int((~torch.isin(known, held)).sum()), int((~torch.isin(held, known)).sum())
    evidence = {"classes": len(known), "lacking": lacking, "unseen": unseen}
    if not lacking and not unseen:
        return Result("passed", f"The test split has all {len(known)} classes, and no other.", evidence=evidence)
    says = f"The test split lacks {lacking} of the {len(known)} classes of the training split"
    return Result(
        "warning",
        f"{says} and has {unseen} that this lacks.",
        "The final score will not be that of the task which the trials learn.",
        "Look how test_data() picks its examples; tuning.training.stratified_split gives every class its share.",
        evidence,
    )


def _numbers(train: Tensor, test: Tensor) -> Result:
    known, held = (part.double().flatten().numpy() for part in (train, test))
    alike = float(ks_2samp(known, held).pvalue) >= CHANCE
    if alike:
        return Result("passed", "The test targets are distributed as the training targets.")
    return Result(
        "warning",
        "The test targets are distributed otherwise than the training targets.",
        "The final score will not be that of the task which the trials learn.",
        "Split at random, stratified by quantile_bins of the target, unless the difference is meant.",
    )
