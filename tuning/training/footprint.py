"""What a configuration would cost, counted before anything is trained: parameters, memory, arithmetic.

The model is built on torch's "meta" device, whose tensors have a shape and no numbers: a model of ten billion
parameters is counted in milliseconds, in no memory, on any host. Batches are of the size that training takes them in.

    parameters  of the model, frozen ones too
    memory      of one training step, in bytes: weights and buffers, their gradients, what the optimizer keeps of them
                after its first step, and the activations that the backward pass needs; at the precision of the weights,
                so that with mixed precision it is an upper bound. Not counted: what the framework itself takes (0.5 to
                1 GB of a GPU), the data, and the workspace of single operations
    flops       of a forward pass for one example, by torch.utils.flop_counter: a multiplication and an addition are
                two; convolutions and matrix products alone count, which are nearly all of it
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.parameter import UninitializedParameter
from torch.optim import Optimizer
from torch.utils.flop_counter import FlopCounterMode

from tuning.training.workload import Workload

ADAM = 2  # numbers that an optimizer keeps for each parameter, where its step cannot be taken without numbers


class FootprintError(ValueError):
    """A model that cannot be built, or run, without numbers."""


@dataclass(frozen=True)
class Footprint:
    """The counts of one configuration; memory is the sum of its four parts, in bytes."""

    parameters: int
    weights: int
    gradients: int
    optimizer: int
    activations: int
    flops: int

    @property
    def memory(self) -> int:
        """Bytes of one training step."""
        return self.weights + self.gradients + self.optimizer + self.activations


def parameter_count(workload: Workload, params: Mapping[str, Any]) -> int:
    """The model's parameters. No data are read, unless lazy modules have to see an example.

    Raises:
        FootprintError: the model cannot be built on the meta device.
    """
    model = _model(workload, params)
    if any(isinstance(parameter, UninitializedParameter) for parameter in model.parameters()):
        _forward(workload, model, params)
    return _count(model)


def footprint(workload: Workload, params: Mapping[str, Any]) -> Footprint:
    """All counts. Data are read only where the workload has no `input_example` of its own.

    Raises:
        FootprintError: the model cannot be built or run on the meta device.
    """
    model = _model(workload, params)
    activations, flops, examples = _forward(workload, model, params)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return Footprint(
        parameters=_count(model),
        weights=sum(map(_bytes, [*model.parameters(), *model.buffers()])),
        gradients=sum(map(_bytes, trained)),
        optimizer=_kept_by(_optimizer(workload, model, params), trained),
        activations=activations,
        flops=round(flops / examples),
    )


def _model(workload: Workload, params: Mapping[str, Any]) -> nn.Module:
    with _explained("build_model()"), torch.device("meta"):
        return workload.build_model(params).to("meta").train()


def _forward(workload: Workload, model: nn.Module, params: Mapping[str, Any]) -> tuple[int, int, int]:
    """Bytes of activations and operations of a batch's forward pass, and the examples in the batch."""
    examples = max(1, int(params.get("batch_size", workload.batch_size)))
    example = workload.input_example()
    inputs = torch.empty((examples, *example.shape), dtype=example.dtype, device="meta")
    kept: dict[int, Any] = {}  # storages by identity, held so that none is taken for another

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor

    counter = FlopCounterMode(display=False)
    with _explained("the model's forward()"), torch.device("meta"):
        with counter, saved_tensors_hooks(keep, lambda tensor: tensor):
            keep(model(inputs))
        for tensor in (*model.parameters(), *model.buffers(), inputs):  # counted as weights, or data
            kept.pop(tensor.untyped_storage()._cdata, None)
    return sum(storage.nbytes() for storage in kept.values()), counter.get_total_flops(), examples


def _optimizer(workload: Workload, model: nn.Module, params: Mapping[str, Any]) -> Optimizer:
    with _explained("build_optimizer()"):
        return workload.build_optimizer(model, params)


def _kept_by(optimizer: Optimizer, trained: list[nn.Parameter]) -> int:
    """Bytes that the optimizer keeps after a step.

    One whose step looks at numbers (Adafactor), or wants to train by itself (LBFGS), is taken for Adam.
    """
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    try:
        optimizer.step()
    except (NotImplementedError, RuntimeError, TypeError):
        return ADAM * sum(map(_bytes, trained))
    return sum(_bytes(value) for state in optimizer.state.values() for value in state.values() if _is_tensor(value))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Whatever a user's code raises here says that it cannot do without numbers, and what to do."""
    try:
        yield
    except Exception as error:
        raise FootprintError(
            f"the model's size cannot be counted: {what} fails on torch's meta device, where tensors have shapes and "
            f"no numbers ({type(error).__name__}: {error}). Let it take no decision by a tensor's values and make its "
            "tensors on the device of its inputs, or take the limits on the model away"
        ) from error
