"""The middle configuration of a space."""

import math

import pytest

from tuning.training.catalogue import Catalogue, Sources
from tuning.training.defaults import defaults, spread


@pytest.mark.parametrize(
    ("entry", "middle"),
    [
        ({"type": "float", "low": 1e-4, "high": 1e-2, "log": True}, 1e-3),
        ({"type": "float", "low": 0.0, "high": 0.7}, 0.35),
        ({"type": "int", "low": 16, "high": 256, "log": True}, 64),
        ({"type": "int", "low": 1, "high": 3}, 2),
        ({"type": "int", "low": 8, "high": 64, "step": 8}, 40),
        ({"type": "categorical", "choices": ["sgd", "adamw"]}, "sgd"),
        ({"type": "constant", "value": None}, None),
        ({"type": "float", "prior": {"name": "normal", "mu": 3.0, "sigma": 1.0}, "low": None, "high": 2.0}, 2.0),
    ],
)
def test_the_middle_of_a_range_is_that_of_its_scale(entry, middle):
    found = defaults({"x": entry})["x"]
    assert found == pytest.approx(middle) and type(found) is type(middle)


def test_children_are_there_only_where_their_condition_holds():
    child = {"type": "float", "low": 0.0, "high": 1.0}
    space = {
        "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
        "layers": {"type": "int", "low": 1, "high": 3},
        "momentum": {**child, "when": {"optimizer": ["sgd"]}},
        "beta": {**child, "when": {"optimizer": ["adamw"]}},
        "second": {**child, "when": {"layers": {"low": 2}}},
        "third": {**child, "when": {"layers": {"low": 3}}},
        "below": {**child, "when": {"beta": {"low": 0.1}}},
    }
    assert list(defaults(space)) == ["optimizer", "layers", "momentum", "second"]


@pytest.mark.parametrize("name", ["breast_cancer_mlp", "diabetes_mlp", "digits_cnn", "digits_mlp"])
def test_a_model_of_each_shipped_workload_can_be_built_with_them(name):
    workload = Catalogue(Sources()).make(name)
    params = defaults(workload.space)
    model = workload.build_model(params)
    assert workload.build_optimizer(model, params).param_groups[0]["lr"] == params["lr"]


def test_configurations_that_cover_a_space_have_one_in_each_part_of_every_range():
    space = {
        "lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
        "units": {"type": "int", "low": 1, "high": 8},
        "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
        "momentum": {"type": "float", "low": 0.0, "high": 1.0, "when": {"optimizer": ["sgd"]}},
        "batch_size": {"type": "constant", "value": 32},
        "noise": {"type": "float", "prior": {"name": "normal", "mu": 3.0, "sigma": 1.0}, "low": None, "high": None},
    }
    drawn = spread(space, 4)
    assert spread(space, 4) == drawn != spread(space, 4, seed=1)
    assert sorted(math.floor(math.log10(params["lr"])) for params in drawn) == [-4, -3, -2, -1]
    assert all(type(params["units"]) is int and 1 <= params["units"] <= 8 for params in drawn)
    assert sorted(params["optimizer"] for params in drawn) == ["adamw", "adamw", "sgd", "sgd"]
    assert all(("momentum" in params) == (params["optimizer"] == "sgd") for params in drawn)
    assert {params["batch_size"] for params in drawn} == {32} and {params["noise"] for params in drawn} == {3.0}
