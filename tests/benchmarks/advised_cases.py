"""Trainings that underfit or overfit because somebody saw to it, on the shipped workloads, for `bench advised`.

A case is an intervention (tiny data, huge capacity, a tiny learning rate, ...) on one workload, in the workload's own
space. Those at even places are the design's, by which the advice was ordered and sized; those at odd places are the
reported half. What a case is to be is written beside it for the reader alone: what its curves say decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch

from tuning.training import Splits, TensorDataset, Workload
from tuning.training.workloads.breast_cancer_mlp import BreastCancerMLP
from tuning.training.workloads.diabetes_mlp import DiabetesMLP
from tuning.training.workloads.digits_mlp import DigitsMLP

WORKLOADS: dict[str, type[Workload]] = {
    "digits": DigitsMLP,
    "cancer": BreastCancerMLP,
    "diabetes": DiabetesMLP,
}
USUAL = {"lr": 2e-3, "weight_decay": 1e-4, "dropout": 0.0, "batch_size": 32, "layers": 2, "units": 64}


@dataclass(frozen=True)
class Case:
    """A workload, what was done to it, the configuration, how many epochs, and how many examples it learns from."""

    workload: str
    done: str
    params: Mapping[str, Any]
    epochs: int = 27
    examples: int | None = None

    @property
    def kind(self) -> type[Workload]:
        return WORKLOADS[self.workload]

    def configuration(self) -> dict[str, Any]:
        return {**USUAL, **self.params}


def case(workload: str, done: str, epochs: int = 27, examples: int | None = None, **params: Any) -> Case:
    return Case(workload, done, params, epochs, examples)


CASES = (
    # to underfit
    case("digits", "a tiny learning rate, few epochs", 10, lr=1e-4, batch_size=256),
    case("digits", "a tiny learning rate, one narrow layer", 8, lr=1e-4, units=32, layers=1, batch_size=64),
    case("cancer", "a tiny learning rate", 10, lr=1e-4, batch_size=128),
    case("cancer", "a tiny learning rate, one narrow layer", 12, lr=1e-4, units=16, layers=1, batch_size=64),
    case("diabetes", "a tiny learning rate", 15, lr=1e-4, batch_size=64),
    case("diabetes", "a tiny learning rate, deep and narrow", 20, lr=1e-4, units=16, layers=3, batch_size=32),
    case("digits", "too few epochs", 4, lr=5e-4, batch_size=256),
    case("digits", "too few epochs, deep and narrow", 5, lr=1e-3, units=16, layers=3, batch_size=256),
    case("cancer", "too few epochs", 4, lr=5e-4, batch_size=128),
    case("diabetes", "too few epochs", 5, lr=1e-3, batch_size=128, units=32),
    case("digits", "dropout that leaves too little", dropout=0.7, layers=3, units=16),
    case("digits", "dropout that leaves too little, few epochs", 10, dropout=0.65, layers=3, units=20, lr=3e-3),
    case("diabetes", "dropout that leaves too little", dropout=0.7, layers=3, units=8),
    case("cancer", "dropout that leaves too little", 12, dropout=0.7, layers=3, units=8, lr=1e-3),
    case("digits", "weight decay that leaves too little", weight_decay=1.0, lr=0.05, layers=2),
    case("diabetes", "weight decay that leaves too little", weight_decay=10.0, lr=0.01, layers=2),
    case("diabetes", "weight decay that leaves too little, deep", weight_decay=8.0, lr=0.03, layers=3, units=32),
    case("digits", "weight decay that leaves too little, deep", weight_decay=1.0, lr=0.03, layers=3, units=32),
    case("digits", "next to no capacity, few epochs", 6, units=16, layers=3, lr=5e-4),
    case("cancer", "next to no capacity, few epochs", 6, units=8, layers=3, lr=3e-4),
    case("digits", "a learning rate that is too high", 15, lr=0.1, layers=3, units=256),
    case("digits", "a learning rate that is too high, small batches", 12, lr=0.1, layers=2, batch_size=16),
    # to overfit
    case("digits", "tiny data, huge capacity", 54, 60, units=256, layers=2, lr=3e-3),
    case("digits", "tiny data, huge and deep", 40, 100, units=256, layers=3, lr=2e-3),
    case("cancer", "tiny data, huge capacity", 54, 60, units=128, layers=3, lr=5e-3),
    case("cancer", "tiny data, huge capacity, small batches", 54, 80, units=128, layers=2, lr=0.01, batch_size=16),
    case("diabetes", "huge capacity", 40, None, units=128, layers=3, lr=5e-3),
    case("diabetes", "huge capacity, a high learning rate", 54, None, units=128, layers=2, lr=0.01),
    case("diabetes", "tiny data", 54, 80, units=64, layers=2, lr=3e-3),
    case("diabetes", "tiny data, deep", 40, 120, units=64, layers=3, lr=3e-3),
    case("digits", "tiny data, a high learning rate", 54, 80, units=128, layers=2, lr=0.01),
    case("digits", "little data", 40, 150, units=256, layers=2, lr=5e-3),
    case("cancer", "huge capacity, a high learning rate", 54, None, units=128, layers=3, lr=0.01),
    case("cancer", "huge capacity, long", 60, None, units=128, layers=2, lr=3e-3),
    case("digits", "tiny data, not long enough to turn", 15, 60, units=128, layers=2, lr=2e-3),
    case("digits", "little data, not long enough to turn", 12, 120, units=256, layers=2, lr=2e-3),
    case("diabetes", "tiny data, not long enough to turn", 14, 60, units=64, layers=2, lr=2e-3),
    case("diabetes", "little data, not long enough to turn", 14, 100, units=128, layers=2, lr=2e-3),
)
DESIGN, REPORTED = CASES[::2], CASES[1::2]
QUICK = tuple(replace(found, epochs=min(found.epochs, 30)) for found in (DESIGN[0], DESIGN[6], DESIGN[11]))


@cache
def splits_of(workload: str, examples: int | None) -> Splits:
    """The workload's data, of the training examples the first `examples` of a fixed order."""
    whole = WORKLOADS[workload]().data()
    if examples is None:
        return whole
    order = torch.randperm(len(whole.train), generator=torch.Generator().manual_seed(0))[:examples]
    return Splits(TensorDataset(*(column[order] for column in whole.train.tensors)), whole.validation)


@cache
def base_of(workload: str, examples: int | None) -> float:
    """The loss of one who knows only the shares of the training classes, or their mean: as a preflight measures it."""
    targets = splits_of(workload, examples).train.tensors[1]
    if workload == "diabetes":
        return float(targets.var(correction=0))
    shares = torch.bincount(targets.long()).double() / len(targets)
    shares = shares[shares > 0]
    return float(-(shares * shares.log()).sum())
