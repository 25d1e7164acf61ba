"""fANOVA: inside the bands around known Sobol indices, exact for its own trees, and silent where it knows nothing."""

import itertools
import time

import numpy as np
import pytest

from tests.analysis.sobol import ADDITIVE, G8, ISHIGAMI, KNOWN, box
from tuning.analysis import importance
from tuning.analysis.importance.fanova import fanova
from tuning.analysis.importance.forest import fitted
from tuning.analysis.importance.sample import sample_of
from tuning.engine import History, ParamsError, SearchSpace
from tuning.engine.surrogates.axes import axes_of

SEED = 7301  # the forest was chosen on seeds from 0 on

FINITE = {
    "units": {"type": "int", "low": 1, "high": 6, "log": True},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam", "lion"], "weights": [1, 2, 3]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.3, "when": {"optimizer": ["sgd", "lion"]}},
    "nesterov": {"type": "categorical", "choices": [True, False], "when": {"momentum": {"low": 0.5}}},
    "fixed": {"type": "constant", "value": 3},
}
SWITCH = {
    "kind": {"type": "categorical", "choices": ["a", "b"]},
    "x": {"type": "float", "low": 0.0, "high": 1.0, "when": {"kind": ["a"]}},
    "idle": {"type": "float", "low": 0.0, "high": 1.0},
}


def drawn(space, n, seed, value):
    rows = [space.from_unit(row) for row in np.random.default_rng(seed).random((n, len(space)))]
    return [(params, value(params)) for params in rows]


def finite_value(params):
    units = params["units"]
    return units**1.5 + 4 * (params["optimizer"] == "adam") + 5 * params.get("momentum", 0.2) * units


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_shares_lie_in_the_bands_around_the_exact_indices(known):
    result = importance(known.space, known.trials(1000, SEED), seed=SEED)
    for name, (low, high) in known.bands.items():
        assert low <= result.main[name] <= high, (name, result.main)
    assert result.r2 > 0.85 and result.n == 1000
    assert sum(result.main.values()) + sum(result.pairs.values()) + result.remainder == pytest.approx(1.0)


def test_a_pair_that_only_acts_together_is_found():
    result = importance(ISHIGAMI.space, ISHIGAMI.trials(1000, SEED))
    strongest, share = next(iter(result.pairs.items()))
    assert strongest == ("x1", "x3") and share == pytest.approx(0.2437, abs=0.06)
    assert result.maps[0].names == ("x1", "x3")


def test_eight_parameters_with_pairs_and_curves_take_no_minutes():
    trials = G8.trials(1000, SEED)
    importance(G8.space, trials[:30])  # scikit-learn's import
    began = time.process_time()
    result = importance(G8.space, trials)
    assert time.process_time() - began < 20.0  # 0.75 alone; a loop over leaves and cells takes minutes
    assert len(result.pairs) == 28


def test_shares_are_those_of_the_trees_over_every_configuration():
    """A finite space, conditions two deep and unequal bins: the same sums over all of its cells, one by one."""
    space = SearchSpace.from_json(FINITE)
    sample = sample_of(space, drawn(space, 150, 3, finite_value))
    forest = fitted(sample, 0)
    result = fanova(sample, 0, forest)
    axes = axes_of(space)
    grids = [axis.centres for axis in axes.axes]
    shape = tuple(len(grid) for grid in grids)
    weights = [np.diff(axis.edges) for axis in axes.axes]
    cells = np.array(list(itertools.product(*grids)))
    measure = np.array([np.prod(w) for w in itertools.product(*weights)]).reshape(shape)
    active = axes.active(cells).reshape(*shape, axes.m)
    main, within, pair = [], [], []
    for tree in forest.model.estimators_:
        f = tree.predict(forest.columns.of(cells)).reshape(shape)
        main.append([_share(f, measure, (j,)) for j in range(axes.m)])
        within.append(_share(f, measure * active[..., 3], (3,)))
        pair.append(_share(f, measure, (0, 2)) - main[-1][0] - main[-1][2])
    assert [result.main[name] for name in axes.names] == pytest.approx(np.mean(main, axis=0).tolist(), abs=1e-9)
    assert [result.std[name] for name in axes.names] == pytest.approx(np.std(main, axis=0).tolist(), abs=1e-9)
    assert result.within["nesterov"] == pytest.approx(np.mean(within), abs=1e-9)
    assert result.pairs["units", "momentum"] == pytest.approx(np.mean(pair), abs=1e-9)
    curve = next(curve for curve in result.curves if curve.name == "optimizer")
    assert (curve.numeric, curve.values) == (False, ["sgd", "adam", "lion"])


def _share(f, measure, kept):
    """Var(E[f | kept]) / Var f under the measure, which need not add up to 1."""
    measure = measure / measure.sum()
    rest = tuple(j for j in range(f.ndim) if j not in kept)
    mass = measure.sum(axis=rest)
    means = np.divide((f * measure).sum(axis=rest), mass, out=np.zeros_like(mass), where=mass > 0)
    mean = (f * measure).sum()
    return (mass * (means - mean) ** 2).sum() / (measure * (f - mean) ** 2).sum()


