"""Acquisition functions of a Gaussian posterior, for minimisation: how much a trial there promises.

Glossary; everything broadcasts, so any shapes that numpy broadcasts together will do:

    mean, sd   the posterior of the latent loss at a point, sd >= 0
    best       the loss to improve on
    z          (best - mean) / sd
    phi, Phi   density and distribution function of the standard normal
    h(z)       phi(z) + z Phi(z), so that EI = sd h(z)

All are to be maximised. `log_expected_improvement` is LogEI of Ament, Daulton, Eriksson, Balandat & Bakshy,
"Unexpected Improvements to Expected Improvement for Bayesian Optimization", NeurIPS 2023 (arXiv 2310.20708),
eq. 9: EI itself is 0 in double precision below z = -38, and its maximiser on such a plateau is arbitrary.
Each `_and_slopes` returns (value, d value / d mean, d value / d sd) for gradient search.
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Slopes = tuple[Array, Array, Array]

C1 = math.log(2 * math.pi) / 2
C2 = math.log(math.pi / 2) / 2
FAR = -1 / math.sqrt(np.finfo(np.float64).eps)  # about -6.7e7: from here on h(z) = phi(z) / z^2 to a double


def log_h(z: ArrayLike) -> Array:
    """log(phi(z) + z Phi(z)); absolute error below 1e-9 for -20 <= z <= 5, relative below 1e-8 beyond.

    Finite for every finite z down to -1e150; NaN stays NaN.
    """
    z = np.asarray(z, dtype=np.float64)
    near = np.maximum(z, -1.0)
    value = np.log(np.exp(-near * near / 2 - C1) + near * scipy.special.ndtr(near))
    below = z <= -1.0
    if below.any():
        low = z[below]
        middle = np.maximum(low, FAR)
        # log(1 - exp(x)) for x <= 0, which is log(1 - sqrt(pi / 2) |z| erfcx(|z| / sqrt(2)))
        inner = np.log(scipy.special.erfcx(-middle / math.sqrt(2)) * -middle) + C2
        tail = np.where(low > FAR, np.log(-np.expm1(np.minimum(inner, -1e-300))), -2 * np.log(-low))
        value = np.array(value)
        value[below] = -low * low / 2 - C1 + tail
    return value


def expected_improvement(mean: ArrayLike, sd: ArrayLike, best: ArrayLike) -> Array:
    """EI = E[max(best - f, 0)]; max(best - mean, 0) where sd is 0. Underflows to 0 below z = -38."""
    return np.exp(log_expected_improvement(mean, sd, best))


def log_expected_improvement(mean: ArrayLike, sd: ArrayLike, best: ArrayLike) -> Array:
    """log EI; finite and rising in z down to z = -1e4 and far below; -inf only where sd is 0 and mean >= best."""
    mean, sd, best = (np.asarray(x, dtype=np.float64) for x in (mean, sd, best))
    sure = sd == 0
    scale = np.where(sure, 1.0, sd)
    with np.errstate(divide="ignore"):
        certain = np.log(np.maximum(best - mean, 0.0))
    return np.where(sure, certain, log_h((best - mean) / scale) + np.log(scale))


def log_expected_improvement_and_slopes(mean: ArrayLike, sd: ArrayLike, best: ArrayLike) -> Slopes:
    """log EI for sd > 0. d EI / d mean = -Phi(z), d EI / d sd = phi(z)."""
    mean, sd, best = (np.asarray(x, dtype=np.float64) for x in (mean, sd, best))
    z = (best - mean) / sd
    h = log_h(z)
    return h + np.log(sd), -np.exp(scipy.special.log_ndtr(z) - h) / sd, np.exp(-z * z / 2 - C1 - h) / sd


def probability_of_improvement(mean: ArrayLike, sd: ArrayLike, best: ArrayLike) -> Array:
    """PI = Phi(z); where sd is 0, 1 for mean < best and else 0."""
    mean, sd, best = (np.asarray(x, dtype=np.float64) for x in (mean, sd, best))
    sure = sd == 0
    return np.where(sure, np.where(mean < best, 1.0, 0.0), scipy.special.ndtr((best - mean) / np.where(sure, 1.0, sd)))


def log_probability_of_improvement_and_slopes(mean: ArrayLike, sd: ArrayLike, best: ArrayLike) -> Slopes:
    """log PI for sd > 0; finite down to z = -1e150."""
    mean, sd, best = (np.asarray(x, dtype=np.float64) for x in (mean, sd, best))
    z = (best - mean) / sd
    log_pi = scipy.special.log_ndtr(z)
    ratio = np.exp(-z * z / 2 - C1 - log_pi) / sd  # phi(z) / Phi(z) / sd
    return log_pi, -ratio, -z * ratio


def confidence_bound(mean: ArrayLike, sd: ArrayLike, kappa: float) -> Array:
    """kappa sd - mean: the upper confidence bound of the negative loss (Srinivas et al., ICML 2010)."""
    return kappa * np.asarray(sd, dtype=np.float64) - np.asarray(mean, dtype=np.float64)


def confidence_bound_and_slopes(mean: ArrayLike, sd: ArrayLike, kappa: float) -> Slopes:
    """The confidence bound, for every sd."""
    value = confidence_bound(mean, sd, kappa)
    return value, np.full(value.shape, -1.0), np.full(value.shape, float(kappa))
