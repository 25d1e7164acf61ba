"""Samplers and schedulers by name, and the schema of their options."""

import json

import pytest

from tuning.engine import OptionError, registry
from tuning.engine.options import Option, check_options
from tuning.engine.schedulers.base import Done, Plan, Start
from tuning.engine.schedulers.view import InMemoryView
from tuning.engine.trial import Trial, TrialState


def test_what_there_is():
    assert list(registry.samplers()) == ["auto", "random", "grid", "qmc", "tpe", "gp"]
    assert list(registry.schedulers()) == ["none", "asha", "hyperband", "successive_halving", "median"]
    for name, kind in (registry.samplers() | registry.schedulers()).items():
        assert kind.name == name
        assert kind.title
        assert kind.summary.endswith(".")


def test_the_description_is_json_for_forms():
    described = json.loads(json.dumps(registry.describe()))
    assert [sampler["name"] for sampler in described["samplers"]] == list(registry.samplers())
    grid = described["samplers"][2]
    assert grid["options"] == [
        {
            "name": "shuffle",
            "type": "bool",
            "default": False,
            "low": None,
            "high": None,
            "choices": None,
            "help": grid["options"][0]["help"],
        }
    ]
    assert described["schedulers"][0]["needs_max_resource"] is False


@pytest.mark.parametrize("name", ["gird", "", None, 3])
def test_an_unknown_sampler_is_answered_with_those_that_exist(name):
    with pytest.raises(OptionError, match='one of "auto", "random", "grid"') as caught:
        registry.make_sampler(name)
    assert caught.value.option == "sampler"


@pytest.mark.parametrize("name", ["hyperbnd", "", 3])
def test_an_unknown_scheduler_is_answered_with_those_that_exist(name):
    with pytest.raises(OptionError, match='one of "none", "asha"') as caught:
        registry.make_scheduler(name)
    assert caught.value.option == "scheduler"


OPTIONS = (
    Option("n", "int", 10, "A count.", low=1, high=20),
    Option("share", "float", 0.5, "A share.", low=0.0),
    Option("rule", "text", "ei", "A rule.", choices=("ei", "pi")),
    Option("on", "bool", True, "A switch."),
)


def test_options_have_their_type_and_their_default():
    assert check_options("x", OPTIONS, {}) == {"n": 10, "share": 0.5, "rule": "ei", "on": True}
    given = check_options("x", OPTIONS, {"n": 3.0, "share": 2, "rule": "pi", "on": False})
    assert given == {"n": 3, "share": 2.0, "rule": "pi", "on": False}
    assert [type(value) for value in given.values()] == [int, float, str, bool]
    assert check_options("x", OPTIONS, {"n": None})["n"] == 10


@pytest.mark.parametrize(
    ("given", "option", "message"),
    [
        ({"n": 0}, "n", "n: 0 is out of range: write 1 to 20"),
        ({"n": 21}, "n", "n: 21 is out of range: write 1 to 20"),
        ({"n": 1.5}, "n", "n: 1.5 is not a whole number: write 1 to 20"),
        ({"n": True}, "n", "n: true is not a whole number: write 1 to 20"),
        ({"share": -1}, "share", "share: -1 is out of range: write 0.0 or more"),
        ({"share": float("nan")}, "share", "share: nan is not a number: write 0.0 or more"),
        ({"rule": "ucb"}, "rule", 'rule: "ucb" is not one of "ei", "pi"'),
        ({"rule": 3}, "rule", 'rule: 3 is not text: write one of "ei", "pi"'),
        ({"on": "yes"}, "on", 'on: "yes" is not true or false'),
        ({"ruel": 1}, "ruel", "ruel: x has no such option: did you mean rule?"),
        ({"zzz": 1}, "zzz", 'zzz: x has no such option: it has "n", "share", "rule", "on"'),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy(given, option, message):
    with pytest.raises(OptionError) as caught:
        check_options("x", OPTIONS, given)
    assert (caught.value.option, str(caught.value)) == (option, message)


def test_a_sampler_knows_the_study_it_plans_for():
    sampler = registry.make_sampler("random", budget=20, parallel=4)
    assert (sampler.budget, sampler.parallel) == (20, 4)
    for wrong in ({"budget": 0}, {"parallel": 0}, {"budget": True}):
        with pytest.raises(OptionError, match="at least 1"):
            registry.make_sampler("random", **wrong)


def test_no_scheduler_starts_to_the_end_of_the_budget_and_stops_nobody():
    scheduler = registry.make_scheduler(None, max_resource=27)
    view = InMemoryView(budget=2)
    for number in range(2):
        assert scheduler.next(view) == Start(27)
        view.put(Trial(number, {}, TrialState.RUNNING, resource=27))
    assert scheduler.next(view) == Done("the budget of 2 trials is used")
    assert {scheduler.on_report(view, 0, step, 1.0) for step in range(1, 27)} == {"continue"}
    assert list(scheduler.settle(view, closing=True)) == []
    assert scheduler.ladder(None) == (27,)
    assert scheduler.plan(10) == Plan(trials=10, resource=270)


def test_without_a_known_end_no_scheduler_plans_no_resource():
    scheduler = registry.make_scheduler("none")
    assert scheduler.next(InMemoryView()) == Start(None)
    assert scheduler.ladder(None) == ()
    assert scheduler.plan(10) == Plan(trials=10, resource=None)
    assert registry.make_scheduler("none", max_resource=3).plan(None) == Plan(None, None)
