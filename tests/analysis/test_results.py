"""What a study's trials say about its ranges: EDGE and TOO-WIDE, their fixes, their false alarms, their price."""

import time

import numpy as np
import pytest

from tuning.analysis import lint_space
from tuning.engine import History, Optimizer, SearchSpace

SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "weight_decay": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7},
    "units": {"type": "int", "low": 16, "high": 256, "log": True},
    "layers": {"type": "int", "low": 1, "high": 3},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
}


def random_trials(space, n, loss, seed=0):
    """n random configurations; loss(params) None: diverged."""
    space, rng = SearchSpace.from_json(space), np.random.default_rng(seed)
    drawn = [space.sample(rng.random(len(space))) for _ in range(n)]
    return [(params, loss(params)) for params in drawn]


def bowl(centre, width=1.0):
    """A loss with its optimum at these values, on the logarithm; others do not matter."""
    return lambda params: sum(((np.log10(params[k]) - np.log10(v)) / width) ** 2 for k, v in centre.items())


def rules(findings, *names):
    return [finding for finding in findings if finding.rule in names]


def warned(findings):
    return [(f.rule, f.parameter) for f in rules(findings, "EDGE", "TOO-WIDE") if f.severity != "info"]


def test_an_optimum_beyond_the_end_is_seen_and_the_range_extended_by_a_decade():
    trials = random_trials(SPACE, 60, bowl({"lr": 1.0}))
    (edge,) = rules(lint_space(SPACE, trials=trials), "EDGE")
    assert (edge.parameter, edge.severity, edge.evidence["side"]) == ("lr", "warning", "high")
    assert edge.evidence["near"] >= 3 and edge.evidence["trials"] == 60
    assert edge.fix == {**SPACE["lr"], "high": 1.0}
    assert "lr near its upper end, 0.1" in edge.message and "Extend the range to 1." in edge.message
    wider = {**SPACE, "lr": edge.fix}
    assert rules(lint_space(wider, trials=trials), "EDGE") == []


def test_the_best_of_a_study_that_maximises_are_the_highest():
    trials = [(params, -loss) for params, loss in random_trials(SPACE, 60, bowl({"lr": 1e-6}))]
    (edge,) = rules(lint_space(SPACE, trials=trials, direction="maximize"), "EDGE")
    assert (edge.parameter, edge.evidence["side"], edge.fix["low"]) == ("lr", "low", 1e-5)


def test_more_data_are_always_better_and_no_edge():
    space = {"train_fraction": {"type": "float", "low": 0.05, "high": 0.8}, "lr": SPACE["lr"]}
    trials = random_trials(space, 60, lambda params: -params["train_fraction"])
    assert [edge.parameter for edge in rules(lint_space(space, trials=trials), "EDGE") if edge.parameter != "lr"] == []


def test_too_few_trials_say_nothing():
    trials = random_trials(SPACE, 9, bowl({"lr": 1.0}))
    assert warned(lint_space(SPACE, trials=trials)) == []
    assert warned(lint_space(SPACE, trials=[(params, None) for params, _ in trials])) == []


NATURAL = {
    "momentum": {"type": "float", "low": 0.0, "high": 0.99},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7},
    "layers": {"type": "int", "low": 1, "high": 30},
    "share": {"type": "float", "low": 0.0, "high": 1.0},
}


@pytest.mark.parametrize("name", NATURAL)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_bound_in_the_nature_of_things_is_no_edge(name, sign):
    trials = random_trials(NATURAL, 100, lambda params: sign * params[name])
    edges = [edge for edge in rules(lint_space(NATURAL, trials=trials), "EDGE") if edge.parameter == name]
    assert [edge.fix["high"] for edge in edges] == ([45] if (name, sign) == ("layers", -1) else [])


LINEAR = [
    ({"type": "float", "low": 2.0, "high": 4.0}, "high", 5.0),
    ({"type": "float", "low": 2.0, "high": 4.0}, "low", 1.0),
    ({"type": "float", "low": 0.1, "high": 0.5}, "low", 0.0),
    ({"type": "float", "low": 0.1, "high": 0.9}, "high", 1.0),
    ({"type": "float", "low": -4.0, "high": 4.0}, "low", -8.0),
    ({"type": "float", "low": 0.0, "high": 2.1, "step": 0.1}, "high", 3.2),
    ({"type": "int", "low": 20, "high": 40}, "low", 10),
    ({"type": "int", "low": 5, "high": 40}, "low", 1),
    ({"type": "int", "low": 0, "high": 60, "step": 3}, "high", 90),
    ({"type": "int", "low": 16, "high": 256, "log": True}, "high", 512),
    ({"type": "int", "low": 16, "high": 256, "log": True}, "low", 8),
]


@pytest.mark.parametrize(("entry", "side", "bound"), LINEAR)
def test_how_far_a_range_is_extended(entry, side, bound):
    trials = random_trials({"x": entry}, 200, lambda params: params["x"] if side == "low" else -params["x"])
    (edge,) = rules(lint_space({"x": entry}, trials=trials), "EDGE")
    assert edge.fix == {**entry, side: bound} and edge.severity == "warning"
    assert warned(lint_space({"x": edge.fix}, trials=trials)) == []


def test_a_conditional_parameter_is_judged_by_the_trials_that_had_it():
    space = {
        **SPACE,
        "momentum_lr": {"type": "float", "low": 1e-3, "high": 1.0, "log": True, "when": {"optimizer": ["sgd"]}},
    }
    trials = random_trials(space, 200, lambda params: -params.get("momentum_lr", 0.0))
    (edge,) = [f for f in rules(lint_space(space, trials=trials), "EDGE") if f.severity == "warning"]
    assert edge.parameter == "momentum_lr" and edge.fix["when"] == {"optimizer": ["sgd"]}


