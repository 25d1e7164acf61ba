"""Paired differences and their interval; changes of configurations, and the spaces around them."""

import math

import pytest

from tuning.analysis import diagnose_curves
from tuning.analysis.diagnosis import compared, difference
from tuning.analysis.diagnosis.reach import configured, followed_up, taking, within_reach
from tuning.engine import SearchSpace
from tuning.engine.errors import SpaceError

DECAY = {"type": "float", "low": 1e-6, "high": 0.1, "log": True}
DROPOUT = {"type": "float", "low": 0.0, "high": 0.5}
LAYERS = {"type": "int", "low": 1, "high": 3}
UNITS_2 = {"type": "int", "low": 16, "high": 256, "log": True, "when": {"layers": {"low": 2}}}


def test_students_interval_on_the_mean_difference() -> None:
    found = compared([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445105 * math.sqrt(2.5) / math.sqrt(5)  # t(0.975, 4), a standard deviation of sqrt(2.5)
    assert (found.mean, found.low, found.high) == pytest.approx((3.0, 3.0 - half, 3.0 + half))
    assert (found.outcome, found.n, found.better) == ("helped", 5, 5)
    assert compared([-1.0, -2.0, -3.0, -4.0, -5.0]).outcome == "worse"
    assert compared([1.0, -1.0, 2.0]).outcome == "undecided"


def test_few_pairs_and_missing_ones() -> None:
    assert compared([]).n == 0
    one = compared([None, 0.5])
    assert (one.mean, one.low, one.outcome, one.n) == (0.5, None, "undecided", 1)
    none = compared([0.0, 0.0, 0.0])
    assert (none.mean, none.low, none.high, none.outcome) == (0.0, 0.0, 0.0, "undecided")


def test_where_one_side_diverged_only_unanimity_decides() -> None:
    assert compared([math.inf, math.inf, 0.2]).outcome == "helped"
    assert compared([math.inf, -0.1, 0.2]).outcome == "undecided"
    found = compared([-math.inf, -0.1])
    assert (found.outcome, found.mean, found.low) == ("worse", None, None)


def test_a_difference_is_positive_where_it_is_better() -> None:
    assert difference(0.5, 0.4, "minimize") == pytest.approx(0.1)
    assert difference(0.5, 0.4, "maximize") == pytest.approx(-0.1)
    assert (difference(None, 0.4, "minimize"), difference(0.4, None, "maximize")) == (math.inf, -math.inf)
    assert difference(None, None, "minimize") == 0.0


def test_what_a_study_left_out_or_fixed_is_within_reach_of_its_workload() -> None:
    own = {"dropout": DROPOUT, "weight_decay": DECAY, "layers": LAYERS, "units_2": UNITS_2, "mixup": {"type": "int",
           "low": 0, "high": 1, "when": {"augment": ["on"]}}}  # fmt: skip
    space = {"dropout": {"type": "float", "low": 0.1, "high": 0.6}, "layers": {"type": "constant", "value": 5}}
    found = within_reach(space, own)
    assert found["dropout"] == {"type": "float", "low": 0.0, "high": 0.6}
    assert found["layers"] == {"type": "int", "low": 1, "high": 5}
    assert (found["weight_decay"], found["units_2"]) == (DECAY, UNITS_2)
    assert "mixup" not in found, "its parent is nowhere"
    assert within_reach(space, {}) == space
    stepped = {"dropout": {**DROPOUT, "step": 0.1}}
    assert within_reach(stepped, own)["dropout"] == stepped["dropout"], "a lattice stays as it is"


def test_a_range_is_made_to_take_a_value() -> None:
    assert taking(DECAY, 0.5) == {**DECAY, "high": 0.5}
    assert taking(DECAY, 0.0) == {"type": "float", "low": 0.0, "high": 0.1}
    assert taking({"type": "constant", "value": "a"}, "b") == {"type": "categorical", "choices": ["a", "b"]}
    assert taking({"type": "categorical", "choices": ["a", "b"]}, "b")["choices"] == ["a", "b"]


def test_a_change_brings_what_it_switches_on_and_takes_what_it_switches_off() -> None:
    space = {"layers": LAYERS, "units_2": UNITS_2, "weight_decay": DECAY}
    assert configured(space, {"layers": 1}, {"layers": 2}) == {"layers": 2, "units_2": 63}
    assert configured(space, {"layers": 2, "units_2": 20, "other": 1}, {"layers": 1}) == {"layers": 1, "other": 1}
    assert configured(space, {"layers": 1}, {"weight_decay": 0.01}) == {"layers": 1, "weight_decay": 0.01}
    with pytest.raises((SpaceError, ValueError)):
        configured(space, {"layers": 1}, {"layers": 9})


def test_the_space_of_a_follow_up_has_room_around_what_was_advised() -> None:
    space = {"dropout": {"type": "float", "low": 0.0, "high": 0.3}, "units": {"type": "int", "low": 16, "high": 64}}
    reach = within_reach(space, {"weight_decay": DECAY})
    added = followed_up(space, reach, {"dropout": 0.1, "units": 16}, {"weight_decay": 1e-4})
    assert added == {**space, "weight_decay": DECAY}
    wider = followed_up(space, reach, {"dropout": 0.1}, {"dropout": 0.25})
    assert wider["dropout"] == {"type": "float", "low": 0.0, "high": 0.4}
    assert followed_up(space, reach, {"dropout": 0.7}, {"dropout": 0.85})["dropout"]["high"] == 0.9
    assert followed_up(space, reach, {"dropout": 0.05}, {"dropout": 0.1}) == space, "it has room already"
    fewer = followed_up(space, reach, {"units": 16}, {"units": 8})
    assert fewer["units"] == {"type": "int", "low": 1, "high": 64}
    decay = followed_up({"weight_decay": DECAY}, reach, {"weight_decay": 0.05}, {"weight_decay": 0.25})
    assert decay["weight_decay"]["high"] == pytest.approx(0.75)
    for document in (added, wider, fewer, decay):
        SearchSpace.from_json(document)


def advised(params, space, train=(2.0, 0.1), validation=(2.0, 0.8)):
    def between(start, end):
        return [start * (end / start) ** (i / 19) for i in range(20)]

    verdict = diagnose_curves(between(*train), between(*validation), base=2.3, params=params, space=space)
    return {one.action: one for one in verdict.advice}


def test_advice_says_what_it_changes_or_why_it_cannot_be_tried() -> None:
    found = advised({"dropout": 0.1}, {"dropout": DROPOUT, "weight_decay": DECAY})
    assert found["more_weight_decay"].change == {"weight_decay": 0.000316}, "the middle of the range that was left out"
    assert found["more_dropout"].is_testable
    assert found["more_augmentation"].untested == "Neither the study nor its workload has a parameter for it."
    assert (found["more_data"].is_testable, found["more_data"].untested[:19]) == (False, "It takes other data")
    full = advised({"dropout": 0.5}, {"dropout": DROPOUT})["more_dropout"]
    assert (full.is_testable, full.beyond, full.untested) == (False, {"dropout": 0.65}, "The value stands at the end "
            "of its range.")  # fmt: skip
    assert advised({"dropout": 0.9}, {"dropout": {**DROPOUT, "high": 0.9}})["more_dropout"].beyond == {}


def test_choices_are_switched_on() -> None:
    space = {"augment": {"type": "categorical", "choices": ["none", "shift", "both"]}}
    assert advised({"augment": "none"}, space)["more_augmentation"].change == {"augment": "shift"}
    assert not advised({"augment": "shift"}, space)["more_augmentation"].is_testable
    flat = [1.0, 0.4, *[0.3] * 18]
    schedule = {"type": "categorical", "choices": ["none", "onecycle", "cosine"]}
    verdict = diagnose_curves(flat, flat, base=1.3, params={"schedule": "none"}, space={"schedule": schedule})
    assert (verdict.rule, verdict.advice[0].change) == ("plateau", {"schedule": "cosine"})
    assert verdict.advice[-1].untested == "It saves time; validation cannot get better by it."
    broken = diagnose_curves(
        [1.0, None], [1.0, None], params={"schedule": "none", "clip": 0.0},
        space={"schedule": schedule, "clip": {"type": "float", "low": 0.0, "high": 10.0}},
    )  # fmt: skip
    changes = {one.action: dict(one.change) for one in broken.advice}
    assert (changes["warm_up"], changes["clip_gradients"]) == ({"schedule": "onecycle"}, {"clip": 1.0})
