"""The final look: fresh seeds are trained first, the seal is opened last; a second attempt goes on from the first."""

import math

import pytest
import torch
from torch.utils.data import ConcatDataset, Dataset, TensorDataset

from tests.training.problems import PARAMS, Blobs, Record, run_of
from tuning.training import DivergedError, SealedTestError, Splits, load_checkpoint, train
from tuning.training.evaluation import evaluate, evaluate_with_errors
from tuning.training.final import Plan, Stopped, measure_finals, together, train_finals

KEY = bytes(range(32))


class Tested(Blobs):
    """Blobs with a test split, and a diary of what happened when."""

    def __init__(self):
        super().__init__()
        self.diary = []

    def build_optimizer(self, model, params):
        self.diary.append("train")
        return super().build_optimizer(model, params)

    def test_data(self):
        self.diary.append("test")
        inputs = torch.randn(60, 4, generator=torch.Generator().manual_seed(6))
        return TensorDataset(inputs, (inputs.sum(dim=1) > 0).long())


def plan_of(folder, **changes) -> Plan:
    fields = {
        "params": PARAMS, "seeds": [11, 12], "epochs": 4, "max_epochs": 6, "with_validation": False,
        "metric": "validation/loss", "direction": "minimize", "best": True, "folder": folder, "fence": 1,
        "device": "cpu", "threads": 1, "deterministic": False,
    }  # fmt: skip
    return Plan(**(fields | changes))


def final(folder, **changes):
    workload, plan = Tested(), plan_of(folder, **changes)
    splits = workload.data()
    finals = train_finals(workload, splits, plan)
    with pytest.raises(SealedTestError):
        workload.test_data()
    return workload, finals, measure_finals(workload, splits, plan, finals, hash_key=KEY)


def test_the_seal_opens_after_the_last_seed_is_trained_and_the_best_epoch_counts(tmp_path):
    workload, finals, answer = final(tmp_path)
    assert workload.diary == ["train", "train", "test"]
    assert answer["sizes"] == {"train": 80, "validation": 40, "test": 60}
    for number, (made, row) in enumerate(zip(finals, answer["seeds"], strict=True)):
        straight = Record()
        run = run_of(tmp_path / "straight", seed=plan_of(tmp_path).seeds[number], epochs=4, max_epochs=6)
        train(Blobs(), run, straight)
        best = min(straight.steps, key=lambda step: straight.steps[step]["validation/loss"])
        assert (made.step, row["step"], row["seed"]) == (best, best, run.seed)
        assert row["validation"]["loss"] == straight.steps[best]["validation/loss"]
        assert set(row["test"]) == set(row["errors"]) == {"loss", "accuracy"}
        accuracy = row["test"]["accuracy"]
        assert row["errors"]["accuracy"] == pytest.approx(math.sqrt(accuracy * (1 - accuracy) / 60), rel=0.2)
    assert answer["seeds"][0]["test"] != answer["seeds"][1]["test"]


def test_with_the_validation_split_in_training_the_last_epoch_counts_and_there_is_no_validation(tmp_path):
    _workload, finals, answer = final(tmp_path, with_validation=True, seeds=[11])
    assert finals[0].step == 4
    assert answer["seeds"][0]["validation"] is None
    alone = load_checkpoint(final(tmp_path / "alone", best=False, seeds=[11])[1][0].checkpoint)
    both = load_checkpoint(finals[0].checkpoint)
    assert alone["step"] == both["step"] == 4
    assert not all(torch.equal(alone["model"][name], both["model"][name]) for name in both["model"])


def test_a_second_attempt_goes_on_from_the_first_and_measures_the_same(tmp_path):
    straight = final(tmp_path / "straight")[2]
    questions = iter(range(1000))
    workload, plan = Tested(), plan_of(tmp_path / "broken")
    with pytest.raises(Stopped):  # in the second seed
        train_finals(workload, workload.data(), plan, request=lambda: "stop" if next(questions) > 45 else None)
    assert {path.parent.name for path in plan.folder.glob("*/*.pt")} == {"seed-0", "seed-1"}
    damaged = max((plan.folder / "seed-1").glob("last-*"), key=lambda path: path.stat().st_mtime_ns)
    damaged.write_bytes(b"cut short")
    assert final(tmp_path / "broken", fence=2)[2] == straight


class Shaky(Tested):
    """Diverges in its second training."""

    def penalty(self, model, params):
        return super().penalty(model, params) * (math.inf if self.diary == ["train", "train"] else 1.0)


def test_a_seed_that_diverges_beside_others_is_part_of_the_result(tmp_path):
    workload, plan = Shaky(), plan_of(tmp_path, seeds=[11, 12, 13])
    finals = train_finals(workload, workload.data(), plan)
    answer = measure_finals(workload, workload.data(), plan, finals, hash_key=KEY)
    assert [row["diverged"] for row in answer["seeds"]] == [False, True, False]
    assert answer["seeds"][1] == {
        "seed": 12, "step": 1, "validation": {}, "test": {}, "errors": {}, "diverged": True,
    }  # fmt: skip
    sound = final(tmp_path / "sound", seeds=[11, 13])[2]
    assert [row["test"] for row in answer["seeds"] if not row["diverged"]] == [row["test"] for row in sound["seeds"]]


def test_what_diverges_with_every_seed_is_no_result(tmp_path):
    workload = Tested()
    with pytest.raises(DivergedError):
        train_finals(workload, workload.data(), plan_of(tmp_path, params=PARAMS | {"lr": 1e30}))


def test_a_test_split_without_examples_is_an_error(tmp_path):
    class Hollow(Tested):
        def test_data(self):
            return TensorDataset(torch.zeros(0, 4), torch.zeros(0).long())

    workload, plan = Hollow(), plan_of(tmp_path, seeds=[1], epochs=1)
    finals = train_finals(workload, workload.data(), plan)
    with pytest.raises(ValueError, match="has no examples"):
        measure_finals(workload, workload.data(), plan, finals, hash_key=KEY)


def test_two_splits_are_one_and_tensors_stay_tensors():
    splits = Blobs().data()
    both = together(splits.train, splits.validation)
    assert isinstance(both, TensorDataset)
    assert len(both) == 120
    assert torch.equal(both[80][0], splits.validation[0][0])

    class Listed(Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return torch.zeros(4), 1

    mixed = together(splits.train, Listed())
    assert isinstance(mixed, ConcatDataset)
    assert len(mixed) == 83


def test_the_errors_of_a_mean_are_those_of_its_examples():
    """The loss is a mean over examples, whose error is their standard deviation over the root of their number."""
    workload = Blobs()
    validation = workload.data().validation
    model = workload.build_model(PARAMS)
    scores, errors = evaluate_with_errors(workload, model, validation, torch.device("cpu"))
    assert scores == evaluate(workload, model, validation, torch.device("cpu"))
    inputs, labels = validation.tensors
    losses = torch.nn.functional.cross_entropy(model(inputs).detach(), labels, reduction="none")
    assert errors["loss"] == pytest.approx(float(losses.std()) / math.sqrt(40), rel=0.2)
    single = Splits(validation, TensorDataset(*(tensor[:1] for tensor in validation.tensors))).validation
    assert evaluate_with_errors(workload, model, single, torch.device("cpu"))[1]["loss"] == 0.0
