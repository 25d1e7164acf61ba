"""The benchmark of regularisation against data: its marks, and that its parts of the digits and a training are real."""

import math

from tests.analysis.test_strengths import bowls
from tests.benchmarks import regularisation
from tests.benchmarks.regularisation import EXAMPLES, marks_of, parts, trained
from tuning.analysis.diagnosis.strengths import best_strengths


def test_a_mark_is_missed_where_the_best_penalty_does_not_fall() -> None:
    falls = best_strengths(bowls([-1, -2, -3], 1, noise=0.05, sized="examples"), scale="log")
    flat = best_strengths(bowls([-2, -2, -2], 1, noise=0.05, sized="examples"), scale="log")
    assert [mark.met for mark in marks_of(falls, [])] == [True, True]
    assert [mark.met for mark in marks_of(flat, [])] == [False, False]
    summed = {"known slope": "ridge, summed loss", "truth": 0.0}
    known = [{**summed, "drawings": 20, "fitted": 20, "held": 17, "claimed": 2}]
    assert [mark.met for mark in marks_of(falls, known)[2:]] == [False, False]


def test_a_training_is_real(monkeypatch) -> None:
    monkeypatch.setattr(regularisation, "UPDATES", 20)
    data = parts()
    assert tuple(len(splits.train) for splits in data.values()) == EXAMPLES
    run = trained("l2", data[40], 1e-3, 5)
    assert (run.examples, run.parameters, run.seed) == (40, 4810, 5)
    assert 0 < run.loss < math.log(10)
