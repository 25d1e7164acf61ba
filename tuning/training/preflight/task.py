"""What a workload predicts, found from its targets, its model's output and its loss: classes, yes or no, numbers.

Glossary: n examples, C classes; an indifferent output is one that gives every class the same probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tuning.training.preflight.errors import WorkloadRaised

Loss = Callable[[Tensor, Tensor], Tensor]

LN2 = math.log(2)
CLOSE = 1e-3


@dataclass(frozen=True)
class Task:
    """What is predicted.

    Attributes:
        kind: "classes" (output with a dimension of C), "binary" (one number for yes or no), "regression" or "unknown".
        classes: C, 0 where there are none.
        dim: the output's dimension of classes.
        form: what the output holds: "logits", "log-probabilities" or "probabilities"; "" for numbers.
        soft: targets are probabilities of the classes.
        why: in words, why the kind is unknown.
    """

    kind: str
    classes: int = 0
    dim: int = 1
    form: str = ""
    soft: bool = False
    why: str = ""

    @property
    def classifies(self) -> bool:
        return self.kind in ("classes", "binary")

    def labels(self, targets: Tensor) -> Tensor:
        """The number of each target's class, flat; -1 where it is left out of the loss."""
        if self.soft:
            return targets.argmax(self.dim).flatten()
        labels = targets.flatten().long()
        return torch.where(labels < 0, -1, labels)

    def predicted(self, output: Tensor) -> Tensor:
        """The class that each output names, flat."""
        if self.kind == "binary":
            return (output > (0.5 if self.form == "probabilities" else 0.0)).flatten().long()
        return output.argmax(self.dim).flatten()

    def accuracy(self, output: Tensor, targets: Tensor) -> float:
        """The share of right classes among the targets that count."""
        labels = self.labels(targets)
        counted = labels >= 0
        return float((self.predicted(output) == labels)[counted].double().mean())

    def constant(self, output: Tensor, shares: Tensor) -> Tensor:
        """An output like `output` that gives every example the classes' probabilities `shares` (C,)."""
        shares = shares.to(output.dtype).clamp_min(1e-6)
        if self.kind == "binary":
            logit = (shares[1] / shares[0]).log()
            return torch.full_like(output, float(logit if self.form == "logits" else shares[1]))
        values = shares if self.form == "probabilities" else shares.log()
        if self.form == "logits":
            values = values - values.mean()
        view = [1] * output.ndim
        view[self.dim] = self.classes
        return values.to(output.device).reshape(view).expand_as(output).clone()

    def shares(self, targets: Tensor) -> Tensor:
        """How frequent each class is, (C,), adding up to 1."""
        labels = self.labels(targets)
        counts = torch.bincount(labels[(labels >= 0) & (labels < self.classes)], minlength=self.classes).double()
        return counts / counts.sum().clamp_min(1)


def find_task(output: Tensor, targets: Tensor, loss: Loss) -> Task:
    """Tell the task from a fresh model's outputs (n, ...) for some targets (n, ...)."""
    if not isinstance(output, Tensor) or not isinstance(targets, Tensor):
        return Task("unknown", why="outputs or targets are not tensors")
    whole_numbers = not targets.is_floating_point() and not targets.is_complex()
    if whole_numbers and (dim := _class_dimension(output, targets)) is not None:
        return Task("classes", output.shape[dim], dim, _form(output, dim))
    if targets.is_floating_point() and _are_distributions(output, targets) and _gives(loss, 0 * output, targets):
        return Task("classes", output.shape[1], 1, "logits", soft=True)
    if output.numel() != targets.numel():
        shapes = f"outputs of shape {tuple(output.shape)} and targets of shape {tuple(targets.shape)}"
        return Task("unknown", why=f"{shapes} are neither classes nor numbers to match")
    if bool(((targets == 0) | (targets == 1)).all()) and (form := _yes_or_no(output, targets, loss)):
        return Task("binary", 2, form=form)
    return Task("regression")


def _class_dimension(output: Tensor, targets: Tensor) -> int | None:
    """Where the output has a dimension of at least two classes more than the targets: the second, or the last."""
    if output.ndim != targets.ndim + 1:
        return None
    for dim in dict.fromkeys((1, output.ndim - 1)):
        rest = [size for place, size in enumerate(output.shape) if place != dim]
        if output.shape[dim] >= 2 and rest == list(targets.shape):
            return dim
    return None


def _form(output: Tensor, dim: int) -> str:
    values = output.float()
    if values.logsumexp(dim).abs().max() < CLOSE:
        return "log-probabilities"
    return "probabilities" if _sum_to_one(values, dim) else "logits"


def _sum_to_one(values: Tensor, dim: int) -> bool:
    return bool((values >= 0).all()) and bool((values.sum(dim) - 1).abs().max() < CLOSE)


def _are_distributions(output: Tensor, targets: Tensor) -> bool:
    return output.ndim == 2 and output.shape == targets.shape and output.shape[1] >= 2 and _sum_to_one(targets, 1)


def _gives(loss: Loss, output: Tensor, targets: Tensor) -> bool:
    """Whether the loss of an indifferent output is ln C."""
    found = _value(loss, output, targets)
    return found is not None and math.isclose(found, math.log(output.shape[1]), rel_tol=CLOSE)


def _yes_or_no(output: Tensor, targets: Tensor, loss: Loss) -> str:
    """What an output of one number stands for by the loss of an indifferent one; "" where it is a plain number."""
    noes = torch.zeros_like(targets)
    for form, value in (("logits", 0.0), ("probabilities", 0.5)):
        found = _value(loss, torch.full_like(output, value), noes)
        if found is not None and math.isclose(found, LN2, rel_tol=CLOSE):
            return form
    perfect = _value(loss, targets.reshape(output.shape).to(output.dtype), targets)
    return "" if perfect is None or perfect < CLOSE else "logits"


def _value(loss: Loss, output: Tensor, targets: Tensor) -> float | None:
    try:
        return float(loss(output, targets))
    except WorkloadRaised:  # a loss that refuses such outputs is not of that form
        return None
