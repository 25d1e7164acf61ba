"""Input warping: Kumaraswamy's distribution function, its slopes, and what it does for a model and a search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.engine import History, Optimizer, SearchSpace
from tuning.engine.surrogates.surrogate import surrogate_of
from tuning.engine.surrogates.warping import warped, warped_and_slopes

SHAPES = st.floats(-2.0, 2.0)
LINE = SearchSpace.from_json({"x": {"type": "float", "low": 0.0, "high": 1.0}})


def test_no_shape_is_the_identity_and_others_are_by_hand():
    x = np.array([[0.0], [0.25], [0.5], [1.0]])
    np.testing.assert_allclose(warped(x, np.zeros((2, 1))), x, atol=2e-6)
    # a = 2, b = 3: 1 - (1 - 1/4)^3 at 1/2
    np.testing.assert_allclose(warped(np.array([[0.5]]), np.log([[2.0], [3.0]])), [[1 - 0.75**3]])


@given(log_a=SHAPES, log_b=SHAPES)
def test_it_rises_from_0_to_1_and_its_slopes_are_those_of_finite_differences(log_a, log_b):
    shape = np.array([[log_a], [log_b]])
    x = np.linspace(0, 1, 41)[:, None]
    u = warped(x, shape)
    assert (np.diff(u[:, 0]) >= 0).all()
    assert u.min() >= 0
    assert u.max() <= 1
    inner = x[4:-4]
    value, by_x, by_shape = warped_and_slopes(inner, shape)
    np.testing.assert_allclose(value, warped(inner, shape), rtol=1e-9, atol=1e-12)
    step = 1e-6
    numeric = (warped(inner + step, shape) - warped(inner - step, shape)) / (2 * step)
    np.testing.assert_allclose(by_x, numeric, rtol=1e-4, atol=1e-8)
    for k in range(2):
        shift = np.zeros((2, 1))
        shift[k] = step
        numeric = (warped(inner, shape + shift) - warped(inner, shape - shift)) / (2 * step)
        np.testing.assert_allclose(by_shape[k], numeric, rtol=1e-4, atol=1e-8)


def chirp(x):
    """Fast at one end of the range and slow at the other: no single length scale suits both."""
    return float(np.sin(20 * x**0.3))


def test_a_model_with_warping_predicts_what_changes_faster_at_one_end_better():
    history = History(LINE)
    for number, x in enumerate((np.arange(20) + 0.5) / 20):
        history.append(number, {"x": float(x)}, "COMPLETE", chirp(x))
    places = [{"x": float(x)} for x in np.linspace(0.02, 0.98, 97)]
    truth = np.array([chirp(place["x"]) for place in places])
    plain, warping = (surrogate_of(LINE, history, input_warping=on) for on in (False, True))
    errors = [np.abs(model.predict(places)[0] - truth).mean() for model in (plain, warping)]
    assert errors[1] < 0.5 * errors[0]
    assert warping.hyper.log_shape[0, 0] < -0.3  # the beginning of the range is stretched
    assert plain.hyper.log_shape.size == 0


@pytest.mark.parametrize("n", [30])
def test_a_search_with_warping_runs_and_finds_the_valley(n):
    document = {
        "lr": {"type": "float", "low": 1e-5, "high": 1.0},
        "layers": {"type": "int", "low": 1, "high": 9},
        "norm": {"type": "categorical", "choices": [True, False]},
        "share": {"type": "float", "low": 0.0, "high": 1.0, "when": {"norm": [True]}},
    }
    optimizer = Optimizer(document, sampler="gp", sampler_options={"input_warping": True}, seed=1)
    values = []
    for _ in range(n):
        trial = optimizer.ask()
        p = trial.params
        values.append(float((np.log10(p["lr"]) + 2) ** 2 + 0.1 * (p["layers"] - 4) ** 2 + (0.0 if p["norm"] else 1.0)))
        optimizer.tell(trial.number, values[-1])
    assert min(values) < 0.15
