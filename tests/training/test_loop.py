import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.problems import PARAMS, Blobs, Record, run_of
from tuning.training import (
    CheckpointError,
    DeviceError,
    DivergedError,
    Metric,
    Splits,
    TensorDataset,
    evaluate,
    load_checkpoint,
    train,
)
from tuning.training.determinism import prepare_device, seed_everything


def assert_equal_states(left, right, where="state"):
    """Bitwise equality of nested containers of tensors and plain values."""
    assert type(left) is type(right), where
    if isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_equal_states(left[key], right[key], f"{where}.{key}")
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right), where
        for index, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_equal_states(a, b, f"{where}[{index}]")
    elif isinstance(left, torch.Tensor):
        assert torch.equal(left, right), where
    else:
        assert left == right, where


def train_with_a_break(folder: Path, **changes):
    """Three epochs, another program's worth of random draws, and three more from the checkpoint."""
    first = Record()
    train(Blobs(), run_of(folder, epochs=3, max_epochs=6, fence=1, **changes), first)
    seed_everything(999)
    second = Record()
    resumed = run_of(folder, max_epochs=6, fence=2, resume_from=first.last(), **changes)
    train(Blobs(), resumed, second)
    return first, second


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_resumed_equals_uninterrupted_bit_for_bit(tmp_path, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device: exact continuation on a GPU is not checked here")
    changes = {"device": device, "deterministic": True}
    straight = Record()
    train(Blobs(), run_of(tmp_path / "straight", max_epochs=6, **changes), straight)
    first, second = train_with_a_break(tmp_path / "broken", **changes)

    assert first.steps | second.steps == straight.steps
    assert sorted(second.steps) == [4, 5, 6]
    whole, parts = load_checkpoint(straight.last()), load_checkpoint(second.last())
    for state in (whole, parts):
        del state["fence"]
    assert_equal_states(whole, parts)
    prepare_device("cpu", threads=1, deterministic=False)


@pytest.mark.parametrize("forgotten", ["python", "numpy", "torch", "batches"])
def test_every_generator_matters_to_the_exact_continuation(tmp_path, forgotten):
    """The problem draws from all four generators, so the test above would notice one that is not restored."""
    straight, first = Record(), Record()
    train(Blobs(), run_of(tmp_path / "straight", max_epochs=6), straight)
    train(Blobs(), run_of(tmp_path / "broken", epochs=3, max_epochs=6), first)
    state = torch.load(first.last(), weights_only=True)
    other = torch.load(
        next(p for k, s, p in straight.checkpoints if (k, s) == ("last", 1)), weights_only=True
    )
    state["random"][forgotten] = other["random"][forgotten]
    torch.save(state, first.last())
    second = Record()
    train(Blobs(), run_of(tmp_path / "broken", max_epochs=6, resume_from=first.last()), second)
    assert second.steps[4] != straight.steps[4]


def test_the_same_seed_repeats_and_another_seed_does_not(tmp_path):
    records = [Record(), Record(), Record()]
    for number, (seed, record) in enumerate(zip((7, 7, 8), records, strict=True)):
        train(Blobs(), run_of(tmp_path / str(number), seed=seed, epochs=2), record)
    assert records[0].steps == records[1].steps != records[2].steps


def test_every_epoch_reports_both_splits_in_eval_mode_and_without_the_penalty(tmp_path):
    record = Record()
    outcome = train(Blobs(), run_of(tmp_path), record)
    assert list(record.steps) == [1, 2, 3, 4, 5, 6]
    state = load_checkpoint(record.last())
    model = Blobs().build_model(PARAMS)
    model.load_state_dict(state["model"])
    model.eval()
    splits = Blobs().data()
    with torch.no_grad():
        for name, dataset in (("train", splits.train), ("validation", splits.validation)):
            inputs, targets = dataset.tensors
            loss = nn.functional.cross_entropy(model(inputs), targets)
            assert record.steps[6][f"{name}/loss"] == pytest.approx(float(loss), rel=1e-6)
    assert outcome.steps == 6 and outcome.stopped is False
    assert outcome.parameters == 4 * 16 + 16 + 2 * 16 + 16 * 2 + 2
    assert outcome.seconds > 0 and outcome.peak_memory > 10 << 20 and outcome.device


def test_best_checkpoints_are_those_of_the_improvements(tmp_path):
    record = Record()
    train(Blobs(), run_of(tmp_path, metric="validation/accuracy", direction="maximize"), record)
    values = [record.steps[step]["validation/accuracy"] for step in sorted(record.steps)]
    improvements = [n for n, v in enumerate(values, start=1) if v > max([-1.0, *values[: n - 1]])]
    assert [step for kind, step, _ in record.checkpoints if kind == "best"] == improvements
    best = [path for kind, _, path in record.checkpoints if kind == "best"][-1]
    assert load_checkpoint(best)["step"] == improvements[-1]
    assert load_checkpoint(record.last())["best"] == {"step": improvements[-1], "value": max(values)}


@pytest.mark.parametrize(("request_", "stopped"), [("stop", True), ("pause", "pause")])
def test_a_request_ends_the_training_between_two_batches(tmp_path, request_, stopped):
    record = Record(after=20, request=request_)
    outcome = train(Blobs(), run_of(tmp_path), record)
    assert outcome.stopped == stopped and outcome.stopped is stopped
    assert record.questions == 21, "it ended at the first batch after the request"
    assert 0 < outcome.steps == max(record.steps) < 6


def test_a_training_that_was_paused_within_an_epoch_continues_exactly(tmp_path):
    straight, paused, resumed = Record(), Record(after=20, request="pause"), Record()
    train(Blobs(), run_of(tmp_path / "straight"), straight)
    train(Blobs(), run_of(tmp_path / "paused"), paused)
    train(Blobs(), run_of(tmp_path / "paused", resume_from=paused.last(), fence=1), resumed)
    assert paused.steps | resumed.steps == straight.steps


def test_a_run_that_is_already_at_its_target_reports_nothing(tmp_path):
    first, again = Record(), Record()
    train(Blobs(), run_of(tmp_path, epochs=2, max_epochs=6), first)
    outcome = train(Blobs(), run_of(tmp_path, epochs=2, max_epochs=6, resume_from=first.last()), again)
    assert outcome.steps == 2 and again.steps == {}


class Exploding(Blobs):
    def loss(self, output, target):
        return super().loss(output, target) * float("inf")


class ExplodingValidation(Blobs):
    def loss(self, output, target):
        loss = super().loss(output, target)
        return loss * math.nan if len(target) == 40 else loss  # only the validation split has 40 examples


@pytest.mark.parametrize(("problem", "split"), [(Exploding, "training"), (ExplodingValidation, "validation")])
def test_a_loss_that_is_not_finite_ends_the_training_with_epoch_and_rate(tmp_path, problem, split):
    record = Record()
    with pytest.raises(
        DivergedError, match=f"the {split} loss became (inf|nan) in epoch 1, at a learning rate of"
    ):
        train(problem(), run_of(tmp_path), record)
    assert record.steps == {}


def test_a_rate_that_is_far_too_high_diverges_by_itself(tmp_path):
    class Runaway(Blobs):
        def build_model(self, params):
            return nn.Linear(4, 2)

        def build_schedule(self, *_):
            return None

        def loss(self, output, target):
            return (output**4).mean()

    with pytest.raises(DivergedError, match="learning rate of 1e"):
        train(Runaway(), run_of(tmp_path, params=PARAMS | {"lr": 1e4}), Record())


def test_the_schedule_stretches_over_the_longest_training_and_not_over_this_run(tmp_path):
    seen = []

    class Watched(Blobs):
        def build_schedule(self, optimizer, params, epochs, steps_per_epoch):
            seen.append((epochs, steps_per_epoch))

    train(Watched(), run_of(tmp_path, epochs=1, max_epochs=4), Record())
    train(Watched(), run_of(tmp_path, epochs=1), Record())
    train(Watched(), run_of(tmp_path, epochs=7), Record())
    assert seen == [(4, 5), (6, 5), (7, 5)]


def test_a_plateau_schedule_is_stepped_by_epochs_and_resumes(tmp_path):
    class Plateau(Blobs):
        def build_schedule(self, optimizer, params, epochs, steps_per_epoch):
            never = {"threshold": 100.0, "threshold_mode": "abs"}
            return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0, **never)

    straight, first, second = Record(), Record(), Record()
    train(Plateau(), run_of(tmp_path / "a", epochs=4), straight)
    train(Plateau(), run_of(tmp_path / "b", epochs=2), first)
    train(Plateau(), run_of(tmp_path / "b", epochs=4, resume_from=first.last()), second)
    assert first.steps | second.steps == straight.steps
    rate = load_checkpoint(straight.last())["optimizer"]["param_groups"][0]["lr"]
    assert rate == pytest.approx(0.1 * 0.1**3), "every epoch after the first lowers the rate"


