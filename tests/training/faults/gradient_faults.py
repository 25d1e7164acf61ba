"""Faults by which parameters of a model never learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from tests.training.faults.evidence import (
    first_batch,
    fresh,
    gradients,
    moved,
    trained,
)
from tests.training.faults.sound import Cancer, Digits, DigitsImages, Iris, Wine
from tuning.training import Params


class Detached(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.encoder, self.head = nn.Linear(64, units), nn.Linear(units, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        features = F.relu(self.encoder(inputs)).detach()  # left from a plot of the features
        return self.head(features)


class DetachInTheMiddle(Digits):
    """A detach() between encoder and head: the encoder keeps its random weights."""

    name = "detach_in_the_middle"

    def build_model(self, params: Params) -> nn.Module:
        return Detached(params["units"])

    @classmethod
    def planted(cls) -> None:
        found = gradients(cls())
        assert found["encoder.weight"] is None and found["head.weight"]


class NoGradEncoder(nn.Module):
    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(8 * 16, 10)

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.encoder(images)
        return self.head(features)


class EncoderWithoutGrad(DigitsImages):
    """The convolutions run under no_grad, as for features of a trained network; these are random."""

    name = "encoder_without_grad"

    def build_model(self, params: Params) -> nn.Module:
        return NoGradEncoder(super().build_model(params)[0])  # type: ignore[index]

    @classmethod
    def planted(cls) -> None:
        assert {name for name, value in gradients(cls()).items() if value is None} == {
            "encoder.0.weight",
            "encoder.0.bias",
        }


class Unused(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(13, units), nn.Linear(units, units)
        self.head = nn.Linear(units, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = F.relu(self.first(inputs))
        F.relu(self.second(hidden))  # its result is lost
        return self.head(hidden)


class UnusedLayer(Wine):
    """The second layer is called, and its result is thrown away."""

    name = "unused_layer"

    def build_model(self, params: Params) -> nn.Module:
        return Unused(params["units"])

    @classmethod
    def planted(cls) -> None:
        assert {name for name, value in gradients(cls()).items() if value is None} == {"second.weight", "second.bias"}


class FrozenForEver(DigitsImages):
    """The encoder is frozen, as one does when fine-tuning, but nothing was loaded into it."""

    name = "frozen_for_ever"

    def build_model(self, params: Params) -> nn.Module:
        model = super().build_model(params)
        model[0].requires_grad_(False)  # type: ignore[index]
        return model

    @classmethod
    def planted(cls) -> None:
        assert moved(cls()) == {"1.weight", "1.bias"}


class ListOfLayers(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.layers = [nn.Linear(64, units), nn.Linear(units, units)]  # a ModuleList would be known to torch
        self.head = nn.Linear(units, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        for layer in self.layers:
            inputs = F.relu(layer(inputs))
        return self.head(inputs)


class LayersInAList(Digits):
    """The hidden layers stand in a plain list: neither the optimizer nor a checkpoint knows them."""

    name = "layers_in_a_list"

    def build_model(self, params: Params) -> nn.Module:
        return ListOfLayers(params["units"])

    @classmethod
    def planted(cls) -> None:
        model, _ = fresh(cls())
        assert set(model.state_dict()) == {"head.weight", "head.bias"}
        inputs, targets = first_batch(cls())
        F.cross_entropy(model(inputs), targets).backward()
        assert model.layers[0].weight.grad is not None  # type: ignore[index]


class Rounding(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.round()


class RoundedInTheMiddle(Iris):
    """Features are rounded, to save memory: the derivative of that is zero everywhere."""

    name = "rounded_in_the_middle"

    def build_model(self, params: Params) -> nn.Module:
        units = params["units"]
        return nn.Sequential(nn.Linear(4, units), nn.ReLU(), Rounding(), nn.Linear(units, 3))

    @classmethod
    def planted(cls) -> None:
        found = gradients(cls())
        assert found["0.weight"] == 0 and found["3.weight"]


class SaturatedGate(Cancer):
    """Inputs times 1,000 into a tanh: every unit is at its end, and nothing moves the first layer."""

    name = "saturated_gate"

    def build_model(self, params: Params) -> nn.Module:
        units = params["units"]
        first = nn.Linear(30, units)
        first.weight.data *= 1e6
        return nn.Sequential(first, nn.Tanh(), nn.Linear(units, 1), nn.Flatten(0))

    @classmethod
    def planted(cls) -> None:
        found = gradients(cls())
        assert found["0.weight"] == 0 and found["2.weight"]


class OnlyTheLastLayer(Digits):
    """The optimizer is given the last layer's parameters alone."""

    name = "only_the_last_layer"

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return AdamW(model[-1].parameters(), lr=params["lr"])  # type: ignore[index]

    @classmethod
    def planted(cls) -> None:
        assert moved(cls()) == {"3.weight", "3.bias"} and all(gradients(cls()).values())


class ParametersOfACopy(Wine):
    """The optimizer was made for another instance of the model: this one never changes."""

    name = "parameters_of_a_copy"

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        return AdamW(self.build_model(params).parameters(), lr=params["lr"])

    @classmethod
    def planted(cls) -> None:
        assert moved(cls()) == set() and all(gradients(cls()).values())
        assert trained(cls(), 1)["train/loss"] == trained(cls(), 4)["train/loss"]
