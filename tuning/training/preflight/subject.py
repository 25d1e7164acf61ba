"""The workload under examination: its data, a sample of them, and calls of its own code that tell whose error it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from tuning.training.batches import Batches
from tuning.training.determinism import seed_everything
from tuning.training.examples import load_data
from tuning.training.loop import autocast
from tuning.training.preflight.clock import Clock
from tuning.training.preflight.errors import workload_code
from tuning.training.preflight.sample import Sample, draw
from tuning.training.preflight.still import held_still
from tuning.training.preflight.task import Task, find_task
from tuning.training.splits import Splits
from tuning.training.workload import Workload

if TYPE_CHECKING:
    from tuning.training.preflight.short import Short
    from tuning.training.preflight.steps import FirstSteps

SEED = 0
PROBE = 256  # examples by which a loss is measured before and after a few steps


@dataclass
class Subject:
    """A workload with the configuration that it is examined at; what several checks need is found once.

    Attributes:
        works: how far the workload works: "", "data", "output" or "steps".
        raised: what ended the first check; others need not say it again.
    """

    workload: Workload
    params: Mapping[str, Any]
    device: torch.device
    clock: Clock
    works: str = ""
    raised: str = ""
    steps: dict[float, FirstSteps] = field(default_factory=dict)
    trained: dict[str, Short] = field(default_factory=dict)

    @cached_property
    def splits(self) -> Splits:
        """The whole data."""
        with workload_code("data()"):
            return load_data(self.workload)

    @cached_property
    def sample(self) -> Sample:
        """The examples that checks train on."""
        with workload_code("reading the examples of data()"):
            return draw(self.splits, self.clock)

    @cached_property
    def task(self) -> Task:
        """What is predicted."""
        inputs, targets = self.examples(64)
        with torch.no_grad():
            return find_task(self.still_output(self.build(SEED), inputs), targets, self.loss)

    def at(self, params: Mapping[str, Any]) -> Subject:
        """The same workload and data at another configuration."""
        other = Subject(self.workload, dict(params), self.device, self.clock, self.works, self.raised)
        other.__dict__ |= {"splits": self.splits, "sample": self.sample, "task": self.task}
        return other

    def overrides(self, method: str) -> bool:
        """Whether the workload has its own version of an optional method."""
        return getattr(type(self.workload), method) is not getattr(Workload, method)

    @property
    def batch_size(self) -> int:
        """Examples in a training batch of the default loader."""
        return int(self.params.get("batch_size", self.workload.batch_size))

    def examples(self, most: int) -> tuple[Tensor, Tensor]:
        """The first inputs and targets of the sample's training part, mixed by a fixed seed, on the device."""
        batches = Batches(self.sample.train.dataset, most, torch.Generator().manual_seed(SEED))
        with workload_code("reading the examples of data()"):
            inputs, targets = next(iter(batches))
            return inputs.to(self.device), targets.to(self.device)

    # Calls of the workload's code ---------------------------------------------------------------------------

    def build(self, seed: int) -> nn.Module:
        """A fresh model."""
        seed_everything(seed)
        with workload_code("build_model()"):
            return self.workload.build_model(self.params).to(self.device)

    def optimizer(self, model: nn.Module) -> Optimizer:
        """The optimizer of a model."""
        with workload_code("build_optimizer()"):
            return self.workload.build_optimizer(model, self.params)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """The loss of outputs."""
        with workload_code("loss()"):
            return self.workload.loss(output, targets)

    def output(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """A model's output in its present mode."""
        with workload_code("the model"):
            result: Tensor = model(inputs)
            return result

    def still_output(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """A model's output without dropout, with the statistics of this batch."""
        with held_still(model):
            return self.output(model, inputs)

    def train_loss(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of a training batch as a training takes it, without the penalty."""
        with workload_code("train_step()"), autocast(self.workload, self.device):
            return self.workload.train_step(model, inputs, targets, self.params)

    def augmented(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Training inputs, changed at random, on the device."""
        with workload_code("augment()"):
            return self.workload.augment(inputs, self.params, generator).to(self.device)

    def loader(self, dataset: Dataset[Any], generator: torch.Generator) -> Iterable[tuple[Tensor, Tensor]]:
        """The training batches of a dataset."""
        with workload_code("train_loader()"):
            return self.workload.train_loader(dataset, self.params, generator)

    def probe(self, model: nn.Module) -> float:
        """The loss of a few fixed training examples, still: it changes with the weights alone."""
        inputs, targets = self.examples(PROBE)
        with torch.no_grad():
            return float(self.loss(self.still_output(model, inputs), targets))

    def measured(self, model: nn.Module, dataset: Dataset[Any]) -> tuple[Tensor, Tensor]:
        """A model's outputs in eval mode and the targets of a whole dataset, on the CPU."""
        outputs, targets = [], []
        model.eval()
        with torch.no_grad(), workload_code("the model in eval mode"):
            for inputs, target in Batches(dataset, self.workload.evaluation_batch_size):
                outputs.append(model(inputs.to(self.device)).cpu())
                targets.append(target.cpu())
        return torch.cat(outputs), torch.cat(targets)

    def scores(self, output: Tensor, targets: Tensor) -> dict[str, float]:
        """The workload's own scores of a split."""
        with workload_code("metrics()"):
            return {name: float(value) for name, value in self.workload.metrics(output, targets).items()}


Measure = Callable[[Subject], Any]
