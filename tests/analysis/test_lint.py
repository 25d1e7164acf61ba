"""Each rule at its threshold, on both sides."""

import pytest

from tuning.analysis import lint_space
from tuning.engine import SearchSpace


def real(low, high, **more):
    return {"type": "float", "low": low, "high": high, **more}


def whole(low, high, **more):
    return {"type": "int", "low": low, "high": high, **more}


def listed(*choices, **more):
    return {"type": "categorical", "choices": list(choices), **more}


CASES = [
    # LOG-LR
    ("lr", real(1e-5, 0.1), {}, [("LOG-LR", "error", real(1e-5, 0.1, log=True))]),
    ("optimizer.lr", real(0, 0.1), {}, [("LOG-LR", "error", real(1e-5, 0.1, log=True))]),
    ("head_lr", real(0.01, 0.1, step=0.01), {}, [("LOG-LR", "error", real(0.01, 0.1, log=True))]),
    ("weight_decay", real(0, 0.01), {}, [("LOG-LR", "error", real(1e-6, 0.01, log=True))]),
    ("lr", real(-1, -0.1), {}, [("LOG-LR", "error", None)]),
    ("lr", {"type": "float", "prior": {"name": "normal", "mu": 0.1, "sigma": 0.05}}, {}, [("LOG-LR", "error", None)]),
    ("lr", {"type": "float", "prior": {"name": "log_normal", "mu": -5, "sigma": 2}}, {}, []),
    ("lr", real(1e-5, 0.1, log=True), {}, []),
    ("lr", real(1e-5, 0.1, annotation="none"), {},
     [("WIDE-LIN", "warning", real(1e-5, 0.1, log=True, annotation="none"))]),
    ("pace", real(0.01, 0.2, annotation="learning_rate"), {},
     [("LOG-LR", "error", real(0.01, 0.2, log=True, annotation="learning_rate"))]),
    ("adam_eps", real(1e-8, 1e-3), {}, [("LOG-LR", "error", real(1e-8, 1e-3, log=True))]),
    ("eps", real(0.05, 0.3), {}, []),  # not Adam's
    ("lr", real(1e-4, 0.1, step=1e-4), {"sampler": "grid"}, [("LOG-LR", "error", listed(1e-4, 1e-3, 1e-2, 0.1))]),
    # WIDE-LIN
    ("temperature", real(0.1, 10), {}, [("WIDE-LIN", "warning", real(0.1, 10, log=True))]),
    ("temperature", real(0.1, 9.9), {}, []),
    ("temperature", real(0, 1000), {}, []),
    ("units", whole(8, 1024, step=8), {}, [("WIDE-LIN", "warning", whole(8, 1024, log=True))]),
    # STEP-DIV: the two of the methods sheet, and decimals that only doubles miss
    ("x", real(0, 1, step=0.3), {}, [("STEP-DIV", "warning", real(0, 0.9, step=0.3))]),
    ("k", whole(1, 10, step=4), {}, [("STEP-DIV", "warning", whole(1, 9, step=4))]),
    ("x", real(0.1, 0.7, step=0.1), {}, []),
    # MIRROR
    ("momentum", real(0.5, 0.999), {}, [("MIRROR", "info", None)]),
    ("momentum", real(0, 0.9), {}, []),
    ("beta", real(1, 10), {}, []),
    # NARROW and TOO-WIDE
    ("lr", real(0.01, 0.05, log=True), {}, [("NARROW", "warning", real(0.003, 0.2, log=True))]),
    ("lr", real(0.01, 0.1, log=True), {}, []),
    ("l2", real(0.01, 0.05, log=True), {}, []),
    ("lr", real(1e-8, 10, log=True), {}, [("TOO-WIDE", "warning", real(1e-6, 1, log=True))]),
    ("l2", real(1e-9, 1e-2, log=True), {}, [("TOO-WIDE", "warning", real(1e-8, 1e-2, log=True))]),
    ("l2", real(1e-8, 1e-2, log=True), {}, []),
    # DROPOUT
    ("dropout", real(0, 0.7), {}, []),
    ("dropout", real(0.1, 0.8), {}, [("DROPOUT", "warning", real(0.1, 0.7))]),
    ("attn_dropout", real(0, 1), {}, [("DROPOUT", "error", real(0, 0.7))]),
    ("dropout", real(0, 0.8, step=0.2), {}, [("DROPOUT", "warning", real(0, 0.6, step=0.2))]),
    ("dropout", real(0.001, 0.5, log=True), {}, [("DROPOUT", "warning", real(0.001, 0.5))]),
    ("dropout", real(0.8, 0.95), {}, [("DROPOUT", "error", None)]),
    ("dropout", listed(0, 0.5, 0.8), {}, [
        ("DROPOUT", "warning", listed(0, 0.5)), ("ORDERED-CAT", "info", real(0, 0.8))]),
    ("use_dropout", listed(True, False), {}, []),
    # TRAIN-FRACTION
    ("train_fraction", real(0.05, 1, log=True), {}, []),
    ("train_fraction", listed(0.05, 0.2, 1.0), {}, []),
    ("train_fraction", real(0, 1), {}, [("TRAIN-FRACTION", "error", None)]),
    ("training_fraction", listed(0.5, 2), {}, [("TRAIN-FRACTION", "error", None)]),
    # BATCH-2
    ("batch_size", whole(16, 128, log=True), {}, [("BATCH-2", "info", listed(16, 32, 64, 128))]),
    ("batch_size", whole(10, 130), {}, [("BATCH-2", "info", whole(16, 128, step=8))]),
    ("batch_size", whole(16, 128, step=16), {}, []),
    ("batch_size", listed(16, 32, 64, 128), {}, []),
    ("batch_size", listed(10, 50, 100), {}, [("BATCH-2", "info", listed(8, 64, 128))]),
    # lists and what is none
    ("optimizer", listed("sgd"), {}, [("DUP-CAT", "warning", {"type": "constant", "value": "sgd"})]),
    ("units", listed(32, 64, 128), {}, [("ORDERED-CAT", "info", whole(32, 128, log=True))]),
    ("kernel", listed(3, 5, 7), {}, [("ORDERED-CAT", "info", whole(3, 7, step=2))]),
    ("lr", listed(0.1, 0.01, 0.001), {}, [("ORDERED-CAT", "info", real(0.001, 0.1, log=True))]),
    ("units", listed(32, 64, 128), {"sampler": "grid"}, []),
    ("units", listed(32, 64), {}, []),
    ("flag", listed(0, 1, True), {}, []),
    ("seed", whole(0, 9), {}, [("SEED", "error", {"type": "constant", "value": 0})]),
    ("seed", {"type": "constant", "value": 7}, {}, []),
    ("epochs", whole(5, 50), {"scheduler": "asha"}, [("EPOCHS", "warning", {"type": "constant", "value": 50})]),
    ("epochs", whole(5, 50), {}, []),
    # GRID-CONT
    ("x", real(0, 1), {"sampler": "grid"}, [("GRID-CONT", "error", real(0, 1, step=0.25))]),
    ("x", real(0, 1), {"sampler": "random"}, []),
    ("lr", real(1e-4, 0.1, log=True), {"sampler": "grid"}, [("GRID-CONT", "error", listed(1e-4, 1e-3, 1e-2, 0.1))]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "entry", "plan", "expected"), CASES)
