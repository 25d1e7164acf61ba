"""The bench of tried advice: its cases, its counting on cases counted by hand, and one that is trained."""

import pytest

from tests.benchmarks.advised import Tried, is_better, row_of, share_of, summaries, tried
from tests.benchmarks.advised_cases import CASES, DESIGN, REPORTED, base_of, case, splits_of
from tuning.analysis.diagnosis import Verdict, compared
from tuning.analysis.diagnosis.moves import Advice


def made(rule: str, action: str, differences: list[float | None], beyond: Tried | None = None) -> Tried:
    advice = Advice(action, "", change={"lr": 1.0})
    return Tried(CASES[0], Verdict(rule, None, {}), advice, compared(differences), beyond)


def test_no_case_is_of_both_halves_and_every_configuration_is_of_its_space():
    assert len(DESIGN) == len(REPORTED) == len(CASES) / 2
    assert len({(one.workload, one.done) for one in CASES}) == len(CASES)
    for one in CASES:
        for name, value in one.configuration().items():
            assert one.kind.space[name]["low"] <= value <= one.kind.space[name]["high"], (one, name)


def test_a_loss_of_knowing_nothing_is_of_the_examples_that_are_there():
    assert base_of("digits", None) == pytest.approx(2.3026, abs=1e-3)
    assert base_of("diabetes", None) == pytest.approx(1.0, abs=0.01)
    assert len(splits_of("digits", 60).train) == 60
    assert len(splits_of("digits", 60).validation) == len(splits_of("digits", None).validation)


def test_what_helped_is_counted():
    past = made("overfit_turning", "more_dropout", [-0.2, -0.21, -0.22])
    found = [
        made("underfit", "raise_learning_rate", [0.2, 0.21, 0.22]),
        made("overfit_turning", "early_stop", [0.5, -0.4, 0.1], past),
        made("overfit", "more_dropout", [float("inf"), 0.1]),
        Tried(CASES[1], Verdict("healthy", None, {})),
    ]
    assert [is_better(one.found) for one in found] == [True, True, True, False]
    every, under, over, aside = summaries("reported", found)
    assert (every["cases"], every["better"], every["helped"], every["undecided"]) == (3, 3, 2, 1)
    assert (under["cases"], over["cases"]) == (1, 2)
    assert (aside["cases"], aside["better"], aside["worse"]) == (3, 2, 1)
    assert share_of([])["share"] == 0.0
    assert row_of("design", found[3])["outcome"] == "not counted"


def test_a_case_is_trained_diagnosed_and_its_advice_tried():
    one = tried(case("cancer", "a tiny learning rate", 4, 60, lr=1e-4, batch_size=64, units=8, layers=1))
    assert (one.verdict.rule, one.advice is not None) == ("underfit", True)
    assert one.found is not None
    assert one.found.n == 5
