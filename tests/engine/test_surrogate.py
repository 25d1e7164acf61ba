"""What surrounds the Gaussian process: axes, observations, the output transform, and the model of a study."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.sampler_contract import CONTINUOUS, FINITE
from tests.engine.spaces import spaces
from tuning.engine import History, HistoryError, ParamsError, SearchSpace, Trial, TrialState
from tuning.engine.surrogates.axes import ABSENT, axes_of
from tuning.engine.surrogates.observations import observe
from tuning.engine.surrogates.outputs import OutputTransform, yeo_johnson, yeo_johnson_inverse
from tuning.engine.surrogates.surrogate import surrogate_of

BRANCHES = SearchSpace.from_json(
    {
        "model": {"type": "categorical", "choices": ["svm", "net"]},
        "c": {"type": "float", "low": 0.0, "high": 1.0, "when": {"model": ["svm"]}},
        "units": {"type": "int", "low": 1, "high": 4, "when": {"model": ["net"]}},
    }
)
LINE = SearchSpace.from_json({"x": {"type": "float", "low": 0.0, "high": 1.0}})


def embedded(space, *configurations):
    axes = axes_of(space)
    return axes.embed(axes.latent(np.array([space.to_unit(params) for params in configurations])))


def squared(a, b):
    return float(((a - b) ** 2).sum())


# axes


def test_distances_between_configurations_by_hand():
    svm, other_svm, net, other_net = embedded(
        BRANCHES,
        {"model": "svm", "c": 0.2},
        {"model": "svm", "c": 0.9},
        {"model": "net", "units": 1},
        {"model": "net", "units": 3},
    )
    assert squared(svm, other_svm) == pytest.approx(0.7**2)
    assert squared(net, other_net) == pytest.approx(0.5**2)  # centres of quarters: 1/8 and 5/8
    # Another choice: 1; c against no c: from the middle and ABSENT; no units against units: the same.
    expected = 1 + (0.2 - 0.5) ** 2 + ABSENT**2 + (0.125 - 0.5) ** 2 + ABSENT**2
    assert squared(svm, net) == pytest.approx(expected)


def test_choices_are_equally_far_apart_whatever_their_weights():
    space = SearchSpace.from_json({"c": {"type": "categorical", "choices": [1, 2, 3], "weights": [1, 5, 9]}})
    a, b, c = embedded(space, {"c": 1}, {"c": 2}, {"c": 3})
    assert squared(a, b) == pytest.approx(1.0)
    assert squared(b, c) == pytest.approx(1.0)


@given(space=spaces(), seed=st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_latent_points_and_configurations_agree(space, seed):
    """Snapped latent points are what the space makes of them, conditions included."""
    axes = axes_of(space)
    u = axes.snapped(np.random.default_rng(seed).random((8, axes.m)))
    active, keys = axes.active(u), axes.keys(u)
    for i in range(len(u)):
        params = space.from_unit(axes.unit(u[i]))
        assert {name for name, on in zip(axes.names, active[i], strict=True) if on} == set(params) & set(axes.names)
        unit = space.to_unit(params)[axes.columns]
        # A continuous coordinate is as exact as the doubles between its bounds are dense.
        np.testing.assert_allclose(u[i][active[i]], unit[active[i]], atol=1e-6)
        again = axes.latent(space.to_unit(params)[None])
        np.testing.assert_allclose(axes.embed(u[[i]]), axes.embed(again), atol=1e-6)
        assert not axes.finite or axes.keys(again) == [keys[i]]


def test_a_large_parameter_without_a_table_is_snapped_all_the_same():
    space = SearchSpace.from_json({"n": {"type": "int", "low": 1, "high": 10**6, "log": True}})
    axes = axes_of(space)
    (two,) = axes.snapped(np.array([[0.08]]))
    assert space.from_unit(axes.unit(two)) == {"n": 2}
    assert space.to_unit({"n": 2})[0] == two[0]
    values = {space.from_unit(np.array([u]))["n"] for u in axes.axes[0].neighbours(two[0])}
    assert {1, 3, 4, 6, 10} <= values


def test_neighbours_of_a_small_parameter_are_all_its_other_values():
    axes = axes_of(BRANCHES)
    np.testing.assert_allclose(axes.axes[2].neighbours(0.375), [0.125, 0.625, 0.875])
    assert len(axes.axes[1].neighbours(0.5)) == 0  # continuous


# observations


def observed(history):
    return observe(history, 300, np.random.default_rng(0))


def line_history(direction="minimize"):
    return History(LINE, direction)


def test_what_each_ending_teaches():
    history = line_history()
    history.append(0, {"x": 0.0}, "COMPLETE", 1.0)
    history.append(1, {"x": 0.1}, "COMPLETE", 3.0)
    history.append(2, {"x": 0.2}, "COMPLETE", float("nan"))
    history.append(3, {"x": 0.3}, "FAILED", reason_code="out_of_memory")
    history.append(4, {"x": 0.4}, "FAILED", reason_code="cancelled")
    history.append(5, {"x": 0.5}, "FAILED", reason_code="lost_host")
    history.append(6, {"x": 0.6}, "PRUNED", infeasible=True)
    history.append(7, {"x": 0.7}, "PRUNED")
    history.append(8, {"x": 0.8}, "PRUNED", 2.0)
    view = history.with_pending(
        [Trial(9, {"x": 0.9}, TrialState.RUNNING), Trial(10, {"x": 1.0}, TrialState.PAUSED, intermediate={1: 2.5})]
    )
    seen = observed(view)
    assert dict(zip(seen.rows.tolist(), seen.losses.tolist(), strict=True)) == {
        0: 1.0, 1: 3.0, 2: 3.0, 3: 3.0, 6: 3.0, 8: 2.0, 10: 2.5,
    }  # fmt: skip
    assert seen.pending.tolist() == [9]
    assert seen.rows[seen.best] == 0


def test_when_maximising_the_worst_is_the_smallest():
    history = line_history("maximize")
    history.append(0, {"x": 0.0}, "COMPLETE", 0.9)
    history.append(1, {"x": 0.1}, "COMPLETE", 0.2)
    history.append(2, {"x": 0.2}, "FAILED", reason_code="diverged")
    assert observed(history).losses.tolist() == [-0.9, -0.2, -0.2]


def test_values_at_the_limits_of_doubles_stay_finite():
    history = line_history()
    for number in range(6):
        value = 1.7e308 if number % 2 else -1.7e308
        history.append(number, {"x": number / 9}, "COMPLETE", value, intermediate={1: -value})
    history.append(6, {"x": 0.7}, "PRUNED", 1.7e308, intermediate={1: 1.7e308})
    with np.errstate(all="raise"):
        losses = observed(history).losses
    assert losses.min() == losses[0] == -1e300
    assert losses.max() == losses[6] == 1e300


def test_nothing_to_learn_from():
    history = line_history()
    history.append(0, {"x": 0.0}, "FAILED", reason_code="diverged")
    assert len(observed(history).rows) == 0
    with pytest.raises(HistoryError, match="no trial has a value"):
        surrogate_of(LINE, history)


def test_of_too_many_trials_the_best_the_latest_and_far_ones_are_kept():
    history = line_history()
    xs = np.concatenate([[1.0], np.random.default_rng(0).random(2000) * 0.5])
    for number, x in enumerate(xs):
        history.append(number, {"x": float(x)}, "COMPLETE", float(abs(x - 0.25)))
    seen = observe(history, 50, np.random.default_rng(1))
    assert len(seen.rows) == 50
    assert set(np.argsort(np.abs(xs - 0.25))[:20]) <= set(seen.rows)
    assert set(range(1991, 2001)) <= set(seen.rows)
    kept = np.sort(xs[seen.rows])
    assert np.diff(kept[kept <= 0.5]).max() < 0.1  # no wide gap where there were trials


# the output transform


@pytest.mark.parametrize("exponent", [-4.0, -1.0, 0.0, 0.5, 1.0])
def test_yeo_johnson_and_its_inverse(exponent):
    z = np.linspace(-3, 3, 61)
    t = yeo_johnson(z, exponent)
    assert (np.diff(t) > 0).all()
    np.testing.assert_allclose(yeo_johnson_inverse(t, exponent), z, atol=1e-6)


def test_yeo_johnson_by_hand():
    assert yeo_johnson(np.array([1.0]), 0.0)[0] == pytest.approx(np.log(2))
    assert yeo_johnson(np.array([-1.0]), 0.5)[0] == pytest.approx(-(2**1.5 - 1) / 1.5)


@given(
    losses=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30),
)
@settings(max_examples=200, deadline=None)
def test_targets_are_finite_and_keep_the_order(losses):
    values = np.array(losses)
    targets = OutputTransform(values).forward(values)
    assert np.isfinite(targets).all()
    order = np.argsort(values)
    assert (np.diff(targets[order]) >= -1e-9).all()


@given(st.lists(st.floats(-100, 100), min_size=5, max_size=30, unique=True))
@settings(max_examples=100, deadline=None)
def test_targets_lead_back_to_the_losses_that_were_not_clipped(losses):
    values = np.array(losses)
    transform = OutputTransform(values)
    targets = transform.forward(values)
    inside = targets < targets.max()
    back = transform.backward(targets)
    np.testing.assert_allclose(back[inside], values[inside], atol=1e-4 * max(1.0, np.abs(values).max()))


def test_an_outlier_leaves_the_others_apart():
    values = np.array([0.10, 0.11, 0.12, 0.13, 0.14, 0.15, 1e9])
    targets = OutputTransform(values).forward(values)
    assert targets[-1] == targets.max()
    assert np.diff(targets[:6]).min() > 0.1


def test_equal_losses_do_not_vary():
    assert not OutputTransform(np.full(5, 0.3)).varied
    assert OutputTransform(np.full(5, 0.3)).forward(np.full(5, 0.3)).tolist() == [0.0] * 5
    assert OutputTransform(np.array([0.3, 0.3, 0.4])).varied


# the model of a study


def parabola(direction="minimize", n=12, at=0.3):
    history = History(LINE, direction)
    sign = 1.0 if direction == "minimize" else -1.0
    for number, x in enumerate(np.linspace(0, 1, n)):
        history.append(number, {"x": float(x)}, "COMPLETE", 5.0 + sign * float((x - at) ** 2))
    return history


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_predictions_are_in_the_objectives_own_scale(direction):
    history = parabola(direction)
    model = surrogate_of(LINE, history)
    grid = [{"x": x} for x in (0.05, 0.3, 0.55, 0.77)]
    sign = 1.0 if direction == "minimize" else -1.0
    mean, sd = model.predict(grid)
    np.testing.assert_allclose(mean, [5.0 + sign * (p["x"] - 0.3) ** 2 for p in grid], atol=0.01)
    assert mean.shape == sd.shape == (4,)
    assert (sd > 0).all()
    assert (sd < 0.05).all()
    acquisition = model.acquisition(grid)
    assert acquisition.shape == (4,)
    assert np.argmax(acquisition) == 1


def test_the_same_history_gives_the_same_model_and_it_refuses_what_does_not_fit():
    history = parabola().with_pending([Trial(12, {"x": 0.31}, TrialState.RUNNING)])
    grid = [{"x": x} for x in np.linspace(0, 1, 7).tolist()]
    np.testing.assert_array_equal(
        surrogate_of(LINE, history).acquisition(grid), surrogate_of(LINE, history).acquisition(grid)
    )
    with pytest.raises(ParamsError, match="x"):
        surrogate_of(LINE, history).predict([{"x": 2.0}])
    assert surrogate_of(LINE, history).predict([])[0].shape == (0,)


def test_a_running_trial_takes_the_promise_from_its_surroundings():
    history = parabola(n=10, at=0.45)
    view = history.with_pending([Trial(10, {"x": 0.5}, TrialState.RUNNING)])
    near, apart = [{"x": 0.5}], [{"x": 0.4}]
    before, after = surrogate_of(LINE, history), surrogate_of(LINE, view)
    assert after.acquisition(near)[0] < before.acquisition(near)[0] - 10
    assert after.acquisition(apart)[0] > before.acquisition(apart)[0] - 2
    np.testing.assert_array_equal(after.predict(near + apart), before.predict(near + apart))


@pytest.mark.parametrize("criterion", ["ei", "pi", "ucb"])
@pytest.mark.parametrize("pending", [0, 3])
def test_the_gradient_of_the_acquisition_against_finite_differences(criterion, pending):
    document = {**FINITE, **CONTINUOUS, "big": {"type": "int", "low": 1, "high": 500, "log": True}}
    space, rng = SearchSpace.from_json(document), np.random.default_rng(2)
    history = History(space)
    for number in range(20):
        history.append(number, space.from_unit(rng.random(len(space))), "COMPLETE", float(rng.random()))
    running = [Trial(20 + k, space.from_unit(rng.random(len(space))), TrialState.RUNNING) for k in range(pending)]
    model = surrogate_of(space, history.with_pending(running), acquisition=criterion)
    u = model.axes.snapped(rng.random((5, model.axes.m)))
    value, gradient = model.value_and_gradient(u)
    np.testing.assert_allclose(value, model.value(u), rtol=1e-9, atol=1e-9)
    for j in np.flatnonzero(model.axes.smooth):
        shift = np.zeros(u.shape)
        shift[:, j] = 1e-6
        numeric = (model.value(u + shift) - model.value(u - shift)) / 2e-6
        np.testing.assert_allclose(gradient[:, j], numeric, rtol=2e-4, atol=1e-5)
    assert not gradient[:, ~model.axes.numeric].any()
