"""A model without what makes training random: dropout, noise and the like off, batch statistics as in training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def make_still(model: nn.Module) -> None:
    """Put the model in eval mode, except batch normalisation and recurrent layers, whose dropout becomes 0.

    In eval mode batch normalisation would use statistics that a fresh model has not gathered, and cuDNN's recurrent
    layers have no gradient.
    """
    model.eval()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train()
        elif isinstance(module, nn.RNNBase):
            module.dropout = 0.0
            module.train()


@contextmanager
def held_still(model: nn.Module) -> Iterator[None]:
    """The model still, and afterwards as it was: modes, recurrent dropout and buffers."""
    modes = [(module, module.training) for module in model.modules()]
    dropouts = [(module, module.dropout) for module in model.modules() if isinstance(module, nn.RNNBase)]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    make_still(model)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for module, dropout in dropouts:
            module.dropout = dropout
        for buffer, before in buffers:
            buffer.data.copy_(before)
