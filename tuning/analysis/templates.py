"""Parts of search spaces that fit a kind of model, to insert and edit: which parameters, in which ranges, and why.

The ranges are starting points, from the papers that each template names. What a name means is up to the model that
reads it. The regularisation follows capacity and data: by the theory of ridge regression the best penalty grows in
proportion to the number of parameters and to one over the number of examples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Space = dict[str, dict[str, Any]]
USUAL = 10.0  # parameters for each example, where nobody says


@dataclass(frozen=True)
class Template:
    """A named part of a space in its JSON form; `why` is a sentence, `build` how a model uses the parameters."""

    name: str
    title: str
    why: str
    build: str
    space: Mapping[str, Mapping[str, Any]]


def _whole(low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"type": "int", "low": low, "high": high, **more}


def _real(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"type": "float", "low": low, "high": high, **more}


def _one_of(*choices: Any, **more: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(choices), **more}


MLP = Template(
    "mlp",
    "Multilayer perceptron",
    "Each layer has a width of its own, which exists only where the layer does, on a log scale: 16 against 32 units "
    "matters as much as 256 against 512.",
    "For i = 1 … layers: linear to units_i, the activation.",
    {
        "layers": _whole(1, 3),
        "units_1": _whole(16, 512, log=True),
        "units_2": _whole(16, 512, log=True, when={"layers": {"low": 2}}),
        "units_3": _whole(16, 512, log=True, when={"layers": {"low": 3}}),
        "activation": _one_of("relu", "gelu", "silu"),
    },
)
CNN = Template(
    "cnn",
    "Convolutional network, filters that double",
    "Where a pooling halves the sides the filters double, so that every layer costs about the same (Simonyan & "
    "Zisserman 2015); one number then sizes the whole network.",
    "Layer i = 0, 1, … has filters · 2^i filters and a pooling, up to log2 of the shorter side; further layers keep "
    "size and filters.",
    {"filters": _whole(32, 128, log=True), "layers": _whole(3, 5), "kernel_size": _whole(3, 5, step=2)},
)
RESNET = Template(
    "resnet",
    "Residual convolutional network",
    "With shortcuts depth can be searched, since a block that is not needed learns to do nothing (He et al. 2016); "
    "stages halve the sides and double the filters.",
    "Stage i = 0, 1, … has `blocks` blocks of two convolutions with filters · 2^i filters and a shortcut; all but the "
    "first halve the sides.",
    {
        "stages": _whole(2, 4),
        "blocks": _whole(1, 3),
        "filters": _whole(16, 64, log=True),
        "normalization": _one_of("batch", "group"),
    },
)
TRANSFORMER = Template(
    "transformer",
    "Transformer",
    "Heads have to divide the width: heads and the width of one are searched and the width is their product, so that "
    "no configuration is refused (Vaswani et al. 2017). Without warm-up the first steps may ruin it.",
    "width = heads · head_width; feed-forward width = widening · width; the learning rate rises over the share "
    "`warmup` of all steps.",
    {
        "heads": _whole(1, 8, log=True),
        "head_width": _whole(16, 64, step=16),
        "blocks": _whole(2, 6),
        "widening": {"type": "constant", "value": 4},
        "warmup": _real(0.0, 0.2),
    },
)
OPTIMIZER = Template(
    "optimizer",
    "Optimizer and schedule",
    "SGD wants a learning rate some tens of times that of AdamW, so each has its own, on a log scale; the batch size "
    "stays fixed, since it decides about speed and moves the best learning rate.",
    "lr is sgd_lr or adamw_lr; momentum = 1 - momentum_gap.",
    {
        "optimizer": _one_of("sgd", "adamw"),
        "sgd_lr": _real(1e-3, 1.0, log=True, when={"optimizer": ["sgd"]}, annotation="learning_rate"),
        "momentum_gap": _real(0.01, 0.5, log=True, when={"optimizer": ["sgd"]}, annotation="none"),
        "adamw_lr": _real(1e-5, 1e-2, log=True, when={"optimizer": ["adamw"]}, annotation="learning_rate"),
        "schedule": _one_of("constant", "cosine", "onecycle"),
        "batch_size": {"type": "constant", "value": 64},
    },
)


DATA_SIZE = Template(
    "data_size",
    "Data size",
    "How much more data would bring, and how much regularization few data need: four shares of the training examples, "
    "each within the next. The largest always looks best, so that this is measured apart from a search.",
    "Nothing: a PyTorch workload of any kind learns from that share of its training examples, of each class the same; "
    "validation stays as it is.",
    {"train_fraction": _one_of(0.05, 0.15, 0.4, 1.0)},
)


def regularization(examples: int | None = None, parameters: int | None = None) -> Template:
    """The penalties for a model of so many parameters that learns from so many examples.

    Ranges move by a decade for each factor of ten between the two, from one parameter for an example to a hundred.
    """
    known = bool(examples and parameters)
    ratio = parameters / examples if examples and parameters else USUAL
    shift = round(min(max(math.log10(ratio), 0.0), 2.0))
    said = (
        f"{parameters:,} parameters learn from {examples:,} examples"
        if known
        else f"with about {USUAL:g} parameters for each example"
    )
    return Template(
        "regularization",
        "Regularization",
        f"The more parameters for each example, the stronger: {said}. Each can do without the others, so the sampler "
        "finds out which one helps.",
        "Weight decay as AdamW has it, dropout before each layer, labels smoothed in training alone, augment as the "
        "strength of the workload's own augmentation.",
        {
            "weight_decay": _real(10.0 ** (shift - 6), 10.0 ** (shift - 2), log=True),
            "dropout": _real(0.0, round(0.3 + 0.2 * shift, 1)),
            "label_smoothing": _real(0.0, 0.2 if shift else 0.1),
            "augment": _real(0.0, 1.0),
        },
    )


def space_templates(examples: int | None = None, parameters: int | None = None) -> tuple[Template, ...]:
    """All templates; examples to learn from and parameters of the model where they are known."""
    return MLP, CNN, RESNET, TRANSFORMER, OPTIMIZER, regularization(examples, parameters), DATA_SIZE
