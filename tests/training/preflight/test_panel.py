"""The panel as a whole: the shipped workloads, errors, time, other kinds of data, and that it says the same twice."""

import functools
import time

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from tests.training.preflight.examined import RULES, changed, examine
from tuning.training import Splits
from tuning.training.catalogue import Catalogue, Sources
from tuning.training.defaults import defaults
from tuning.training.preflight import CHECKS, Check, Result, preflight
from tuning.training.workloads.digits_mlp import DigitsMLP

# Everything that the shipped workloads are warned of.
WARNINGS = {
    "breast_cancer_mlp": [],
    "diabetes_mlp": [],
    "digits_cnn": ["CONSTANT"],  # the corners of all images are empty
    "digits_mlp": ["CONSTANT"],
    "digits_transformer": ["CONSTANT"],
}
# The same data and code in less time; `manage.py bench preflight` takes the middle of its space.
SMALLER = {"digits_transformer": {"blocks": 1, "heads": 2, "head_width": 8, "batch_size": 128, "lr": 0.003}}
PLOT = {"kind", "x", "x_title", "y_title", "log_x", "log_y", "target"}
# Where a linear model does as well as the network, within the noise of the validation split.
NO_BETTER = ["breast_cancer_mlp", "diabetes_mlp"]


@functools.cache
def panel(name):
    """The report on a shipped workload, and what was told while it was made: once for all tests."""
    torch.set_num_threads(1)
    workload, told = Catalogue(Sources()).make(name), []
    return preflight(workload, defaults(workload.space) | SMALLER.get(name, {}), found=told.append), told


@pytest.mark.parametrize("name", WARNINGS)
def test_a_shipped_workload_raises_no_error_and_these_warnings_only(name):
    report, told = panel(name)
    assert [document["rule"] for document in report.checks] == RULES and told == report.checks
    by_status = {}
    for document in report.checks:
        by_status.setdefault(document["status"], []).append(document["rule"])
        assert document["todo"] or document["status"] in ("passed", "info", "skipped")
        assert document["plot"] is None or set(document["plot"]) >= PLOT
    assert set(by_status) <= {"passed", "info", "warning"}
    assert by_status.get("warning", []) == WARNINGS[name]
    assert (name not in NO_BETTER) or by_status["info"] == ["BASELINES"]
    assert report.parameters > 1000 and report.seconds_per_epoch > 0 and report.device


@pytest.mark.parametrize("name", WARNINGS)
def test_what_a_shipped_workload_learns_is_far_from_knowing_nothing(name):
    scores = {document["rule"]: document for document in panel(name)[0].checks}["BASELINES"]["evidence"]
    assert scores["defaults"] > max(scores.get("majority", 0), scores.get("mean", 0)) + 0.2
    assert "linear model" in scores


def test_all_examples_of_all_splits_are_held_against_each_other():
    found = {document["rule"]: document for document in panel("breast_cancer_mlp")[0].checks}
    assert found["DUPLICATES"]["evidence"]["examples"] == {"validation": 115, "test": 113, "training": 341}


def test_the_same_preflight_twice_says_the_same():
    first = {document["rule"]: document for document in panel("digits_mlp")[0].checks}
    second = examine(DigitsMLP, *RULES)
    for rule in RULES:
        assert {**first[rule], "seconds": 0} == {**second[rule], "seconds": 0}


class Misfit(DigitsMLP):
    def build_model(self, params):
        return nn.Sequential(nn.Flatten(), nn.Linear(32, 10))


class Unreadable(DigitsMLP):
    def data(self):
        raise FileNotFoundError("there is no digits.csv")


class Unmeasured(DigitsMLP):
    def metrics(self, output, target):
        return {"precision": 0.5}


@pytest.mark.parametrize(
    ("workload", "says", "still"),
    [
        (Misfit, "the model raised RuntimeError: mat1 and mat2", {"FINITE", "LABELS", "NORMALISED", "DUPLICATES"}),
        (Unreadable, "data() raised FileNotFoundError: there is no digits.csv (test_panel.py, line", set()),
        (Unmeasured, "it returned ['precision'], but scores declares ['accuracy']", {"OVERFIT", "DUPLICATES"}),
    ],
)
def test_a_workload_that_does_not_run_is_told_once_and_checked_as_far_as_it_goes(workload, says, still):
    found = examine(workload, *RULES)
    assert list(found) == RULES and says in found["RUNS"]["says"] and found["RUNS"]["todo"]
    assert [rule for rule in RULES if found[rule]["status"] == "failed"] == ["RUNS"]
    assert found["REPEATS"]["status"] == "skipped"
    assert {rule for rule in still if found[rule]["status"] == "skipped"} == set()


class FailsLater(DigitsMLP):
    """Its loss breaks with small batches, as that of halves."""

    def loss(self, output, target):
        if len(target) == 32:
            raise ZeroDivisionError("of my own making")
        return F.cross_entropy(output, target)


