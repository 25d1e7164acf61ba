"""REPEATS: data and trainings that are the same for the same seed."""

from __future__ import annotations

import math
import time

import torch

from tuning.training.examples import examples_digest, load_data
from tuning.training.preflight.check import Result, number
from tuning.training.preflight.errors import workload_code
from tuning.training.preflight.short import Short, epochs_for, short_training
from tuning.training.preflight.subject import PROBE, SEED, Subject

STEPS = 30
SLOW = 20.0  # seconds of reading the data: no second time
CUDA_TOLERANCE = 0.01  # of a loss, where the device's own order of adding is not fixed


def repeats(subject: Subject) -> Result:
    """Read the data twice, and train twice with one seed."""
    data = _same_data(subject)
    if data is False:
        return Result(
            "failed",
            "data() returns other examples at its second call.",
            "Every trial would learn from and be measured on another split: scores cannot be compared, and what one "
            "trial "
            "trains on another validates on.",
            "Draw the split with a fixed seed (tuning.training.stratified_split has one), and sort what comes from "
            "folders "
            "or sets.",
        )
    trainings = [_training(subject) for _ in range(2)]
    first, second = (_metrics(short) for short in trainings)
    if not first or not second:
        diverged = all(short.diverged for short in trainings)
        says = "Both trainings diverged" if diverged else "The time was over before two trainings were done"
        return Result("info", f"{says}: there is nothing to compare.", evidence={"data read twice": data is True})
    differing = sorted(name for name in first if not _equal(subject, first[name], second[name]))
    evidence = {"first": first, "second": second, "data read twice": data is True}
    if differing:
        return _differs(subject, differing[0], first, second, evidence)
    if not _same_answers(subject):
        return _dice(evidence)
    twice = "Data read twice and two trainings with one seed agree" if data else "Two trainings with one seed agree"
    return Result("passed", f"{twice}{', to the last digit' * (subject.device.type == 'cpu')}.", evidence=evidence)


def _differs(
    subject: Subject, name: str, first: dict[str, float], second: dict[str, float], evidence: dict[str, object]
) -> Result:
    """On a CPU that is the workload's doing; a GPU may add in another order each time."""
    return Result(
        "failed" if subject.device.type == "cpu" else "warning",
        f"Two trainings with one seed differ: {name} is {number(first[name])} and {number(second[name])}.",
        "A trial cannot be repeated, and differences between configurations hide among those of chance.",
        "Draw from the generators of torch, numpy and python, which hpweb seeds, or from the one that augment() and "
        "train_loader() are given: never from one of the workload's own making, the clock or a set's order.",
        evidence,
    )


def _same_answers(subject: Subject) -> bool:
    """Whether a model in eval mode answers the same to the same inputs."""
    model = subject.build(SEED)
    inputs, _ = subject.examples(PROBE)
    model.eval()
    with torch.no_grad():
        first, second = (subject.output(model, inputs) for _ in range(2))
    tolerance = 0.0 if subject.device.type == "cpu" else CUDA_TOLERANCE
    return torch.allclose(first, second, rtol=tolerance, atol=tolerance, equal_nan=True)


def _dice(evidence: dict[str, object]) -> Result:
    return Result(
        "warning",
        "A model in eval mode answers differently when it is asked the same twice.",
        "Every validation score is a throw of the dice.",
        "Give functional dropout training=self.training, and add noise in train mode only; nothing where the model is "
        "meant to answer at random.",
        evidence,
    )


def _same_data(subject: Subject) -> bool | None:
    """Whether a second reading gives the same examples; None where a first one took too long."""
    began = time.monotonic()
    with workload_code("data()"):
        again = load_data(subject.workload)
        if time.monotonic() - began > SLOW or subject.clock.over():
            return None
        return examples_digest(again) == examples_digest(subject.splits)


def _training(subject: Subject) -> Short:
    return short_training(subject, subject.sample.splits, min(2, epochs_for(subject, STEPS)))


def _metrics(short: Short) -> dict[str, float]:
    return short.epochs[-1] if short.epochs and not short.cut else {}


def _equal(subject: Subject, one: float, other: float) -> bool:
    if one == other or (math.isnan(one) and math.isnan(other)):
        return True
    return subject.device.type != "cpu" and math.isclose(one, other, rel_tol=CUDA_TOLERANCE, abs_tol=CUDA_TOLERANCE)
