"""A shipped workload with something done to its data, its network, its optimizer or its training step.

The changes of the examples are those of `data_changes`. The others, by name and argument:

network     bottleneck (units of a layer before the last), frozen_body (only the last layer learns), zero_start
optimizer   sgd (momentum, in the place of AdamW), betas (of AdamW)
rate        rate_from ({epoch: factor}, kept until the next), rate_growth (factor an epoch),
            rate_blips ((every, factor))
step        ascent_from (epoch, strength), unguarded_log, nan_from (epoch), relabelled_from (epoch),
            corrupt ((every, factor): every so many batches the inputs are multiplied), penalty_from (epoch, strength),
            decay_from (epoch, factor by which weights shrink at every step)
batches     by_class (no shuffling: one class after another)
measuring   running_loss (train/loss is the mean of the epoch's batches in training mode), redrawn (deviation of the
            noise that every access to a training example draws)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from tests.analysis.curve_gallery.data_changes import CHANGES, Redrawn
from tuning.training import Params, Splits, TensorDataset, Workload
from tuning.training.batches import Batches

FAR = 10**9


class CountedBatches:
    """Batches that tell the workload when an epoch begins."""

    def __init__(self, batches: Any, workload: Any) -> None:
        self._batches, self._workload = batches, workload

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self._workload.epoch += 1
        for inputs, targets in self._batches:
            self._workload.batch += 1
            yield inputs, targets


def altered(cls: type[Workload], changes: Mapping[str, Any], seed: int) -> Any:
    """Return the workload with the changes; `seed` is of what they draw."""

    class Altered(cls):  # type: ignore[valid-type, misc]
        epoch, batch = 0, 0
        losses: list[float]

        def data(self) -> Splits:
            splits = super().data()
            train, validation = splits.train.tensors, splits.validation.tensors
            generator = torch.Generator().manual_seed(seed)
            for name, argument in changes.items():
                if name in CHANGES:
                    train, validation = CHANGES[name](train, validation, argument, generator)
            self.targets = train[1]
            if "redrawn" in changes:
                return Splits(Redrawn(train, changes["redrawn"], seed), TensorDataset(*validation))
            return Splits(TensorDataset(*train), TensorDataset(*validation))

        def build_model(self, params: Params) -> nn.Module:
            model = super().build_model(params)
            if "bottleneck" in changes:
                at = max(i for i, layer in enumerate(model) if isinstance(layer, nn.Linear))
                width, narrow = model[at].in_features, changes["bottleneck"]
                model[at] = nn.Linear(narrow, model[at].out_features)
                model.insert(at, nn.Linear(width, narrow))
            if "frozen_body" in changes:
                for parameter in list(model.parameters())[:-2]:
                    parameter.requires_grad_(False)
            if "zero_start" in changes:
                for parameter in model.parameters():
                    nn.init.zeros_(parameter)
            return model

        def build_optimizer(self, model: nn.Module, params: Params) -> Optimizer:
            if "sgd" in changes:
                momentum, decay = changes["sgd"], params["weight_decay"]
                return SGD(model.parameters(), lr=params["lr"], momentum=momentum, weight_decay=decay)
            if "betas" in changes:
                return AdamW(model.parameters(), lr=params["lr"], betas=changes["betas"])
            return super().build_optimizer(model, params)

        def build_schedule(self, optimizer: Optimizer, params: Params, epochs: int, steps_per_epoch: int) -> Any:
            steps = changes.get("rate_from", {})
            every, blip = changes.get("rate_blips", (FAR, 1.0))
            growth = changes.get("rate_growth", 1.0)
            if not {"rate_from", "rate_blips", "rate_growth"} & set(changes):
                return super().build_schedule(optimizer, params, epochs, steps_per_epoch)

            def factor(step: int) -> float:
                epoch = step // steps_per_epoch + 1
                begun = [value for start, value in steps.items() if epoch >= start]
                return (begun[-1] if begun else 1.0) * growth**epoch * (blip if epoch % every == 0 else 1.0)

            return LambdaLR(optimizer, factor)

        def train_loader(self, dataset: Any, params: Params, generator: torch.Generator) -> Any:
            if "by_class" in changes:
                order = dataset.tensors[1].argsort(stable=True)
                sorted_ = TensorDataset(*(tensor[order] for tensor in dataset.tensors))
                return CountedBatches(Batches(sorted_, int(params["batch_size"])), self)
            return CountedBatches(super().train_loader(dataset, params, generator), self)

        def augment(self, inputs: Tensor, params: Params, generator: torch.Generator) -> Tensor:
            inputs = super().augment(inputs, params, generator)
            every, factor = changes.get("corrupt", (FAR, 1.0))
            return factor * inputs if self.batch % every == 0 else inputs

        def train_step(self, model: nn.Module, inputs: Tensor, targets: Tensor, params: Params) -> Tensor:
            decay_start, shrink = changes.get("decay_from", (FAR, 1.0))
            if self.epoch >= decay_start:
                with torch.no_grad():
                    for parameter in model.parameters():
                        parameter.mul_(shrink)
            if self.epoch >= changes.get("relabelled_from", FAR):
                targets = -targets if targets.is_floating_point() and cls.name == "diabetes_mlp" else _next(targets)
            if "unguarded_log" in changes:
                loss = _unguarded(model(inputs), targets)
            else:
                loss = super().train_step(model, inputs, targets, params)
            self.losses = [*getattr(self, "losses", []), float(loss.detach())]
            start, strength = changes.get("ascent_from", (FAR, 0.0))
            if self.epoch >= start:
                loss = -strength * loss
            return loss * float("nan") if self.epoch >= changes.get("nan_from", FAR) else loss

        def penalty(self, model: nn.Module, params: Params) -> Tensor | None:
            start, strength = changes.get("penalty_from", (FAR, 0.0))
            if self.epoch < start:
                return super().penalty(model, params)
            return strength * torch.stack([weight.abs().sum() for weight in model.parameters()]).sum()

        def reported(self, metrics: Mapping[str, float]) -> dict[str, float]:
            """What a user's own program would have reported for the epoch."""
            losses, self.losses = getattr(self, "losses", []), []
            if "running_loss" not in changes:
                return dict(metrics)
            return {**metrics, "train/loss": sum(losses) / len(losses)}

    unknown = set(changes) - set(CHANGES) - OTHERS
    if unknown:
        raise ValueError(f"no such change: {', '.join(sorted(unknown))}")
    return Altered()


OTHERS = {
    "bottleneck", "frozen_body", "zero_start", "sgd", "betas", "rate_from", "rate_growth", "rate_blips",
    "ascent_from", "unguarded_log", "nan_from", "relabelled_from", "corrupt", "penalty_from", "decay_from",
    "by_class", "running_loss", "redrawn",
}  # fmt: skip


def _next(labels: Tensor) -> Tensor:
    """Every label moved on by one, as after a class list in another order."""
    return 1 - labels if labels.is_floating_point() else (labels + 1) % 10


def _unguarded(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy as a beginner writes it: the log of a probability that may be 0."""
    if output.ndim == 1:
        share = torch.sigmoid(output)
        return -(target * share.log() + (1 - target) * (1 - share).log()).mean()
    return -(F.softmax(output, dim=1).log() * F.one_hot(target, 10)).sum(1).mean()
