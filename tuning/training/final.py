"""The final look: a sealed configuration is trained once for each fresh seed, and then measured on the test split.

The seal is opened after the last training step of the last seed, so that nothing that is trained can have seen a test
example, whatever the workload's code does. The order is fixed here and nowhere else: `train_finals`, then
`measure_finals`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import ConcatDataset, Dataset, TensorDataset

from tuning.training.batches import size_of
from tuning.training.checkpoint import CheckpointError, load_checkpoint
from tuning.training.determinism import prepare_device, seed_everything
from tuning.training.evaluation import evaluate_with_errors
from tuning.training.loop import DivergedError, Listener, Run, train
from tuning.training.splits import Splits, fingerprint, opened_seal
from tuning.training.workload import Workload


@dataclass(frozen=True)
class Plan:
    """What is trained, once for each seed.

    Attributes:
        params: the sealed configuration.
        seeds: fresh ones, which no trial has used.
        epochs: of each training.
        max_epochs: the horizon of schedules, as the trial had it.
        with_validation: train on both splits together; then the last epoch counts, for nothing is left to choose by.
        metric, direction: what decides the best epoch on the training split alone.
        best: whether the best epoch counts there, or the last.
        folder: where checkpoints go, a folder below it for each seed.
        fence: the number of the attempt, in the names of its files.
    """

    params: Mapping[str, Any]
    seeds: Sequence[int]
    epochs: int
    max_epochs: int | None
    with_validation: bool
    metric: str
    direction: str
    best: bool
    folder: Path
    fence: int
    device: str
    threads: int
    deterministic: bool


@dataclass(frozen=True)
class Trained:
    """A model that waits to be measured: its seed, the epoch that counts, and the checkpoint of that. One that diverged
    has the epoch where it did, and no checkpoint."""

    seed: int
    step: int
    checkpoint: Path | None
    parameters: int | None


class Stopped(RuntimeError):
    """The training was to end before anything was measured."""


class _Quiet:
    """A listener that hands requests on and tells nobody what was measured."""

    def __init__(self, request: Callable[[], str | None], trained: Callable[[int, int], None], number: int) -> None:
        self.request, self._trained, self._number = request, trained, number

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        self._trained(self._number, step)

    def checkpoint(self, kind: str, step: int, path: Path) -> None:
        return None


def train_finals(
    workload: Workload,
    splits: Splits,
    plan: Plan,
    *,
    request: Callable[[], str | None] = lambda: None,
    trained: Callable[[int, int], None] = lambda number, step: None,
) -> list[Trained]:
    """Train the plan's configuration once for each seed; an earlier attempt's checkpoints are gone on from.

    `trained` is told (the seed's place, finished epochs) after each epoch. With the validation split in training, a
    schedule that watches the validation loss watches examples that it is trained on.

    Raises:
        Stopped: `request` asked for it.
        DivergedError: every seed did; one that does beside others that do not is part of the result.
        What else `train` raises.
    """
    used = Splits(together(splits.train, splits.validation), splits.validation) if plan.with_validation else splits
    finals: list[Trained] = []
    diverged: list[DivergedError] = []
    for number, seed in enumerate(plan.seeds):
        folder = plan.folder / f"seed-{number}"
        run = Run(
            params=plan.params,
            seed=seed,
            epochs=plan.epochs,
            max_epochs=plan.max_epochs,
            metric=plan.metric,
            direction=plan.direction,
            checkpoint_dir=folder,
            fence=plan.fence,
            resume_from=_earlier(folder),
            device=plan.device,
            threads=plan.threads,
            deterministic=plan.deterministic,
            load=lambda _: used,
        )
        listener: Listener = _Quiet(request, trained, number)
        try:
            outcome = train(workload, run, listener)
        except DivergedError as error:
            diverged.append(error)
            finals.append(Trained(seed, error.epoch, None, None))
            continue
        if outcome.stopped:
            raise Stopped("it was asked to stop before anything was measured")
        finals.append(_counting(folder, plan, seed, outcome.parameters))
    if len(diverged) == len(finals):
        raise diverged[0]
    return finals


def measure_finals(
    workload: Workload,
    splits: Splits,
    plan: Plan,
    finals: Sequence[Trained],
    *,
    hash_key: bytes,
    between: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Open the seal and measure each model on the test split. Nothing may be trained in this process afterwards.

    Returns {"seeds": [{"seed", "step", "validation" (scores by name; None where it was trained on), "test",
    "errors", "diverged"}, ...], "sizes" (examples by split), "test_digest" (keyed, of the test examples)}; errors are
    the standard errors of the test scores for want of examples. A seed that diverged has no scores.

    Raises:
        ValueError: the workload has no test examples.
    """
    device = prepare_device(plan.device, threads=plan.threads, deterministic=plan.deterministic)
    models = [_model(workload, plan, final, device) for final in finals]

    def scores(model: torch.nn.Module | None, examples: Dataset[Any]) -> tuple[dict[str, float], dict[str, float]]:
        return ({}, {}) if model is None else evaluate_with_errors(workload, model, examples, device, between)

    validation = [None if plan.with_validation else scores(model, splits.validation)[0] for model in models]
    with opened_seal():
        test = workload.test_data()
        if size_of(test) == 0:
            raise ValueError("test_data() has no examples")
        rows = []
        for final, model, held in zip(finals, models, validation, strict=True):
            found, errors = scores(model, test)
            row = {"seed": final.seed, "step": final.step, "validation": held, "test": found, "errors": errors}
            rows.append(row | {"diverged": model is None})
        digest = fingerprint({"test": test}, hash_key).digest
    sizes = {"train": size_of(splits.train), "validation": size_of(splits.validation), "test": size_of(test)}
    return {"seeds": rows, "sizes": sizes, "test_digest": digest}


def together(first: Dataset[Any], second: Dataset[Any]) -> Dataset[Any]:
    """Both one after the other; of two that hold tensors alike, tensors again, which are batched at once."""
    if isinstance(first, TensorDataset) and isinstance(second, TensorDataset) and _alike(first, second):
        return TensorDataset(*(torch.cat(pair) for pair in zip(first.tensors, second.tensors, strict=True)))
    return ConcatDataset([first, second])


def _alike(first: TensorDataset, second: TensorDataset) -> bool:
    kinds = [[(tensor.dtype, tensor.shape[1:]) for tensor in dataset.tensors] for dataset in (first, second)]
    return kinds[0] == kinds[1]


def _counting(folder: Path, plan: Plan, seed: int, parameters: int) -> Trained:
    """The checkpoint that counts: of the best epoch, or of the last."""
    last = _newest(folder, "last")
    state = load_checkpoint(last)
    if plan.with_validation or not plan.best:
        return Trained(seed, int(state["step"]), last, parameters)
    if state["best"] is None:
        raise ValueError(f"{plan.metric} was never finite with the seed {seed}, so that no epoch is the best")
    step = int(state["best"]["step"])
    return Trained(seed, step, _newest(folder, f"best-{step}"), parameters)


def _earlier(folder: Path) -> Path | None:
    """The newest checkpoint that an earlier attempt has left, if it can be read."""
    try:
        newest = _newest(folder, "last")
        load_checkpoint(newest)
    except (CheckpointError, FileNotFoundError):
        return None
    return newest


def _newest(folder: Path, kind: str) -> Path:
    """Of the files `kind`-STEP-fFENCE.pt the one of the last step, of several the newest attempt's."""
    found = [(_numbers(path), path) for path in folder.glob(f"{kind}-*.pt")]
    if not found:
        raise FileNotFoundError(f"there is no checkpoint {kind} in {folder}")
    return max(found)[1]


def _numbers(path: Path) -> tuple[int, int]:
    _kind, step, fence = path.stem.split("-")
    return int(step), int(fence.removeprefix("f"))


def _model(workload: Workload, plan: Plan, final: Trained, device: torch.device) -> torch.nn.Module | None:
    if final.checkpoint is None:
        return None
    seed_everything(final.seed)
    model = workload.build_model(plan.params).to(device)
    model.load_state_dict(load_checkpoint(final.checkpoint)["model"])
    return model