def test_a_half_precision_step_trains(tmp_path):
    seen = []

    class Half(Blobs):
        amp = "bfloat16"

        def train_step(self, model, inputs, targets, params):
            output = model(inputs)
            seen.append(output.dtype)
            return self.loss(output.float(), targets)

    record = Record()
    train(Half(), run_of(tmp_path), record)
    assert set(seen) == {torch.bfloat16}
    assert record.steps[6]["train/loss"] < record.steps[1]["train/loss"]


def test_a_dataset_that_is_no_tensor_dataset_goes_through_a_loader(tmp_path):
    class Rows(torch.utils.data.Dataset):
        def __init__(self, dataset):
            self.dataset = dataset

        def __len__(self):
            return len(self.dataset)

        def __getitem__(self, index):
            return self.dataset[index]

    class Wrapped(Blobs):
        def data(self):
            splits = super().data()
            return Splits(Rows(splits.train), Rows(splits.validation))

    plain, wrapped = Record(), Record()
    train(Blobs(), run_of(tmp_path / "plain", epochs=2), plain)
    train(Wrapped(), run_of(tmp_path / "wrapped", epochs=2), wrapped)
    assert wrapped.steps == plain.steps


def test_undeclared_scores_are_named(tmp_path):
    class Chatty(Blobs):
        def metrics(self, output, target):
            return {"accuracy": 1.0, "f1": 0.5}

    with pytest.raises(
        ValueError, match=r"metrics\(\) of blobs returned accuracy, f1, but scores declares accuracy"
    ):
        train(Chatty(), run_of(tmp_path), Record())


