"""The learning-rate finder: train a few steps at learning rates that rise, and watch the loss (Smith's range test).

The optimizer, weight decay, dropout, augmentation and penalty are those of a trial; its schedule is left out, because
the test is one. The loss at lr_i is that of the batch before the step with lr_i, without the penalty, as trials report
it.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tuning.training.data_size import part_of
from tuning.training.determinism import (
    device_name,
    prepare_device,
    random_state,
    restore_random_state,
    seed_everything,
)
from tuning.training.examples import load_data
from tuning.training.loop import autocast
from tuning.training.lr_curve import Smoother, beta_of, learning_rates, read_curve
from tuning.training.splits import Splits
from tuning.training.workload import Workload

LOW, HIGH, STEPS = 1e-6, 10.0, 100
NAMES = ("lr", "learning_rate")  # of the parameter, where nobody says which one it is

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class LRCurve:
    """What a range test measured.

    Attributes:
        lrs, losses, smoothed: of one length, all finite; the loss is that before the step with the learning rate.
        bracket: (valley, steepest descent), the lower one first, or None.
        reason: why there is no bracket; "" where there is one.
        note: what else the curve shows; mostly "".
        lowest: the learning rate at the least smoothed loss.
        ended: "at the end", "diverged" (a smoothed loss above 4 times the least), "not finite" or "stopped" (asked to).
        device: its maker's name.
        seconds: of the test, without reading the data.
    """

    lrs: list[float]
    losses: list[float]
    smoothed: list[float]
    bracket: tuple[float, float] | None
    reason: str
    note: str
    lowest: float | None
    ended: str
    device: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The fields, plain."""
        return {**asdict(self), "bracket": list(self.bracket) if self.bracket else None}


def lr_range_test(
    workload: Workload,
    params: Mapping[str, Any],
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    seed: int = 0,
    device: str = "cpu",
    threads: int = 1,
    *,
    parameter: str | None = None,
    load: Callable[[Workload], Splits] = load_data,
    stop: Callable[[], bool] = lambda: False,
) -> LRCurve:
    """Test a fresh model of the workload with the configuration `params`.

    The learning rates are values of the parameter `parameter` ("lr" or "learning_rate" where it is not named): groups
    whose rate is a multiple of it keep that multiple. Random generators are left as they were.

    Args:
        load: how the data are read.
        stop: asked between two steps; True ends the test with what there is.

    Raises:
        DeviceError: the device is not there.
        ValueError: no test can be made of this, and what would be right.
    """
    rates = [float(rate) for rate in learning_rates(low, high, steps)]
    place = prepare_device(device, threads=threads, deterministic=False)
    kept, unused = random_state(torch.Generator(), place), torch.Generator()
    try:
        splits = part_of(load(workload), params)
        generator = seed_everything(seed)
        model = workload.build_model(params).to(place)
        optimizer = workload.build_optimizer(model, params)
        loader = workload.train_loader(splits.train, params, generator)
        scaler = torch.amp.GradScaler(place.type, enabled=workload.amp == "float16" and place.type == "cuda")

        def step(batch: Batch) -> Tensor:
            inputs, targets = batch
            inputs = workload.augment(inputs, params, generator).to(place)
            optimizer.zero_grad(set_to_none=True)
            with autocast(workload, place):
                loss = workload.train_step(model, inputs, targets.to(place), params)
            penalty = workload.penalty(model, params)
            scaler.scale(loss if penalty is None else loss + penalty).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss.detach()

        model.train()
        unit = _unit(optimizer, params, parameter)
        return _sweep(optimizer, unit, _endless(loader), step, rates, stop, device_name(place))
    finally:
        restore_random_state(kept, unused, place)


