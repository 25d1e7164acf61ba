"""The first steps of a real training, in the order of `loop.train`, with an eye on gradients and on the time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tuning.training.determinism import seed_everything
from tuning.training.preflight.errors import workload_code
from tuning.training.preflight.subject import SEED, Subject

STEPS = 100
WATCHED = 10  # steps whose gradients are looked at: what starts at zero, as a residual's last layer, moves by then


@dataclass
class FirstSteps:
    """What the first steps showed.

    Attributes:
        losses: of each training batch, the last one perhaps not finite.
        gradients: the largest size that each parameter's gradient had; 0 for none.
        unregistered: sizes of tensors with a gradient that neither the model nor the optimizer has.
        frozen: parameters that ask for no gradient. unheld: those that no group of the optimizer has.
        decay: the share of the weights that the optimizer takes away in a step without any gradient.
        before, after: the loss of fixed examples, still.
        seconds: of each step, reading its batch included. loader_length: batches of an epoch.
        rate: the optimizer's learning rate at the start; nan where it has none.
        cut: the time was over before STEPS were done.
    """

    losses: list[float] = field(default_factory=list)
    gradients: dict[str, float] = field(default_factory=dict)
    unregistered: list[tuple[int, ...]] = field(default_factory=list)
    frozen: list[str] = field(default_factory=list)
    unheld: list[str] = field(default_factory=list)
    decay: float = 0.0
    before: float = math.nan
    after: float = math.nan
    seconds: list[float] = field(default_factory=list)
    loader_length: int = 0
    rate: float = math.nan
    cut: bool = False

    @property
    def diverged(self) -> bool:
        return bool(self.losses) and not math.isfinite(self.losses[-1])


def first_steps(subject: Subject, factor: float = 1.0) -> FirstSteps:
    """Take up to STEPS steps on the whole training split, with learning rates times `factor`; done once a factor."""
    if factor not in subject.steps:
        subject.steps[factor] = _take(subject, factor)
    return subject.steps[factor]


def _take(subject: Subject, factor: float) -> FirstSteps:
    found = FirstSteps()
    model = subject.build(SEED)
    found.before = subject.probe(model)
    generator = seed_everything(SEED)
    optimizer = subject.optimizer(model)
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * factor
    found.rate = float(optimizer.param_groups[0]["lr"])
    _note_parameters(found, model, optimizer)
    found.decay = _decay(subject)
    loader = subject.loader(subject.splits.train, generator)
    found.loader_length = len(loader)  # type: ignore[arg-type]
    schedule = _schedule(subject, optimizer, found.loader_length)
    strangers = _Strangers(model, optimizer)
    model.train()
    for inputs, targets in _batches(subject, found, loader):
        began = time.perf_counter()
        inputs = subject.augmented(inputs, generator)
        _step(subject, found, model, optimizer, inputs, targets.to(subject.device), strangers)
        if schedule is not None:
            with workload_code("the schedule"):
                schedule.step()
        found.seconds[-1] += time.perf_counter() - began
        if found.diverged:
            break
    found.unregistered = [tuple(tensor.shape) for tensor in strangers.lasting]
    found.after = subject.probe(model)
    return found


class _Strangers:
    """Leaf tensors in a loss's graph that are no parameters of the model: layers in a plain list, for example.

    Those of a single step, as inputs whose gradient a loss asks for, are meant so; the others last.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        held = (parameter for group in optimizer.param_groups for parameter in group["params"])
        self._known = {id(parameter) for parameter in (*model.parameters(), *held)}
        self._seen: list[list[Tensor]] = []

    def look(self, loss: Tensor) -> None:
        """Walk the graph of one of the first two losses."""
        if len(self._seen) == 2:
            return
        found, nodes, waiting = [], set(), [loss.grad_fn]
        while waiting:
            node = waiting.pop()
            if node is None or node in nodes:
                continue
            nodes.add(node)
            if (leaf := getattr(node, "variable", None)) is not None and id(leaf) not in self._known:
                found.append(leaf)
            waiting += [following for following, _ in node.next_functions]
        self._seen.append(found)

    @property
    def lasting(self) -> list[Tensor]:
        if len(self._seen) < 2:
            return []
        again = {id(tensor) for tensor in self._seen[1]}
        return [tensor for tensor in self._seen[0] if id(tensor) in again]


def _decay(subject: Subject) -> float:
    """What a step with gradients of zero does to a fresh model: weight decay alone; the largest of any parameter."""
    model = subject.build(SEED)
    optimizer = subject.optimizer(model)
    weights = [weight for weight in model.parameters() if weight.requires_grad and bool(weight.any())]
    before = [weight.detach().clone() for weight in weights]
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight) if weight.requires_grad else None
    with workload_code("the optimizer"):
        optimizer.step()
    lost = [float((now.detach() - old).norm() / old.norm()) for now, old in zip(weights, before, strict=True)]
    return max(lost, default=0.0)


def _schedule(subject: Subject, optimizer: Optimizer, length: int) -> Any:
    """The schedule of the longest training, or of these steps where they are more; None where epochs step it."""
    epochs = max(subject.workload.max_epochs, -(-STEPS // max(1, length)))
    with workload_code("build_schedule()"):
        schedule = subject.workload.build_schedule(optimizer, subject.params, epochs, length)
    return None if isinstance(schedule, ReduceLROnPlateau) else schedule


def _batches(subject: Subject, found: FirstSteps, loader: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of one epoch after another; how long each took to be read begins its seconds."""
    while True:
        began = time.perf_counter()
        batches = iter(loader)
        while (batch := _next(batches)) is not None:
            found.seconds.append(time.perf_counter() - began)
            yield batch
            found.cut = subject.clock.over() and len(found.losses) < STEPS
            if found.cut or len(found.losses) >= STEPS:
                return
            began = time.perf_counter()
        if not found.losses:
            return


def _next(batches: Iterator[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor] | None:
    with workload_code("train_loader()"):
        try:
            inputs, targets = next(batches)
        except StopIteration:
            return None
        return inputs, targets


def _step(
    subject: Subject,
    found: FirstSteps,
    model: nn.Module,
    optimizer: Optimizer,
    inputs: Tensor,
    targets: Tensor,
    strangers: _Strangers,
) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss = subject.train_loss(model, inputs, targets)
    strangers.look(loss)
    if loss.requires_grad:
        with workload_code("the gradient of train_step()"):
            loss.backward()
    if len(found.losses) < WATCHED:
        _watch(found, model)
    with workload_code("penalty()"):
        penalty = subject.workload.penalty(model, subject.params)
        if penalty is not None and penalty.requires_grad:
            penalty.backward()
    with workload_code("the optimizer"):
        optimizer.step()
    found.losses.append(float(loss.detach()))


def _watch(found: FirstSteps, model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            size = 0.0 if parameter.grad is None else float(parameter.grad.abs().max())
            found.gradients[name] = max(found.gradients.get(name, 0.0), size)


def _note_parameters(found: FirstSteps, model: nn.Module, optimizer: Optimizer) -> None:
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            found.frozen.append(name)
        elif id(parameter) not in held:
            found.unheld.append(name)