def test_a_metric_that_is_not_a_number_is_never_the_best(tmp_path):
    class Undefined(Blobs):
        scores = (Metric("accuracy", "maximize"),)

        def metrics(self, output, target):
            return {"accuracy": math.nan}

    record = Record()
    train(Undefined(), run_of(tmp_path, epochs=2, metric="validation/accuracy", direction="maximize"), record)
    assert math.isnan(record.steps[2]["validation/accuracy"])
    assert [kind for kind, _, _ in record.checkpoints] == ["last", "last"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"epochs": 0}, "epochs is at least 1, not 0"),
        ({"epochs": 5, "max_epochs": 4}, r"epochs \(5\) is above max_epochs \(4\)"),
        ({"metric": "validation/f1"}, "does not report 'validation/f1', but train/loss, train/accuracy,"),
        ({"direction": "up"}, "'minimize' or 'maximize', not 'up'"),
    ],
)
def test_a_run_that_does_not_fit_is_refused_by_name(tmp_path, changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        train(Blobs(), run_of(tmp_path, **changes), Record())


def test_an_unknown_or_missing_device_is_named(tmp_path):
    with pytest.raises(DeviceError, match="'tpu' is unknown"):
        train(Blobs(), run_of(tmp_path, device="tpu"), Record())
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="no CUDA device is visible"):
            train(Blobs(), run_of(tmp_path, device="cuda"), Record())


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"params": PARAMS | {"lr": 0.2}}, "params"), ({"seed": 8}, "seed"), ({"max_epochs": 9}, "max")],
)
def test_a_checkpoint_of_another_trial_is_refused(tmp_path, changes, key):
    first = Record()
    train(Blobs(), run_of(tmp_path, epochs=1), first)
    with pytest.raises(CheckpointError, match=f"belongs to another trial: its {key}"):
        train(Blobs(), run_of(tmp_path, resume_from=first.last(), **changes), Record())


def test_seeding_reaches_every_generator():
    draws = []
    for _ in range(2):
        generator = seed_everything(2**40 + 3)
        draws.append(
            (
                random.random(),
                np.random.rand(),
                float(torch.rand(1)),
                float(torch.rand(1, generator=generator)),
            )
        )
    assert draws[0] == draws[1]


def test_evaluating_leaves_the_model_in_eval_mode_and_draws_nothing():
    model, dataset = Blobs().build_model(PARAMS), Blobs().data().validation
    before = torch.get_rng_state()
    scores = evaluate(Blobs(), model, dataset, torch.device("cpu"))
    assert set(scores) == {"loss", "accuracy"} and not model.training
    assert torch.equal(before, torch.get_rng_state())


def test_a_loss_over_several_batches_is_weighted_by_their_sizes():
    class Small(Blobs):
        evaluation_batch_size = 7

    model = Blobs().build_model(PARAMS)
    dataset = TensorDataset(*Blobs().data().train.tensors)
    whole = evaluate(Blobs(), model, dataset, torch.device("cpu"))
    assert evaluate(Small(), model, dataset, torch.device("cpu"))["loss"] == pytest.approx(
        whole["loss"], rel=1e-5
    )


class NoisyRows(torch.utils.data.Dataset):
    """Rows with noise drawn in the worker process that loads them."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        inputs, target = self.dataset[index]
        return inputs + 0.1 * torch.rand(4) + 0.1 * float(np.random.rand()) + 0.1 * random.random(), target


class LoadedByWorkers(Blobs):
    def train_loader(self, dataset, params, generator):
        rows = NoisyRows(dataset)
        return torch.utils.data.DataLoader(rows, 20, shuffle=True, num_workers=1, generator=generator)


def test_a_loader_with_worker_processes_continues_exactly_too(tmp_path):
    straight, first, second = Record(), Record(), Record()
    train(LoadedByWorkers(), run_of(tmp_path / "a", epochs=2), straight)
    train(LoadedByWorkers(), run_of(tmp_path / "b", epochs=1), first)
    seed_everything(999)
    train(LoadedByWorkers(), run_of(tmp_path / "b", epochs=2, resume_from=first.last()), second)
    assert first.steps | second.steps == straight.steps
