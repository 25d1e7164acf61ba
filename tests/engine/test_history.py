"""The columnar history: columns, pending rows, sharing, and that no moment changes afterwards."""

import time

import numpy as np
import pytest

from tuning.engine import Direction, History, HistoryError, ParamsError, SearchSpace, Trial, TrialError, TrialState

SPACE = SearchSpace.from_json(
    {
        "k": {"type": "int", "low": 1, "high": 4},
        "x": {"type": "float", "low": 0.0, "high": 1.0, "when": {"k": {"low": 2}}},
        "c": {"type": "categorical", "choices": [[1], [2]]},
    }
)


def filled():
    history = History(SPACE)
    history.append(3, {"k": 1, "c": [1]}, TrialState.COMPLETE, value=0.25, resource=9, intermediate={1: 0.5, 9: 0.25})
    history.append(0, {"k": 4, "x": 0.5, "c": [2]}, "FAILED", reason_code="diverged")
    history.append(1, {"k": 2, "x": 1, "c": [1]}, "PRUNED", infeasible=True, constraints=[1.5])
    history.append(2, {"k": 2, "x": 0, "c": [1]}, "FAILED", reason_code="cancelled", value=float("nan"))
    return history


def test_columns_are_in_order_of_finishing():
    history = filled()
    assert (history.n, len(history), history.n_finished) == (4, 4, 4)
    assert history.numbers.tolist() == [3, 0, 1, 2]
    np.testing.assert_array_equal(history.values, [0.25, np.nan, np.nan, np.nan])
    assert history.states.tolist() == [
        TrialState.COMPLETE,
        TrialState.FAILED,
        TrialState.PRUNED,
        TrialState.FAILED,
    ]
    np.testing.assert_array_equal(history.resources, [9, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(history.steps, [9, np.nan, np.nan, np.nan])
    assert history.deters.tolist() == [False, True, False, False]
    assert history.infeasible.tolist() == [False, False, True, False]
    assert history.mask(TrialState.FAILED, TrialState.PRUNED).tolist() == [False, True, True, True]
    nan = np.nan
    np.testing.assert_array_equal(
        history.unit, [[0.125, nan, 0.25], [0.875, 0.5, 0.75], [0.375, 1.0, 0.25], [0.375, 0.0, 0.25]]
    )


def test_rows_can_be_had_as_trials_and_as_configurations():
    history = filled()
    assert history.params(2) == {"k": 2, "x": 1.0, "c": [1]}
    assert history.trial(0).intermediate == {1: 0.5, 9: 0.25}
    assert history.trial(2).constraints == (1.5,)
    history.params(0)["c"].append(5)
    assert history.params(0) == {"k": 1, "c": [1]}
    for i in (-1, 4):
        with pytest.raises(IndexError):
            history.params(i)


def test_losses_are_to_be_minimised_in_both_directions():
    history = History(SPACE, "maximize")
    history.append(0, {"k": 1, "c": [1]}, "COMPLETE", value=3.0)
    assert history.losses.tolist() == [-3.0]
    assert history.values.tolist() == [3.0]
    assert filled().losses[0] == 0.25
    assert history.direction is Direction.MAXIMIZE


def test_pending_rows_come_last_and_only_in_the_view():
    history = filled()
    pending = [
        Trial(7, {"k": 3, "x": 0.25, "c": [2]}, TrialState.RUNNING, resource=3, intermediate={1: 0.9}),
        Trial(8, {"k": 1, "c": [1]}, TrialState.WAITING),
    ]
    view = history.with_pending(pending)
    assert (view.n, view.n_finished, history.n) == (6, 4, 4)
    assert view.numbers.tolist() == [3, 0, 1, 2, 7, 8]
    assert view.states.tolist()[4:] == [TrialState.RUNNING, TrialState.WAITING]
    assert np.isnan(view.values[4:]).all()
    np.testing.assert_array_equal(view.unit[4:], [[0.625, 0.25, 0.75], [0.125, np.nan, 0.25]])
    np.testing.assert_array_equal(view.unit[:4], history.unit)
    assert view.params(4) == {"k": 3, "x": 0.25, "c": [2]}
    assert view.trial(4).intermediate == {1: 0.9}
    more = view.with_pending([Trial(9, {"k": 1, "c": [2]}, TrialState.PAUSED)])
    assert (more.n, view.n) == (7, 6)
    assert more.mask(TrialState.PAUSED).tolist() == [False] * 6 + [True]


def test_a_pending_trial_that_is_the_same_object_is_checked_once_and_a_new_one_anew():
    space = SearchSpace.from_json({"x": {"type": "float", "low": 0.0, "high": 1.0}})
    history = History(space)
    one, two = Trial(0, {"x": 0.25}, TrialState.PAUSED), Trial(1, {"x": 0.5}, TrialState.PAUSED)
    first = history.with_pending([one, two])
    changed = Trial(1, {"x": 0.75}, TrialState.RUNNING)
    second = history.with_pending([one, changed])
    assert (second.trial(0) is first.trial(0), list(second.unit[:, 0])) == (True, [0.25, 0.75])
    assert list(first.unit[:, 0]) == [0.25, 0.5], "a view keeps its moment"
    with pytest.raises(ParamsError):
        history.with_pending([one, Trial(1, {"x": 7.0}, TrialState.PAUSED)])


def test_finished_columns_are_shared_not_copied():
    history = filled()
    view = history.with_pending([])
    assert np.shares_memory(view.unit, history.unit)
    assert np.shares_memory(view.values, history.values)


def test_a_view_keeps_its_moment_while_the_history_grows():
    history = filled()
    view = history.with_pending([])
    unit, seen = view.unit, view.unit.copy()
    for number in range(10, 200):
        history.append(number, {"k": 1, "c": [2]}, "COMPLETE", value=float(number))
    assert view.n == 4
    np.testing.assert_array_equal(view.unit, seen)
    np.testing.assert_array_equal(unit, seen)
    assert history.n == 194
    assert history.values[-1] == 199.0


def test_columns_cannot_be_written():
    history = filled()
    for column in (history.unit, history.values, history.numbers):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


def test_what_does_not_fit_is_refused_and_changes_nothing():
    history = filled()
    with pytest.raises(ParamsError, match=r"^k: 9 is not a whole number from 1 to 4"):
        history.append(9, {"k": 9, "c": [1]}, "COMPLETE", value=1.0)
    with pytest.raises(HistoryError, match="is RUNNING: append it when it has finished"):
        history.append(9, {"k": 1, "c": [1]}, "RUNNING")
    with pytest.raises(HistoryError, match="not open"):
        history.with_pending([Trial(9, {"k": 1, "c": [1]}, TrialState.COMPLETE)])
    with pytest.raises(ParamsError, match="x: is missing"):
        history.with_pending([Trial(9, {"k": 2, "c": [1]}, TrialState.RUNNING)])
    with pytest.raises(HistoryError, match="view of an earlier moment"):
        history.with_pending([]).append(9, {"k": 1, "c": [1]}, "COMPLETE", value=1.0)
    assert history.n == 4


def test_the_history_shares_nothing_with_its_caller():
    params, curve = {"k": 1, "c": [1]}, {1: 0.5}
    history = History(SPACE)
    history.append(0, params, "COMPLETE", value=1.0, intermediate=curve)
    params["c"].append(3)
    curve[2] = 9.0
    assert history.params(0) == {"k": 1, "c": [1]}
    assert history.trial(0).intermediate == {1: 0.5}


def test_derived_values_are_computed_once_for_each_finished_row():
    history = filled()
    calls = []

    def layers(params):
        calls.append(params["k"])
        return params["k"] * 10

    assert history.derived("layers", layers) == [10, 40, 20, 20]
    view = history.with_pending([Trial(7, {"k": 1, "c": [1]}, TrialState.RUNNING)])
    assert view.derived("layers", layers) == [10, 40, 20, 20, 10]
    assert calls == [1, 4, 2, 2, 1]
    history.append(9, {"k": 1, "c": [2]}, "COMPLETE", value=1.0)
    assert history.derived("layers", layers) == [10, 40, 20, 20, 10]
    assert view.derived("layers", layers) == [10, 40, 20, 20, 10]
    assert len(calls) == 7


def test_extend_adds_several():
    history = History(SPACE)
    history.extend(filled().trial(i) for i in range(4))
    np.testing.assert_array_equal(history.unit, filled().unit)


def test_the_last_of_ten_thousand_costs_no_more_than_the_first_ones():
    history = History(SPACE)
    params = {"k": 2, "x": 0.5, "c": [1]}

    def thousand():
        start = time.process_time()
        for _ in range(1000):
            history.append(0, params, "COMPLETE", value=1.0)
        return time.process_time() - start

    first = min(thousand() for _ in range(3))
    for _ in range(4):
        thousand()
    assert min(thousand() for _ in range(3)) < 3 * first
    assert history.n == 10_000


def test_the_step_that_a_trial_reached_is_its_last_report_else_its_resource():
    history = History(SPACE)
    params = {"k": 1, "c": [1]}
    history.append(0, params, "PRUNED", value=0.5, resource=81, intermediate={1: 0.5, 3: 0.6})
    history.append(1, params, "PRUNED", value=0.5, resource=27)
    history.append(2, params, "PRUNED", value=0.5)
    view = history.with_pending([Trial(3, params, TrialState.RUNNING, resource=9, intermediate={2: 1.0})])
    np.testing.assert_array_equal(view.steps, [3, 27, np.nan, 2])
    np.testing.assert_array_equal(view.resources, [81, 27, np.nan, 9])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": "a"}, "number: 'a' is not a whole number"),
        ({"number": True}, "number: true is not a whole number"),
        ({"number": -1}, "number: -1 is not between 0"),
        ({"number": 10**30}, "number: a whole number of 100 bits is not between 0"),
        ({"resource": "q"}, "resource: 'q' is not a whole number"),
        ({"resource": -1}, "resource: -1 is not between 0"),
        ({"value": "a"}, "value: 'a' is not a number"),
        ({"value": True}, "value: true is not a number"),
        ({"reason_code": "zzz"}, "reason_code: 'zzz' is not one of"),
        ({"intermediate": {"a": 1.0}}, "intermediate: 'a' is not a step"),
        ({"intermediate": {1: "x"}}, "intermediate at step 1: 'x' is not a number"),
    ],
)
def test_what_could_not_be_kept_is_refused_by_name_and_leaves_the_history_as_it_was(changes, message):
    history = History(SPACE)
    history.append(0, {"k": 1, "c": [1]}, "COMPLETE", 1.0)
    row = {"number": 1, "params": {"k": 1, "c": [1]}, "state": "COMPLETE", "value": 2.0, **changes}
    with pytest.raises((HistoryError, TrialError)) as raised:
        history.append(**row)
    assert message in str(raised.value).replace('"', "'")
    assert history.n == 1
    assert history.numbers.tolist() == [0]
