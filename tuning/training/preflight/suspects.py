"""The likeliest reason why a model cannot learn a few examples by heart."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuning.training.preflight.subject import SEED, Subject


def suspect(subject: Subject, inputs: Tensor, targets: Tensor) -> str:
    """The likeliest reason, from what such a failure often comes from."""
    task, model = subject.task, subject.build(SEED)
    with torch.no_grad():
        output = subject.still_output(model, inputs)
    if task.kind == "regression" and output.shape != targets.shape:
        return (
            f"The output has the shape {tuple(output.shape)} and the targets {tuple(targets.shape)}: the loss compares "
            "each with each. Give both one shape, for example output.squeeze(1)."
        )
    if task.form == "probabilities" and task.kind == "classes":
        return "The model ends with a softmax, which cross_entropy applies itself: return the logits."
    if (clashes := contradictions(inputs, targets)) > 0:
        return f"{clashes} of these examples have the inputs of another one but other targets: look at their pairing."
    if _same(output):
        return "The fresh model answers the same to every example: look whether forward() uses its inputs."
    if not any(isinstance(module, nn.Linear) or list(module.parameters(recurse=False)) for module in model.modules()):
        return "The model has no parameters: assign its layers in __init__(), in a ModuleList where they are many."
    return (
        "Look whether inputs and targets belong together and are scaled, whether forward() uses every layer and ends "
        "without an activation, whether loss() compares output and target, and whether layers are wide enough."
    )


def contradictions(inputs: Tensor, targets: Tensor) -> int:
    """How many examples have the inputs of another one, but another target."""
    flat, answers = inputs.flatten(1), targets.flatten(1) if targets.ndim > 1 else targets[:, None]
    same = (flat[:, None] == flat[None]).all(-1)
    other = (answers[:, None] != answers[None]).any(-1)
    return int((same & other).any(1).sum())


def _same(output: Tensor) -> bool:
    return bool(((output - output[:1]).abs() < 1e-6).all())