def test_a_rule_speaks_at_its_threshold_and_not_before(name, entry, plan, expected):
    findings = lint_space({name: entry}, **plan)
    assert [(finding.rule, finding.severity, finding.fix) for finding in findings] == expected
    assert all(finding.parameter == name for finding in findings)


REFUSED = [
    (real(0.0, 0.1, log=True), "LOG-ZERO", "low", real(1e-5, 0.1, log=True)),
    (whole(0, 64, log=True), "LOG-ZERO", "low", whole(1, 64, log=True)),
    (real(-1.0, 0.0, log=True), "LOG-ZERO", "low", real(-1.0, 0.0)),
    (real(0.1, 1.0, log=True, step=0.1), "LOG-STEP", "step", real(0.1, 1.0, log=True)),
    (listed("a", "b", "a", weights=[1, 2, 3]), "DUP-CAT", "choices", listed("a", "b", weights=[1, 2])),
    ({"type": "float", "low": 0.1}, "UNREADABLE", "high", None),
]


@pytest.mark.parametrize(("entry", "rule", "field", "fix"), REFUSED)
def test_what_the_reader_refuses_is_one_finding_with_its_message(entry, rule, field, fix):
    with pytest.raises(ValueError, match="x") as refused:
        SearchSpace.from_json({"x": entry})
    (finding,) = lint_space({"x": entry})
    assert (finding.rule, finding.evidence["field"], finding.fix) == (rule, field, fix)
    assert finding.message == refused.value.errors[0].message


