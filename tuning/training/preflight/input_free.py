"""INPUT-FREE: a control in which nothing can be learned from the inputs, because they are all alike."""

from __future__ import annotations

import torch
from torch.utils.data import TensorDataset

from tuning.training.preflight.baselines import MORE, constant_loss, trained_defaults
from tuning.training.preflight.check import Result, line, number, percent, skipped
from tuning.training.preflight.elsewhere import elsewhere
from tuning.training.preflight.errors import WorkloadRaised
from tuning.training.preflight.gains import MUCH, loss_rows, settled
from tuning.training.preflight.sample import NO_TENSORS, Part
from tuning.training.preflight.short import Short, epochs_for, short_training
from tuning.training.preflight.subject import Subject
from tuning.training.splits import Splits

BLIND_STEPS = 300
OWN_RATE = 1e-3


def input_free(subject: Subject) -> Result:
    """The same training with zeros in place of the inputs must do worse on the validation split."""
    if not subject.sample.are_tensors:
        return skipped(NO_TENSORS)
    real = trained_defaults(subject)
    if real.diverged or not real.epochs:
        return skipped("The defaults did not finish one epoch, so that there is nothing to compare with.")
    blind = _blind(subject)
    if isinstance(blind, str):
        return skipped(blind)
    floor = min(blind.best, constant_loss(subject, real))
    gain = settled(subject, lambda seed: trained_defaults(subject, seed), loss_rows(subject, floor))
    evidence = {"with inputs": real.best, "without": blind.best, "best constant answer": constant_loss(subject, real)}
    evidence |= {"gain": gain.mean, "error of the gain": gain.error}
    plot = _curves(real, blind)
    says = f"The least validation loss is {number(real.best)} with the inputs and {number(floor)} without them"
    if gain.clear:
        return Result("passed", f"{says}.{subject.sample.note}", evidence=evidence, plot=plot)
    says += f"; over several seeds the gain is {percent(gain.mean)} ± {percent(gain.error)}"
    if real.cut:
        return Result("info", f"{says}; the time was over before the training could show it.", "", "", evidence, plot)
    if gain.mean >= MUCH:
        means = "The gain is no larger than luck with so few validation examples."
        return Result("warning", f"{says}.", means, MORE, evidence, plot)
    return _no_gain(subject, says, floor, evidence, plot)


def _blind(subject: Subject) -> Short | str:
    """A training on constant inputs, or why there is none."""
    splits = Splits(*(_constant(part) for part in (subject.sample.train, subject.sample.validation)))
    try:
        blind = short_training(subject, splits, epochs_for(subject, BLIND_STEPS))
    except WorkloadRaised as raised:
        return f"The model does not take constant inputs: {raised}."
    if blind.diverged or not blind.epochs:
        return f"A training on constant inputs gives nothing to compare with: {blind.diverged or 'the time was over'}."
    return blind


def _constant(part: Part) -> TensorDataset:
    """The examples with zeros for inputs; where these are codes, with the first example's for all."""
    inputs, targets = part.inputs, part.targets
    if inputs is None or targets is None:
        raise ValueError(NO_TENSORS)
    one = torch.zeros_like(inputs[:1]) if inputs.is_floating_point() else inputs[:1]
    return TensorDataset(one.expand_as(inputs), targets)


def _no_gain(subject: Subject, says: str, floor: float, evidence: dict[str, float], plot: dict[str, object]) -> Result:
    """The defaults may be to blame, so the rest of the space has a try, and then another optimizer."""
    rows = loss_rows(subject, floor)
    other = elsewhere(subject, rows)
    evidence["other configurations"] = other.tried
    if other.params is not None:
        return Result(
            "warning",
            f"{says}; {other.found}.",
            "The data can be learned, but not by the middle of the space in this time.",
            "Move the range of the learning rate (the learning-rate finder shows where), or let trials train longer.",
            evidence,
            plot,
        )
    tried = f"{says}, and no clear one in {other.tried} other configurations of the space"
    adam = settled(subject, lambda seed: _by_adam(subject, seed), rows)
    evidence["gain of Adam at 1e-3"] = adam.mean
    if adam.clear:
        return Result(
            "warning" if other.cut else "failed",
            f"{tried}; Adam at {OWN_RATE:g} in place of optimizer, schedule and penalty gains {percent(adam.mean)}.",
            "The data can be learned, but not by what the space holds.",
            "Look at build_optimizer(), build_schedule() and penalty(): the learning rate's range, a weight decay or "
            "penalty that outweighs the loss, a schedule that ends too soon.",
            evidence,
            plot,
        )
    return Result(
        "failed",
        f"{tried}: the inputs do not help at all.",
        "The model does not use them, or they have nothing to do with the targets.",
        "Look whether inputs and targets keep their pairing in data() and train_loader(), and whether forward() uses "
        "its input.",
        evidence,
        plot,
    )


def _by_adam(subject: Subject, seed: int) -> Short:
    splits, epochs = subject.sample.splits, epochs_for(subject, BLIND_STEPS)
    return short_training(subject, splits, epochs, seed=seed, own_adam=OWN_RATE)


def _curves(real: Short, blind: Short) -> dict[str, object]:
    count = min(len(real.losses), len(blind.losses))
    curves = {"with inputs": real.losses[:count], "without": blind.losses[:count]}
    return line(range(1, count + 1), curves, "epoch", "validation loss")