def test_a_conditional_parameter_has_its_share_of_the_whole_and_of_where_it_takes_part():
    """f = x where the kind is a, else 0: exactly 0.6 for kind, 0.2 for x, 0.2 for both, and all of it within a."""
    space = SearchSpace.from_json(SWITCH)
    result = importance(space, drawn(space, 600, SEED, lambda params: params.get("x", 0.0)))
    assert result.main["kind"] == pytest.approx(0.6, abs=0.04)
    assert result.main["x"] == pytest.approx(0.2, abs=0.04)
    assert result.pairs["kind", "x"] == pytest.approx(0.2, abs=0.04)
    assert result.main["idle"] < 0.01
    assert result.within["x"] > 0.95
    assert result.active == {"x": pytest.approx(0.5, abs=0.06)}


def test_a_parameter_that_few_trials_have_is_hidden():
    space = SearchSpace.from_json(SWITCH | {"kind": {**SWITCH["kind"], "weights": [1, 30]}})
    result = importance(space, drawn(space, 200, 1, lambda params: params.get("x", 0.0) + params["idle"]))
    assert "x" not in result.main and "x" not in {curve.name for curve in result.curves}
    assert 0 < result.hidden["x"] < 20
    assert result.hidden["x"] == round(200 * result.active["x"])


def test_a_log_scale_is_read_as_one():
    space = SearchSpace.from_json({"lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True}} | box("d", 0.0, 1.0))
    result = importance(space, drawn(space, 400, SEED, lambda p: (np.log10(p["lr"]) + 3) ** 2 + 0.3 * p["d"]))
    curve = result.curves[0]
    assert curve.log and curve.values[0] == pytest.approx(1e-5) and curve.values[-1] == pytest.approx(0.1)
    assert curve.values[int(np.argmin(curve.mean))] == pytest.approx(1e-3, rel=0.5)
    assert curve.mean[0] == pytest.approx(4.15, abs=0.3)
    assert all(std >= 0 for std in curve.std) and len(curve.std) == len(curve.values)


def test_constants_matter_not():
    space = SearchSpace.from_json(ADDITIVE.document | {"batch": {"type": "constant", "value": 64}})
    result = importance(space, drawn(space, 60, 1, ADDITIVE.value))
    assert result.main["batch"] == 0.0 and list(result.main) == list(space.names)


def test_noise_is_refused_with_its_r2():
    rng = np.random.default_rng(SEED)
    trials = [(params, float(rng.normal())) for params, _ in ADDITIVE.trials(200, SEED)]
    result = importance(ADDITIVE.space, trials)
    assert not result.main and not result.pairs and result.remainder is None
    assert result.r2 <= 0 and f"R² {result.r2:.2f} over 200 trials" in result.reason


@pytest.mark.parametrize(
    ("document", "trials", "words"),
    [
        (ADDITIVE.document, ADDITIVE.trials(19, 0), "needs 20 complete trials with a finite value; there are 19"),
        (ADDITIVE.document, [(params, 0.5) for params, _ in ADDITIVE.trials(25, 0)], "All 25 trials have the same"),
        ({"batch": {"type": "constant", "value": 1}}, [({"batch": 1}, 0.1 * i) for i in range(30)], "a single value"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_says_why(document, trials, words):
    result = importance(SearchSpace.from_json(document), trials)
    assert words in result.reason and not result.main


def test_trials_without_a_finite_value_are_left_out():
    whole = ADDITIVE.trials(60, 1)
    holes = [(whole[0][0], bad) for bad in (np.nan, np.inf, -np.inf, None)]
    holed = [*whole[:30], *holes, *whole[30:]]
    assert importance(ADDITIVE.space, holed) == importance(ADDITIVE.space, whole)


def test_a_history_gives_what_its_trials_give():
    whole = ADDITIVE.trials(60, 1)
    history = History(ADDITIVE.space)
    for number, (params, value) in enumerate(whole):
        history.append(number, params, "COMPLETE", value)
    history.append(60, whole[0][0], "PRUNED", 99.0)
    assert importance(ADDITIVE.space, history) == importance(ADDITIVE.space, whole)


def test_the_same_seed_gives_the_same_and_the_global_numbers_stay():
    trials = ADDITIVE.trials(60, 1)
    before = np.random.get_state()[1].tolist()
    assert importance(ADDITIVE.space, trials, seed=3) == importance(ADDITIVE.space, trials, seed=3)
    assert importance(ADDITIVE.space, trials, seed=3) != importance(ADDITIVE.space, trials, seed=4)
    assert np.random.get_state()[1].tolist() == before


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="'shap' is no method of importance: choose one of fanova, ped_anova"):
        importance(ADDITIVE.space, ADDITIVE.trials(30, 0), method="shap")
    with pytest.raises(ParamsError, match="x1"):
        importance(ADDITIVE.space, [({"x1": 7.0, "x2": 0.1, "x3": 0.1, "x4": 0.1}, 1.0)])
