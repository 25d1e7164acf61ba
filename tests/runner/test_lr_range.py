"""The kind "lr_range": one process, several curves, ended between two steps."""

import time

import pytest

from tests.runner.specs import write_workload
from tests.training.problems import PARAMS
from tuning.training.defaults import defaults
from tuning.training.workloads.digits_cnn import DigitsCNN

SLOW = """
def train_step(self, *given):
    import time
    (self.data_dir / "stepping").touch()
    time.sleep(0.05)
    return super().train_step(*given)
"""


def one(label="", **params):
    return {"label": label, "params": params}


def test_no_parameters_are_the_workloads_defaults(runner):
    answer = runner.run("lr_range", workload="digits_mlp", curves=[one()], seed=5)[-1]
    assert answer["type"] == "result", answer
    (curve,) = answer["curves"]
    assert curve["params"] == {
        "lr": pytest.approx(1e-5**0.5), "weight_decay": pytest.approx(1e-3), "dropout": 0.35, "batch_size": 64,
        "layers": 2, "units": 64,
    }  # fmt: skip
    assert 0.001 <= curve["bracket"][0] < curve["bracket"][1] <= 0.1
    assert len(curve["lrs"]) == len(curve["losses"]) == len(curve["smoothed"]) <= 100
    assert curve["lrs"][0] == 1e-6
    assert answer["device"] == curve["device"] and answer["stopped"] is False


def test_curves_are_laid_over_each_other_in_their_order(runner):
    curves = [one(name, **defaults(DigitsCNN.space, {"optimizer": name})) for name in ("sgd", "adamw")]
    answer = runner.run("lr_range", workload="digits_cnn", curves=curves, steps=40, low=1e-5, high=1.0)[-1]
    assert [curve["label"] for curve in answer["curves"]] == ["sgd", "adamw"]
    assert answer["curves"][0]["losses"][0] == answer["curves"][1]["losses"][0], "the same weights and batches"
    assert answer["curves"][0]["losses"][30] != answer["curves"][1]["losses"][30]


def test_a_stop_ends_it_between_two_steps(runner, workloads):
    name = write_workload(workloads, "slow_steps", SLOW)
    runner.start("lr_range", workload=name, curves=[one("first", **PARAMS), one("second", **PARAMS)], steps=1000)
    while not (workloads / "stepping").exists():  # a stop that overtakes its start would be of no effect
        time.sleep(0.02)
    runner.send("stop")
    answer = runner.answer()
    assert answer["type"] == "result" and answer["stopped"] is True
    assert [curve["ended"] for curve in answer["curves"]] == ["stopped"]
    assert len(answer["curves"][0]["losses"]) < 100
    assert answer["curves"][0]["bracket"] is None


def test_what_cannot_be_tested_is_said(runner):
    error = runner.run("lr_range", workload="digits_mlp", curves=[one()], low=1.0, high=0.1)[-1]
    assert error["type"] == "error" and "above 0, the lower one first, not 1 to 0.1" in error["message"]
    error = runner.run("lr_range", workload="digits_mlp", curves=["lr"])[-1]
    assert "an object with a label and params" in error["message"]
    error = runner.run("lr_range", workload="digits_mlp", curves=[one()], seed=-1)[-1]
    assert "'seed'" in error["message"]
    error = runner.run("lr_range", workload="nothing_of_that_name", curves=[one()])[-1]
    assert "there is no workload" in error["message"].lower()


def test_the_process_serves_a_trial_afterwards(runner):
    first = runner.run("lr_range", workload="digits_mlp", curves=[one()], seed=1)[-1]
    again = runner.run("lr_range", workload="digits_mlp", curves=[one()], seed=1)[-1]
    assert first["curves"][0]["losses"] == again["curves"][0]["losses"]
    assert runner.run("describe")[-1]["type"] == "result"
