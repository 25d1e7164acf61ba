"""RUNS: the workload does what every trial asks of it, once, at its defaults."""

from __future__ import annotations

import torch

from tuning.training.determinism import seed_everything
from tuning.training.preflight.check import Result, number
from tuning.training.preflight.errors import WorkloadRaised, described, workload_code
from tuning.training.preflight.subject import SEED, Subject

CUT_OFF = "no parameter has a part in the loss: look for detach(), no_grad() or requires_grad = False"


def runs(subject: Subject) -> Result:
    """Read data, build a model, take one training step, measure a batch; notes how far that goes."""
    try:
        subject.sample  # noqa: B018
        subject.works = "data"
        subject.task  # noqa: B018
        subject.works = "output"
        loss = _one_step(subject)
        _measure(subject)
        subject.works = "steps"
    except WorkloadRaised as raised:
        subject.raised = described(raised.error)
        means = "No trial could run: whatever else is to be checked needs this first."
        return Result("failed", f"{raised}.", means, raised.todo, {"at": raised.doing})
    says = f"Data, model, one training step (loss {number(loss)}) and the measuring of a split work at the defaults."
    return Result("passed", says, evidence={"loss": loss, "params": dict(subject.params)})


def _one_step(subject: Subject) -> float:
    model = subject.build(SEED)
    generator = seed_everything(SEED)
    optimizer = subject.optimizer(model)
    model.train()
    inputs, targets = subject.examples(subject.batch_size)
    loss = subject.train_loss(model, subject.augmented(inputs.cpu(), generator), targets)
    if loss.ndim != 0:
        raise WorkloadRaised("train_step()", ValueError(f"the loss has shape {tuple(loss.shape)}; take its mean"))
    if not loss.requires_grad:
        raise WorkloadRaised("train_step()", ValueError(CUT_OFF))
    with workload_code("the gradient of train_step()"):
        loss.backward()
    with workload_code("the optimizer"):
        optimizer.step()
    return float(loss.detach())


def _measure(subject: Subject) -> None:
    model = subject.build(SEED)
    inputs, targets = subject.examples(subject.workload.evaluation_batch_size)
    model.eval()
    with torch.no_grad():
        output = subject.output(model, inputs)
        subject.loss(output, targets)
    found = set(subject.scores(output.cpu(), targets.cpu()))
    declared = {score.name for score in subject.workload.scores}
    if found != declared:
        text = f"it returned {sorted(found)}, but scores declares {sorted(declared)}; list each as Metric(name, goal)"
        raise WorkloadRaised("metrics()", ValueError(text))
