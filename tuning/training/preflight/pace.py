"""How long an epoch of the whole data takes, from the first steps and a few measured batches."""

from __future__ import annotations

import statistics
import time

import torch

from tuning.training.batches import Batches, size_of
from tuning.training.preflight.errors import workload_code
from tuning.training.preflight.steps import first_steps
from tuning.training.preflight.subject import SEED, Subject

SECONDS = 5.0  # of measuring
WARM = 2  # steps that pay for what is done once


def parameter_count(subject: Subject) -> int:
    """Of the model at the defaults."""
    return sum(parameter.numel() for parameter in subject.build(SEED).parameters())


def seconds_per_epoch(subject: Subject) -> float:
    """Training steps on all of the training split, and the measuring of both splits, without the checkpoint."""
    found = first_steps(subject)
    steps = found.seconds[WARM:] or found.seconds
    training = statistics.fmean(steps) * found.loader_length
    sizes = size_of(subject.splits.train) + size_of(subject.splits.validation)
    return training + _evaluation(subject) * sizes


def _evaluation(subject: Subject) -> float:
    """Seconds an example takes to be measured."""
    model = subject.build(SEED)
    model.eval()
    seen, began = 0, time.perf_counter()
    with torch.no_grad(), workload_code("the model in eval mode"):
        for inputs, targets in Batches(subject.splits.validation, subject.workload.evaluation_batch_size):
            output = model(inputs.to(subject.device))
            float(subject.workload.loss(output, targets.to(subject.device)))
            seen += len(targets)
            if time.perf_counter() - began > SECONDS or subject.clock.over():
                break
    return (time.perf_counter() - began) / max(1, seen)