def model_range_test(
    model: nn.Module,
    optimizer: Optimizer,
    batches: Iterable[Batch],
    loss: Callable[[Tensor, Tensor], Tensor],
    low: float = LOW,
    high: float = HIGH,
    steps: int = STEPS,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> LRCurve:
    """Test a model that is somebody's, and leave it and everything beside it as it was found.

    Weights, buffers, gradients, the optimizer with its learning rates, training or evaluation mode and the global
    random generators are put back, also after an error. The learning rates are those of the optimizer's first group;
    the others keep their ratios to it. A generator of the loader's own is the caller's to put back.

    Raises:
        ValueError: no test can be made of this, and what would be right.
    """
    rates = [float(rate) for rate in learning_rates(low, high, steps)]
    place = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))

    def step(batch: Batch) -> Tensor:
        inputs, targets = batch
        optimizer.zero_grad(set_to_none=True)
        value = loss(model(inputs.to(place)), targets.to(place))
        value.backward()
        optimizer.step()
        return value.detach()

    with _left_alone(model, optimizer, place):
        model.train()
        unit = _unit(optimizer, {}, None)
        return _sweep(optimizer, unit, _endless(batches), step, rates, stop, device_name(place))


def _sweep(
    optimizer: Optimizer,
    unit: float,
    batches: Iterator[Batch],
    step: Callable[[Batch], Tensor],
    rates: list[float],
    stop: Callable[[], bool],
    device: str,
) -> LRCurve:
    """One step at each rate; `unit` is the rate for which the groups' present learning rates are right."""
    started = time.perf_counter()
    shares = [float(group["lr"]) / unit for group in optimizer.param_groups]
    beta = beta_of(len(rates))
    smoother, losses = Smoother(beta), list[float]()
    ended = "at the end"
    for rate in rates:
        if stop():
            ended = "stopped"
            break
        _set_rates(optimizer, [share * rate for share in shares])
        loss = float(step(next(batches)))
        if not math.isfinite(loss):
            ended = "not finite"
            break
        losses.append(loss)
        smoother.take(loss)
        if smoother.has_diverged():
            ended = "diverged"
            break
    lrs = rates[: len(losses)]
    found = read_curve(lrs, losses, smoother.values, beta=beta, stopped=ended != "at the end")
    return LRCurve(
        lrs=lrs,
        losses=losses,
        smoothed=smoother.values,
        bracket=found.bracket,
        reason="The test was stopped." if ended == "stopped" and found.bracket is None else found.reason,
        note=found.note,
        lowest=found.lowest,
        ended=ended,
        device=device,
        seconds=time.perf_counter() - started,
    )


def _unit(optimizer: Optimizer, params: Mapping[str, Any], parameter: str | None) -> float:
    """The rate at which the optimizer was built: the parameter's value, else that of its first group.

    Raises:
        ValueError: it is 0, so that no group has a ratio to it.
    """
    names = [name for name in ((parameter,) if parameter else NAMES) if name in params]
    value = float(params[names[0]]) if names else float(optimizer.param_groups[0]["lr"])
    if not (math.isfinite(value) and value > 0):
        what = f"the parameter {names[0]!r}" if names else "the learning rate of the optimizer's first group"
        raise ValueError(f"{what} is {value:g}; build the optimizer with one above 0, which the test then replaces")
    return value


def _set_rates(optimizer: Optimizer, rates: list[float]) -> None:
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], Tensor):  # as capturable optimizers keep it
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _endless(loader: Iterable[Batch]) -> Iterator[Batch]:
    """One pass after another.

    Raises:
        ValueError: a pass has no batch.
    """
    passes = 0
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            again = "its second pass: return an iterable that can be read again" if passes else "it: look at the data"
            raise ValueError(f"the training loader gave no batch in {again}")
        passes += 1


@contextmanager
def _left_alone(model: nn.Module, optimizer: Optimizer, device: torch.device) -> Iterator[None]:
    """Put back all that a training changes."""
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    buffers = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    gradients = [(weight, weight.grad) for weight in model.parameters()]  # zero_grad lets go of them, unchanged
    modes = [(module, module.training) for module in model.modules()]
    spare = torch.Generator()
    random = random_state(spare, device)
    for weight, _ in gradients:
        weight.grad = None
    try:
        yield
    finally:
        for module, name, buffer, kept in buffers:
            module._buffers[name] = buffer
            buffer.copy_(kept)
        model.load_state_dict(weights)
        for weight, gradient in gradients:
            weight.grad = gradient
        optimizer.load_state_dict(state)
        for module, mode in modes:
            module.training = mode
        restore_random_state(random, spare, device)