def diverges_above(limit):
    return lambda params: None if params["lr"] > limit else float(params["lr"])


def test_ranges_in_which_most_trials_diverge_end_where_they_went_well():
    trials = random_trials(SPACE, 60, diverges_above(0.002))
    (wide,) = rules(lint_space(SPACE, trials=trials), "TOO-WIDE")
    assert (wide.parameter, wide.severity) == ("lr", "error") and "diverged" in wide.message
    assert 0.001 < wide.fix["high"] < 0.003 and wide.fix["low"] == 1e-4
    narrower = {**SPACE, "lr": wide.fix}
    assert rules(lint_space(narrower, trials=trials), "TOO-WIDE") == []


def test_divergence_that_no_range_explains_is_told_without_a_fix():
    trials = [
        (params, None if number % 3 else 1.0) for number, (params, _) in enumerate(random_trials(SPACE, 60, bowl({})))
    ]
    (wide,) = rules(lint_space(SPACE, trials=trials), "TOO-WIDE")
    assert (wide.parameter, wide.fix) == (None, None) and wide.evidence["share"] == pytest.approx(2 / 3, abs=0.01)
    everything = [(params, None) for params, _ in trials]
    (wide,) = rules(lint_space(SPACE, trials=everything), "TOO-WIDE")
    assert wide.fix is None and wide.evidence["bad"] == 60


def test_infeasible_trials_count_and_code_errors_do_not():
    space = SearchSpace.from_json(SPACE)
    for infeasible, expected in ((True, ["TOO-WIDE"]), (False, [])):
        history = History(space)
        for number, (params, _) in enumerate(random_trials(SPACE, 40, bowl({}))):
            if params["units"] <= 40:
                history.append(number, params, "COMPLETE", 1.0 + number)
            elif infeasible:
                history.append(number, params, "PRUNED", infeasible=True, constraints=[1.0])
            else:
                history.append(number, params, "FAILED", reason_code="code_error")
        found = rules(lint_space(space, trials=history), "TOO-WIDE")
        assert [finding.rule for finding in found] == expected
        assert all("are infeasible" in f.message and f.parameter == "units" and f.fix["high"] <= 48 for f in found)


def test_what_was_infeasible_before_it_trained_is_no_waste():
    history = History(SearchSpace.from_json(SPACE))
    for number, (params, _) in enumerate(random_trials(SPACE, 60, bowl({}))):
        if number % 3:
            history.append(number, params, "PRUNED", infeasible=True, constraints=[1.0], resource=0)
        else:
            history.append(number, params, "COMPLETE", 1.0 + number, resource=5)
    assert rules(lint_space(SearchSpace.from_json(SPACE), trials=history), "TOO-WIDE") == []


def test_half_is_the_threshold():
    for bad, expected in ((29, []), (30, ["TOO-WIDE"])):
        trials = [
            (params, None if i < bad else 1.0) for i, (params, _) in enumerate(random_trials(SPACE, 60, bowl({})))
        ]
        assert [f.rule for f in rules(lint_space(SPACE, trials=trials), "TOO-WIDE")] == expected


def test_a_narrow_learning_rate_is_no_news_once_there_are_trials():
    space = {"lr": {"type": "float", "low": 0.01, "high": 0.05, "log": True}}
    assert [f.rule for f in lint_space(space)] == ["NARROW"]
    assert lint_space(space, trials=random_trials(space, 3, bowl({"lr": 0.02}))) == []


def test_healthy_studies_raise_few_alarms():
    """30 random searches of 60 trials with the optimum well inside, of which four parameters do not matter."""
    alarms = [
        warned(lint_space(SPACE, trials=random_trials(SPACE, 60, bowl({"lr": 3e-3, "weight_decay": 1e-3}), seed)))
        for seed in range(30)
    ]
    assert sum(map(len, alarms)) <= 1, alarms


def searched_trials(sampler, loss, n, seed):
    """The trials of a sampler that learns, with noise of 0.1 on the loss."""
    optimizer, rng = Optimizer(SPACE, sampler=sampler, seed=seed, budget=n), np.random.default_rng(seed)
    trials = []
    for _ in range(n):
        trial = optimizer.ask()
        value = loss(trial.params) + 0.1 * rng.normal()
        optimizer.tell(trial.number, value)
        trials.append((dict(trial.params), value))
    return trials


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_samplers_that_come_to_the_ends_of_what_does_not_matter_raise_no_alarm(sampler, seed):
    inside = searched_trials(sampler, bowl({"lr": 3e-3, "weight_decay": 1e-3}), 40, seed)
    assert warned(lint_space(SPACE, trials=inside)) == []
    beyond = searched_trials(sampler, bowl({"lr": 1.0, "weight_decay": 1e-3}), 40, seed)
    assert warned(lint_space(SPACE, trials=beyond)) == [("EDGE", "lr")]


def test_ten_thousand_trials_cost_milliseconds():
    space = SearchSpace.from_json(SPACE)
    history = History(space)
    for number, (params, loss) in enumerate(random_trials(SPACE, 10_000, diverges_above(0.002))):
        if loss is None:
            history.append(number, params, "FAILED", reason_code="diverged")
        else:
            history.append(number, params, "COMPLETE", loss)
    start = time.perf_counter()
    findings = lint_space(space, trials=history)
    assert time.perf_counter() - start < 0.5  # 30 ms on an idle core
    assert ("TOO-WIDE", "lr") in warned(findings)
