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

`check_workload` lists everything that is wrong with such a class before anything is trained.
"""

from __future__ import annotations

import json
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
PRECISIONS = (None, "bfloat16", "float16")
REPORTED_SPLITS = ("train", "validation")


class WorkloadError(ValueError):
    """A class that does not fulfil the contract; `problems` lists every complaint."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{name} is not a workload yet: " + "; ".join(problems))


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

    def metrics(self, output: Tensor, target: Tensor) -> Mapping[str, Any]:
        """Return the `scores` of a whole split from its concatenated outputs and targets (on the CPU)."""
        return {}

    def train_loader(
        self, dataset: Dataset[Any], params: Params, generator: torch.Generator
    ) -> Iterable[tuple[Tensor, Tensor]]:
        """Return an iterable with a length whose every pass is one epoch of (inputs, targets) batches.

        `generator` is the only source of the order: its state is part of the checkpoint. A DataLoader with
        workers takes it as `generator=` and must not use persistent_workers, whose random state no checkpoint
        holds.
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


def check_workload(cls: type[Workload]) -> None:
    """Check a class against the contract without calling any of its methods.

    The search space is checked for its shape only: names and parameters with a type.

    Raises:
        WorkloadError: with everything that is wrong.
    """
    problems = [
        *_name_problems(cls),
        *_method_problems(cls),
        *_number_problems(cls),
        *space_problems(getattr(cls, "space", None)),
    ]
    problems += _metric_problems(cls)
    if problems:
        raise WorkloadError(cls.__name__, problems)


def _name_problems(cls: type[Workload]) -> list[str]:
    problems = []
    name = getattr(cls, "name", None)
    if name is None:
        problems.append(f"it has no name; add for example name = {_snake_case(cls.__name__)!r}")
    elif not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        problems.append(f"name {name!r} is not a lower-case word such as {_snake_case(cls.__name__)!r}")
    if not isinstance(cls.title, str):
        problems.append(f"title is a text, not {cls.title!r}")
    return problems


def _method_problems(cls: type[Workload]) -> list[str]:
    problems = []
    for method in ("data", "build_model", "build_optimizer", "loss"):
        if getattr(cls, method) is getattr(Workload, method):
            problems.append(f"the method {method}() is missing")
    optional = ("metrics", "test_data", "train_loader", "augment", "train_step", "penalty", "build_schedule")
    for method in ("data", "build_model", "build_optimizer", "loss", *optional):
        if not callable(getattr(cls, method)):
            problems.append(f"{method} must be a method, not {getattr(cls, method)!r}")
    return problems


def _number_problems(cls: type[Workload]) -> list[str]:
    problems = []
    for attribute in ("min_epochs", "max_epochs", "batch_size", "evaluation_batch_size"):
        value = getattr(cls, attribute)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            problems.append(f"{attribute} is a whole number of at least 1, not {value!r}")
    if not problems and cls.min_epochs > cls.max_epochs:
        problems.append(f"min_epochs ({cls.min_epochs}) is above max_epochs ({cls.max_epochs})")
    if cls.amp not in PRECISIONS:
        problems.append(f"amp is None, 'bfloat16' or 'float16', not {cls.amp!r}")
    return problems


def space_problems(space: Any) -> list[str]:
    """What is wrong with the shape of a search space; the engine knows the rest."""
    if space is None:
        return [
            'it has no space; add for example space = {"lr": {"type": "float", "low": 1e-4, "high": 0.1}}'
        ]
    if not isinstance(space, dict):
        return [f"space is a dict from parameter names to their ranges, not a {type(space).__name__}"]
    problems = []
    for parameter, document in space.items():
        if not isinstance(parameter, str):
            problems.append(f"space: a parameter's name is a text, not {parameter!r}")
        elif not isinstance(document, dict):
            problems.append(
                f'space: {parameter!r} is a dict such as {{"type": "float", ...}}, not {document!r}'
            )
        elif not isinstance(document.get("type"), str):
            problems.append(f'space: {parameter!r} has no "type" (float, int, categorical or constant)')
        else:
            try:
                json.dumps(document)
            except (TypeError, ValueError) as error:
                problems.append(f"space: {parameter!r} is not plain JSON: {error}")
    return problems


def _metric_problems(cls: type[Workload]) -> list[str]:
    if not isinstance(cls.scores, (tuple, list)) or not all(isinstance(s, Metric) for s in cls.scores):
        return [f'scores is a tuple such as (Metric("accuracy", "maximize"),), not {cls.scores!r}']
    problems = []
    names = [score.name for score in cls.scores]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"scores names {name!r} twice")
    if "loss" in names:
        problems.append("scores names 'loss', which is always reported and minimised; leave it out")
    if cls.scores and cls.metrics is Workload.metrics:
        problems.append(f"scores promises {', '.join(names)}, but the method metrics() is missing")
    if cls.direction not in DIRECTIONS:
        problems.append(f"direction is 'minimize' or 'maximize', not {cls.direction!r}")
    elif cls.metric not in (reported := cls.reported_metrics()):
        problems.append(f"metric {cls.metric!r} is not reported; choose one of {', '.join(reported)}")
    elif reported[cls.metric] != cls.direction:
        problems.append(
            f"direction is {cls.direction!r}, but {cls.metric!r} has the goal {reported[cls.metric]!r}"
        )
    return problems


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
