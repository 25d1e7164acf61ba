"""What the final look says of a score, against numbers computed by hand."""

import math

import pytest

from tuning.analysis.final import final_findings, final_scores, score_name


def result(*test, errors=None, validation=None, sizes=None):
    rows = [
        {"test": {"accuracy": value}, "validation": validation, "errors": {"accuracy": errors} if errors else {}}
        for value in test
    ]
    return {"seeds": rows, "sizes": sizes or {}}


def score(*test, chosen=None, goal="maximize", **more):
    known = {} if chosen is None else {"accuracy": chosen}
    return final_scores(result(*test, **more), known, {"accuracy": goal}, "accuracy")[0]


def test_the_mean_of_three_seeds_and_its_interval():
    """sd of 0.90, 0.92, 0.94 is 0.02; t(0.975, 2) is 4.302653."""
    found = score(0.90, 0.92, 0.94)
    assert found.mean == pytest.approx(0.92)
    assert found.error == pytest.approx(0.02 / math.sqrt(3))
    assert found.high - 0.92 == pytest.approx(4.302653 * 0.02 / math.sqrt(3), rel=1e-6)
    assert 0.92 - found.low == pytest.approx(found.high - 0.92)


def test_examples_add_an_error_that_more_seeds_do_not_lower():
    few, many = score(0.9, 0.9, errors=0.01), score(*[0.9] * 50, errors=0.01)
    assert few.error == many.error == pytest.approx(0.01)
    assert few.high - few.low == pytest.approx(2 * 1.959964 * 0.01, rel=1e-6)


def test_one_seed_without_an_error_has_no_interval():
    found = score(0.9, chosen=0.95)
    assert (found.mean, found.error, found.low, found.high) == (0.9, None, None, None)
    assert (found.optimism, found.optimism_error, found.worse) == (pytest.approx(0.05), None, False)


@pytest.mark.parametrize(("goal", "sign"), [("maximize", 1), ("minimize", -1)])
def test_optimism_is_what_the_test_is_worse_by(goal, sign):
    """sd 0.02 of 3 seeds, s 0.01, a validation split of half the size: √(0.0004·4/3 + 0.0001·3) = 0.028868."""
    sizes = {"train": 100, "validation": 50, "test": 100}
    found = score(0.90, 0.92, 0.94, chosen=1.0, goal=goal, errors=0.01, sizes=sizes)
    assert found.optimism == pytest.approx(sign * 0.08)
    assert found.optimism_error == pytest.approx(0.028868, rel=1e-4)
    assert found.worse is (goal == "maximize")


def test_within_two_errors_is_no_warning():
    scores = [score(0.90, 0.92, 0.94, chosen=0.96)]
    assert not scores[0].worse
    assert final_findings(scores, 0) == []


def test_a_worse_score_and_a_used_test_set_are_told():
    found = final_findings([score(0.90, 0.92, 0.94, chosen=1.0)], 2)
    assert [(one.rule, one.severity) for one in found] == [("TEST-REUSED", "warning"), ("TEST-WORSE", "warning")]
    assert found[0].message.startswith("Test reused 2 times:")
    assert "by 0.08 ± 0.023" in found[1].message
    assert final_findings([], 1)[0].message.startswith("Test reused once:")


def test_seeds_that_diverged_are_told_and_the_others_counted():
    made = result(0.90, 0.94)
    made["seeds"].insert(1, {"test": {}, "validation": {}, "errors": {}, "diverged": True})
    (found,) = final_scores(made, {}, {"accuracy": "maximize"}, "accuracy")
    assert found.test == [0.90, 0.94] and found.mean == pytest.approx(0.92)
    (finding,) = final_findings([found], 0, 1, 3)
    assert finding.rule == "SEED-DIVERGED"
    assert finding.message.startswith("1 of 3 fresh seeds diverged and has no score: the numbers are of the other 2")


def test_the_score_that_chose_comes_first_and_others_may_have_no_goal():
    rows = [{"test": {"a": 1.0, "loss": 0.2, "z": 3.0}, "validation": {"loss": 0.1}, "errors": {}}]
    found = final_scores({"seeds": rows}, {"z": 2.0, "loss": 0.1}, {"loss": "minimize"}, "loss")
    assert [one.name for one in found] == ["loss", "a", "z"]
    assert (found[0].optimism, found[0].validation) == (pytest.approx(0.1), [0.1])
    assert (found[2].goal, found[2].chosen, found[2].optimism) == ("", 2.0, None)


def test_a_number_that_is_none_has_no_mean():
    found = score(0.9, math.nan, chosen=0.9)
    assert found.mean is None
    assert found.optimism is None


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("validation/accuracy", "accuracy"), ("val_acc", "acc"), ("test.f1", "f1"), ("Accuracy/test", "Accuracy"),
        ("test", "test"), ("value", "value"), ("valley", "valley"), ("train/loss", "loss"), ("testing", "testing"),
    ],
)  # fmt: skip
def test_names_lose_their_split(metric, name):
    assert score_name(metric) == name
