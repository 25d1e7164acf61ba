"""The contract by which a user brings a PyTorch problem: one class, in one file of about forty lines.

```python
from tuning.training import Metric, Splits, Workload

class Flowers(Workload):
    name = "flowers"
    metric, direction = "validation/loss", "minimize"
    scores = (Metric("accuracy", "maximize"),)
    max_epochs = 30
    space = {"lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True}}

    def data(self): ...                                  # Splits(train=..., validation=...)
    def test_data(self): ...                             # a dataset that no trial process may open
    def build_model(self, params): ...
    def build_optimizer(self, model, params): ...
    def loss(self, output, target): ...
    def metrics(self, output, target): ...               # {"accuracy": ...}
```

`contract.check_workload` lists everything that is wrong with such a class before anything is trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from tuning.training.batches import Batches
from tuning.training.splits import Splits, guard_test_data

Params = Mapping[str, Any]

DIRECTIONS = ("minimize", "maximize")
REPORTED_SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Metric:
    """A score that `Workload.metrics` returns for a split, and whether less or more of it is better."""

    name: str
    goal: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z][\w.-]*", self.name):
            raise ValueError(
                f"a metric's name is a word such as 'accuracy', without a slash, not {self.name!r}"
            )
        if self.goal not in DIRECTIONS:
            raise ValueError(f"metric {self.name!r}: the goal is 'minimize' or 'maximize', not {self.goal!r}")


class Workload:
    """A problem to tune: its data, its model, its loss, and the space in which its hyperparameters lie.

    Attributes:
        name: a lower-case word, unique among all workloads of the installation.
        title: how pages call it (default: from the name).
        metric: what a study optimises by default: "train/" or "validation/" and "loss" or one of `scores`.
        direction: "minimize" or "maximize".
        scores: what `metrics` returns for a split; the loss is always reported and not listed here.
        max_epochs, min_epochs: the default range of a trial's resource.
        space: the default search space in its JSON form.
        batch_size: examples in a training batch where `params` has no "batch_size".
        evaluation_batch_size: examples in a batch when a split is measured.
        amp: None, "bfloat16" or "float16": automatic mixed precision in the training steps.
        memory: what a device must have to train it, such as "8 GB"; on a CPU, what the host must have.
        labels: what a host must offer by HPWEB_LABELS, such as ("a100", "fast-disk").
        data_dir: the folder of HPWEB_DATA_DIR, or None; see `data_file`.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    metric: ClassVar[str] = "validation/loss"
    direction: ClassVar[str] = "minimize"
    scores: ClassVar[tuple[Metric, ...]] = ()
    max_epochs: ClassVar[int] = 27
    min_epochs: ClassVar[int] = 1
    resource_unit: ClassVar[str] = "epochs"
    space: ClassVar[dict[str, dict[str, Any]]]
    batch_size: ClassVar[int] = 64
    evaluation_batch_size: ClassVar[int] = 1024
    amp: ClassVar[str | None] = None
    memory: ClassVar[str | None] = None
    labels: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data_dir: Path | None = None) -> None:
        self.data_dir = data_dir

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "test_data" in cls.__dict__:
            cls.test_data = guard_test_data(cls.__dict__["test_data"])  # type: ignore[method-assign]

    # What every workload defines ----------------------------------------------------------------------------

    def data(self) -> Splits:
        """Return the training and the validation split; the same examples at every call."""
        raise NotImplementedError

    def build_model(self, params: Params) -> nn.Module:
        """Return a model with fresh weights; the random generators are seeded before the call."""
        raise NotImplementedError

    def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
        """Return the optimizer of the model's parameters."""
        raise NotImplementedError

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of a batch, a scalar."""
        raise NotImplementedError

    # What a workload may define -----------------------------------------------------------------------------

    def test_data(self) -> Dataset[Any]:
        """Return the test split. Only the split job and the final evaluation of a study may call this.

        Raises:
            SealedTestError: anywhere else, above all in a trial.
        """
        raise NotImplementedError

    def input_example(self) -> Tensor:
        """Return the inputs of one example, without a batch's dimension; its shape and type are what counts.

        Limits on a model are judged with it before anything is trained. By default it is the first example to learn
        from: a workload whose data take long to read says here what they look like, such as torch.empty(3, 224, 224).
        """
        inputs: Tensor = self.data().train[0][0]
        return inputs

    def metrics(self, output: Tensor, target: Tensor) -> Mapping[str, Any]:
        """Return the `scores` of a whole split from its concatenated outputs and targets (on the CPU)."""
        return {}

    def train_loader(
        self, dataset: Dataset[Any], params: Params, generator: torch.Generator
    ) -> Iterable[tuple[Tensor, Tensor]]:
        """Return an iterable with a length whose every pass is one epoch of (inputs, targets) batches.

        `generator` is the only source of the order: its state is part of the checkpoint. A DataLoader takes
        it as `generator=` and may have workers, but no persistent_workers: no checkpoint knows their state.
        """
        return Batches(dataset, int(params.get("batch_size", self.batch_size)), generator)

    def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
        """Return a training batch's inputs (on the CPU), changed at random by draws from `generator` only."""
        return inputs

    def train_step(self, model: nn.Module, inputs: Tensor, targets: Tensor, params: Params) -> Tensor:
        """Return the loss of a training batch, to be differentiated."""
        return self.loss(model(inputs), targets)

    def penalty(self, model: nn.Module, params: Params) -> Tensor | None:
        """Return what is added to the loss in training and in no reported number, such as an L1 norm."""
        return None

    def build_schedule(self, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int) -> Any:
        """Return a learning-rate scheduler, stepped after every batch, or None.

        `epochs` is the longest training that the study allows and not this trial's present target, so that a
        trial that is paused and promoted follows the schedule of one that was never interrupted. A
        ReduceLROnPlateau is stepped once an epoch, with the validation loss.
        """
        return None

    # What a workload may use --------------------------------------------------------------------------------

    def data_file(self, relative: str) -> Path:
        """Return the path of a file under HPWEB_DATA_DIR.

        Raises:
            FileNotFoundError: the variable is not set, or the file is not there.
        """
        if self.data_dir is None:
            raise FileNotFoundError(
                f"{relative!r} is looked for under HPWEB_DATA_DIR, which is not set; "
                "set it to the folder with the data and restart the workers"
            )
        path = self.data_dir / relative
        if not path.exists():
            raise FileNotFoundError(f"there is no {relative!r} in HPWEB_DATA_DIR ({self.data_dir})")
        return path

    # What the rooms around it ask ---------------------------------------------------------------------------

    @classmethod
    def has_test_data(cls) -> bool:
        """Whether the class declares a test split."""
        return cls.test_data is not Workload.test_data

    @classmethod
    def reported_metrics(cls) -> dict[str, str]:
        """Return every metric that each epoch reports, by its full name, with its goal."""
        goals = {"loss": "minimize"} | {score.name: score.goal for score in cls.scores}
        return {f"{split}/{name}": goal for split in REPORTED_SPLITS for name, goal in goals.items()}
