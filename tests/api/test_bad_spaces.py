"""What contradicts itself at the interface's doors: the parameter and the remedy are named, nothing is changed."""

import json

import pytest

from tests.api.conftest import fields_of
from tests.factories import SPACE
from tuning.models import Study, Trial

NEW = {"name": "first", "space": SPACE, "n_trials": 5}
FLOAT = {"type": "float", "low": 0.0, "high": 1.0}
PAIR = {"type": "int", "low": 1, "high": 2}

# space, the field that is named, part of the remedy
SPACES = [
    ({"x": {**FLOAT, "low": 2}}, "space.x.high", "exchange the two"),
    ({"x": {**FLOAT, "low": 1.0, "log": True}}, "space.x.high", 'make the type "constant"'),
    ({"x": {**FLOAT, "step": 3}}, "space.x.step", "make it smaller"),
    ({"x": {**FLOAT, "log": True}}, "space.x.low", "a low above 0"),
    ({"x": {**FLOAT, "high": 10**400}}, "space.x.high", "write a number between"),
    ({"x": {**PAIR, "high": 2**64}}, "space.x.high", "stay within"),
    ({"x": {**PAIR, "low": True}}, "space.x.low", "write one, such as"),
    ({"x": {**FLOAT, "high": "0.1"}}, "space.x.high", "write 0.1 without quotes"),
    ({"x": {**FLOAT, "when": {"y": [1]}}}, "space.x.when", "add it before this one"),
    ({"x": {**FLOAT, "when": {"y": [1]}}, "y": PAIR}, "space.x.when", "move y up"),
    ({"x": {**PAIR, "when": {"y": [1]}}, "y": {**PAIR, "when": {"x": [1]}}}, "space.x.when", "move y up"),
    ({"x": {**PAIR, "when": {"x": [1]}}}, "space.x.when", "name another parameter"),
    (
        {"o": PAIR, "p": {**FLOAT, "when": {"o": [1]}}, "q": {**FLOAT, "when": {"o": [2], "p": {"low": 0}}}},
        "space.q.when",
        "loosen one of them",
    ),
    ({"x": {"type": "categorical", "choices": ["a", "a"]}}, "space.x.choices", "remove one"),
    ({"x": {"type": "categorical", "choices": [[1, [2]], [1, [2]]]}}, "space.x.choices", "remove one"),
    ({"größe": FLOAT}, "space.größe", "start with a letter"),
    ({"": FLOAT}, "space", '"" cannot be'),
    ({}, "space", "give it a parameter"),
]


@pytest.mark.parametrize(("space", "field", "remedy"), SPACES)
def test_a_space_that_contradicts_itself_is_refused_at_its_parameter(as_alice, space, field, remedy):
    answer = as_alice.post("studies/", {**NEW, "space": space})
    assert answer.status_code == 400
    assert remedy in fields_of(answer)[field]
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("bound", "words"),
    [("1e400", "space.x.high is 1e400"), ("Infinity", "space.x.high is Infinity"), ("NaN", "is NaN")],
)
def test_an_infinite_bound_is_refused_at_its_parameter(as_alice, bound, words):
    body = json.dumps({**NEW, "space": {"x": {**FLOAT, "high": "?"}}}).replace('"?"', bound)
    answer = as_alice.post("studies/", raw=body.encode())
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    assert "write a finite number" in answer.json()["detail"]
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("sampler", "options", "words"),
    [
        ("tpe", {"gamma": 0}, "gamma: 0 is out of range: write 0.001 to 0.999"),
        ("tpe", {"gamma": "0.1"}, 'gamma: "0.1" is not a number: write 0.001 to 0.999'),
        ("tpe", {"gamma": True}, "gamma: true is not a number: write 0.001 to 0.999"),
        ("tpe", {"n_startup_trials": 1.5}, "n_startup_trials: 1.5 is not a whole number: write 1 to 100000"),
        ("tpe", {"multivariate": 1}, "multivariate: 1 is not true or false"),
        ("gp", {"acquisition": "EI"}, 'acquisition: "EI" is not one of "ei", "pi", "ucb"'),
        ("gp", {"n_startup": 3}, "n_startup: gp has no such option: did you mean n_startup_trials?"),
        ("auto", {"budget": 3}, "budget is set for the study"),
    ],
)
def test_a_wrong_option_of_a_sampler_is_named_with_the_remedy(as_alice, sampler, options, words):
    answer = as_alice.post("studies/", {**NEW, "sampler": sampler, "sampler_options": options})
    assert answer.status_code == 400
    assert words in fields_of(answer)["sampler_options"]
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"lr": True, "optimizer": "sgd"}, "params.lr", "true is not a number from"),
        ({"lr": "0.1", "optimizer": "sgd"}, "params.lr", '"0.1" is not a number from'),
        ({"lr": 10**400, "optimizer": "sgd"}, "params.lr", "is not a number from"),
        ({"lr": 0.01, "optimizer": ["sgd"]}, "params.optimizer", 'is not one of "sgd"'),
        ({"lr": 0.01, "optimizer": "sgd", "more": 1}, "params.more", "the space has lr"),
        ({"lr": 0.01, "optimizer": "sgd", "": 1}, 'params.""', "is not in the search space"),
    ],
)
def test_params_that_do_not_fit_are_refused_at_their_parameter(as_alice, running, params, field, words):
    version = Study.objects.get(pk=running.pk).history_version
    answer = as_alice.post(f"studies/{running.pk}/enqueue/", {"params": params})
    assert answer.status_code == 400
    assert words in fields_of(answer)[field]
    assert not Trial.objects.exists()
    assert Study.objects.get(pk=running.pk).history_version == version