def test_a_check_in_which_the_workload_raises_fails_and_the_others_go_on(capsys):
    found = examine(FailsLater, "OVERFIT", "REPEATS")
    assert found["OVERFIT"]["status"] == "failed" and found["REPEATS"]["status"] == "passed"
    assert "loss() raised ZeroDivisionError: of my own making (test_panel.py, line" in found["OVERFIT"]["says"]
    assert "Traceback" in capsys.readouterr().err


class BrokenSchedule(DigitsMLP):
    def build_schedule(self, optimizer, params, epochs, steps_per_epoch):
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, params["lr"], 30)


def test_what_cannot_be_measured_is_none_and_the_rest_is_there():
    report = preflight(BrokenSchedule(), defaults(DigitsMLP.space))
    assert report.seconds_per_epoch is None and report.parameters == 8970 and len(report.checks) == len(CHECKS)
    found = {document["rule"]: document for document in report.checks}
    assert "the schedule raised ValueError: Tried to step 31 times" in found["LOSS-FALLS"]["says"]
    assert found["OVERFIT"]["status"] == found["DUPLICATES"]["status"] == "passed"


class ShortWithSchedule(DigitsMLP):
    max_epochs = 2

    def build_schedule(self, optimizer, params, epochs, steps_per_epoch):
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, params["lr"], epochs * steps_per_epoch)


def test_a_schedule_lasts_as_long_as_the_steps_that_are_taken():
    assert examine(ShortWithSchedule, "LOSS-FALLS")["LOSS-FALLS"]["status"] == "passed"


def test_a_fault_of_a_check_is_told_as_its_own(capsys):
    def breaks(subject):
        raise KeyError("ours")

    checks = [Check("BROKEN", "Broken", "", 1, breaks)]
    found = preflight(DigitsMLP(), defaults(DigitsMLP.space), checks=checks).checks[0]
    assert found["status"] == "skipped" and "itself broke down (KeyError: 'ours'" in found["says"]
    assert "in breaks" in capsys.readouterr().err


class Slow(DigitsMLP):
    def train_step(self, model, inputs, targets, params):
        time.sleep(0.25)
        return super().train_step(model, inputs, targets, params)


def test_a_slow_workload_is_given_its_time_and_no_verdict_that_there_was_no_time_for():
    began = time.monotonic()
    found = examine(Slow, *RULES, seconds=12.0)
    assert time.monotonic() - began < 30
    assert list(found) == RULES and not [rule for rule in RULES if found[rule]["status"] == "failed"]
    assert "time" in found["REPEATS"]["says"]


def test_it_ends_when_it_is_asked_to():
    questions = []
    report = preflight(DigitsMLP(), defaults(DigitsMLP.space), asked=lambda: questions.append(1) or len(questions) > 40)
    assert report.stopped and 0 < len(report.checks) < len(CHECKS)


class Lazy(Dataset):
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], int(self.y[index])


class Files(DigitsMLP):
    """Read example by example, with a loader that needs its own dataset."""

    max_epochs = 6

    def data(self):
        splits = super().data()
        return Splits(Lazy(*splits.train.tensors), Lazy(*splits.validation.tensors))

    def train_loader(self, dataset, params, generator):
        assert isinstance(dataset, Lazy)
        return super().train_loader(dataset, params, generator)


class Codes(DigitsMLP):
    """Grey levels as codes to embed."""

    max_epochs = 6

    def data(self):
        return changed(super().data(), inputs=lambda x: ((x - x.min()) * 6).long().flatten(1))

    def build_model(self, params):
        return nn.Sequential(nn.Embedding(20, 8), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10))

    def test_data(self):
        return changed(Splits(*2 * [super().test_data()]), inputs=lambda x: ((x - x.min()) * 6).long().flatten(1)).train


@pytest.mark.parametrize(("workload", "skips"), [(Files, []), (Codes, ["CONSTANT", "TARGET-LEAK", "NORMALISED"])])
def test_other_kinds_of_data_are_checked_as_far_as_it_makes_sense(workload, skips):
    found = examine(workload, *RULES)
    statuses = {rule: found[rule]["status"] for rule in RULES}
    assert [rule for rule in RULES if statuses[rule] == "skipped"] == skips
    assert "failed" not in statuses.values()


def test_many_examples_are_sampled_and_that_is_said():
    class Many(DigitsMLP):
        def data(self):
            generator = torch.Generator().manual_seed(0)
            return changed(
                super().data(),
                inputs=lambda x: x.repeat(10, 1, 1, 1) + 0.05 * torch.randn(10 * len(x), 1, 8, 8, generator=generator),
                targets=lambda y: y.repeat(10),
            )

    found = examine(Many, "BASELINES", "FINITE")
    assert "4,000 of 10,780 training and 2,000 of 3,600 validation examples" in found["BASELINES"]["says"]
    assert found["BASELINES"]["status"] in ("passed", "info")


def test_a_result_that_wants_action_says_which():
    with pytest.raises(ValueError, match="says what to do"):
        Result("failed", "It is broken.")
    with pytest.raises(ValueError, match="not one of"):
        Result("fine", "It is well.")