def test_a_faulty_parameter_does_not_hide_what_is_wrong_with_another():
    findings = lint_space({"x": {"type": "float"}, "lr": real(0.001, 0.1), "y": "text"}, budget=5)
    assert [(finding.rule, finding.parameter) for finding in findings] == [
        ("UNREADABLE", "x"), ("UNREADABLE", "x"), ("UNREADABLE", "y"), ("LOG-LR", "lr"),
    ]  # fmt: skip
    assert findings[-1].fix == real(0.001, 0.1, log=True)


@pytest.mark.parametrize("space", [None, 3, [], {}, "lr"])
def test_what_is_no_space_is_said_in_one_finding(space):
    (finding,) = lint_space(space)
    assert (finding.rule, finding.parameter, finding.severity) == ("UNREADABLE", None, "error")


def test_a_fix_that_would_break_the_condition_of_another_is_not_offered():
    space = {
        "filters": listed(32, 50, 128),
        "attention": listed("yes", "no", when={"filters": [50]}),
        "batch_size": listed(10, 20),
        "accumulate": listed("yes", "no", when={"batch_size": [10]}),
    }
    found = {finding.parameter: (finding.rule, finding.fix) for finding in lint_space(space)}
    # 50 is a whole number of the range 32..128, but 10 is no power of two
    assert found["filters"] == ("ORDERED-CAT", whole(32, 128))
    assert found["batch_size"] == ("BATCH-2", None)


def test_the_condition_of_the_parameter_itself_stays():
    space = {"optimizer": listed("sgd", "adam"), "sgd_lr": real(0.01, 1.0, when={"optimizer": ["sgd"]})}
    (finding,) = lint_space(space)
    assert finding.fix == real(0.01, 1.0, log=True, when={"optimizer": ["sgd"]})
    finding = lint_space({**space, "x": {"type": "float"}})[-1]
    assert finding.fix == real(0.01, 1.0, log=True, when={"optimizer": ["sgd"]}), "in a space that cannot be read, too"


# the whole space

FASHION = {  # wandb/examples, keras-cnn-fashion: 14,580 runs
    "dropout": listed(0.1, 0.2, 0.4), "hidden": listed(64, 128, 256), "filters_1": listed(16, 32, 64),
    "filters_2": listed(16, 32, 64), "learn": listed("a", "b", "c", "d"), "decay": listed("a", "b", "c"),
    "momentum": listed("a", "b", "c"), "epochs": listed("a", "b", "c", "d", "e"),
}  # fmt: skip


def test_a_grid_shows_its_product():
    (finding,) = [f for f in lint_space(FASHION, sampler="grid") if f.rule == "GRID-X"]
    assert finding.severity == "warning" and finding.evidence["size"] == 14_580
    assert "3 x 3 x 3 x 3 x 4 x 3 x 3 x 5 = 14,580" in finding.message
    (finding,) = [f for f in lint_space(FASHION, 200, sampler="grid") if f.rule == "GRID-X"]
    assert finding.severity == "error" and "200 trials" in finding.message
    assert not [f for f in lint_space(FASHION, 200) if f.rule == "GRID-X"]


@pytest.mark.parametrize(("parameters", "budget", "rules"), [(4, 100, []), (4, 80, ["GRID-X"]), (5, 1000, ["GRID-X"])])
def test_a_grid_over_five_parameters_or_beyond_the_budget(parameters, budget, rules):
    space = {f"p{i}": listed("a", "b", "c") for i in range(parameters)}
    found = lint_space(space, budget, sampler="grid")
    assert [finding.rule for finding in found if finding.rule != "DIM-BUDGET"] == rules


def test_ten_trials_for_each_parameter_that_varies():
    space = {"a": real(0, 1), "b": real(0, 1), "c": {"type": "constant", "value": 1}}
    assert lint_space(space, 20) == [] and lint_space(space) == []
    (finding,) = lint_space(space, 19)
    assert (finding.rule, finding.severity, finding.parameter) == ("DIM-BUDGET", "warning", None)
    assert finding.evidence == {"parameters": 2, "budget": 19}


def test_the_test_set_is_no_objective():
    (finding,) = lint_space({"a": real(0, 1)}, metric="test/accuracy")
    assert (finding.rule, finding.severity) == ("LEAK", "error")
    assert lint_space({"a": real(0, 1)}, metric="validation/latest") == []
