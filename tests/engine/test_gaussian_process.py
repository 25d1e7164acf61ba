"""The Gaussian process against hand computation, scikit-learn and finite differences; and what surrounds it:
axes, observations, the output transform."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from tuning.engine.surrogates.gaussian_process import (
    LOG_ELL,
    LOG_NOISE,
    LOG_SCALE,
    GaussianProcess,
    Hyperparameters,
    LogPosterior,
    default_hyperparameters,
    fit,
    matern52,
    matern52_and_slope,
)

LOWER, UPPER = np.array([LOG_ELL] * 3 + [LOG_SCALE, LOG_NOISE]).T


def sample(n, m, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.random((n, m))
    y = np.sin(5 * X[:, 0]) + 0.3 * X.sum(axis=1) + 0.05 * rng.standard_normal(n)
    return X, (y - y.mean()) / y.std()


def test_matern_by_hand():
    """At the distance 1 / sqrt(5): (1 + 1 + 1/3) / e."""
    assert matern52(np.array(0.2)) == pytest.approx(7 / 3 / np.e, rel=1e-14)
    assert matern52(np.array(0.0)) == 1.0
    r2 = np.array([0.0, 1e-8, 0.3, 4.0])
    value, slope = matern52_and_slope(r2)
    np.testing.assert_allclose(value, matern52(r2), rtol=1e-15)
    np.testing.assert_allclose(slope[1:], (matern52(r2 + 1e-9) - matern52(r2 - 1e-9))[1:] / 2e-9, rtol=1e-4)
    assert slope[0] == pytest.approx(-5 / 6)


def test_a_posterior_of_two_points_by_hand():
    """Two observations 1 apart, a query in the middle: 2 x 2 inverses on paper."""
    hyper = Hyperparameters(np.array([0.5]), 2.0, 0.1)
    gp = GaussianProcess(np.array([[0.0], [1.0]]), np.array([1.0, -3.0]), np.array([0]), hyper)
    far, near = 2 * matern52(np.array(4.0)), 2 * matern52(np.array(1.0))
    a, b = 2.1, float(far)
    determinant = a * a - b * b
    expected_mean = near * (a - b) / determinant * (1.0 - 3.0)
    expected_variance = 2.0 - near * near * 2 * (a - b) / determinant
    mean, variance = gp.posterior(np.array([[0.5]]))
    assert mean[0] == pytest.approx(expected_mean, rel=1e-12)
    assert variance[0] == pytest.approx(expected_variance, rel=1e-12)
    np.testing.assert_allclose(gp.fitted(), gp.posterior(gp.X)[0], rtol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_posterior_as_scikit_learn(seed):
    X, y = sample(40, 3, seed)
    query = np.random.default_rng(seed + 100).random((25, 3))
    hyper = Hyperparameters(np.array([0.3, 0.8, 2.0]), 1.7, 1e-2)
    kernel = ConstantKernel(1.7) * Matern(hyper.ell, nu=2.5)
    theirs = GaussianProcessRegressor(kernel, alpha=1e-2, optimizer=None).fit(X, y)
    expected_mean, expected_covariance = theirs.predict(query, return_cov=True)
    gp = GaussianProcess(X, y, np.arange(3), hyper)
    mean, variance = gp.posterior(query)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(variance, np.diag(expected_covariance), rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(gp.covariance(query), expected_covariance, atol=1e-9)


def test_differences_of_the_log_posterior_without_priors_are_scikit_learns():
    """The prior is a function of theta alone, so it drops out between two sets of targets."""
    X, y = sample(30, 2)
    other = np.random.default_rng(9).standard_normal(30)
    hyper = Hyperparameters(np.array([0.4, 1.1]), 1.3, 0.02)
    kernel = ConstantKernel(1.3) * Matern(hyper.ell, nu=2.5) + WhiteKernel(0.02)

    def theirs(y):
        model = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(X, y)
        return model.log_marginal_likelihood(model.kernel_.theta)

    def ours(y):
        return LogPosterior(X, y, np.arange(2), 2)(hyper.theta())[0]

    assert ours(y) - ours(other) == pytest.approx(theirs(y) - theirs(other), rel=1e-9)


@pytest.mark.parametrize(("n", "m", "columns"), [(2, 1, []), (12, 3, []), (40, 6, []), (12, 3, [0, 2]), (2, 1, [0])])
def test_the_gradient_of_the_log_posterior_against_finite_differences(n, m, columns):
    X, y = sample(n, m, seed=m)
    density = LogPosterior(X, y, np.arange(m), m, np.array(columns, dtype=np.int64))
    theta = np.random.default_rng(1).normal(-0.5, 0.7, m + 2 + 2 * len(columns))
    _, gradient = density(theta)
    step = 1e-6
    for j in range(len(theta)):
        shift = np.zeros(len(theta))
        shift[j] = step
        numeric = (density(theta + shift)[0] - density(theta - shift)[0]) / (2 * step)
        assert gradient[j] == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_columns_that_share_an_axis_share_its_length_scale():
    """A categorical axis of three columns: the gradient by its one length scale, and equal distances."""
    rng = np.random.default_rng(3)
    choice = rng.integers(3, size=20)
    X = np.column_stack([rng.random(20), np.eye(3)[choice] * np.sqrt(0.5)])
    owner = np.array([0, 1, 1, 1])
    density = LogPosterior(X, rng.standard_normal(20), owner, 2)
    theta = np.array([-0.3, 0.2, 0.1, -3.0])
    _, gradient = density(theta)
    shift = np.array([0.0, 1e-6, 0.0, 0.0])
    numeric = (density(theta + shift)[0] - density(theta - shift)[0]) / 2e-6
    assert gradient[1] == pytest.approx(numeric, rel=1e-5)


@pytest.mark.parametrize("columns", [[], [0, 2]])
def test_the_pullback_of_the_posterior_against_finite_differences(columns):
    X, y = sample(15, 3)
    rng = np.random.default_rng(4)
    shape = rng.normal(0, 0.5, (2, len(columns)))
    hyper = Hyperparameters(np.array([0.3, 0.7, 1.5]), 1.2, 0.01, shape)
    gp = GaussianProcess(X, y, np.arange(3), hyper, np.array(columns, dtype=np.int64))
    query, by_mean, by_variance = rng.random((4, 3)), rng.standard_normal(4), rng.standard_normal(4)

    def total(query):
        mean, variance = gp.posterior(query)
        return (mean * by_mean).sum() + (variance * by_variance).sum()

    mean, variance, pullback = gp.posterior_with_pullback(query)
    np.testing.assert_allclose(mean, gp.posterior(query)[0], rtol=1e-12)
    np.testing.assert_allclose(variance, gp.posterior(query)[1], rtol=1e-9)
    gradient = pullback(by_mean, by_variance)
    for i, j in np.ndindex(query.shape):
        shift = np.zeros(query.shape)
        shift[i, j] = 1e-6
        assert gradient[i, j] == pytest.approx((total(query + shift) - total(query - shift)) / 2e-6, rel=1e-4, abs=1e-6)


def test_the_fit_ends_where_the_gradient_vanishes_and_finds_the_axis_that_matters():
    rng = np.random.default_rng(0)
    X = rng.random((60, 3))
    y = np.sin(6 * X[:, 1])
    y = (y - y.mean()) / y.std()
    hyper = fit(X, y, np.arange(3), 3, [default_hyperparameters(3)])
    assert hyper.ell[1] < 0.7 * min(hyper.ell[0], hyper.ell[2])
    assert hyper.noise < 1e-3
    start = LogPosterior(X, y, np.arange(3), 3)(default_hyperparameters(3).theta())[0]
    end, gradient = LogPosterior(X, y, np.arange(3), 3)(hyper.theta())
    assert end > start + 10
    inside = (hyper.theta() > LOWER + 1e-9) & (hyper.theta()[:] < UPPER - 1e-9)
    assert np.abs(gradient[inside]).max() < 0.1


def test_noise_is_learned():
    rng = np.random.default_rng(0)
    X = rng.random((100, 1))
    clean = np.sin(5 * X[:, 0])
    for deviation in (0.1, 0.5):
        y = clean / clean.std() + deviation * rng.standard_normal(100)
        hyper = fit(X, y - y.mean(), np.arange(1), 1, [default_hyperparameters(1)])
        assert 0.5 * deviation < np.sqrt(hyper.noise) < 1.5 * deviation


def test_repeated_points_without_noise_still_factorise():
    X = np.repeat(np.random.default_rng(0).random((5, 2)), 10, axis=0)
    gp = GaussianProcess(X, np.ones(50), np.arange(2), Hyperparameters(np.ones(2), 1.0, 0.0))
    mean, variance = gp.posterior(X[:1])
    assert mean[0] == pytest.approx(1.0, abs=1e-3)
    assert variance[0] >= 0


def test_coordinates_that_are_no_numbers_are_refused():
    X = np.array([[0.1], [np.nan]])
    with pytest.raises(FloatingPointError, match="finite"):
        GaussianProcess(X, np.ones(2), np.arange(1), Hyperparameters(np.ones(1), 1.0, 0.1))
