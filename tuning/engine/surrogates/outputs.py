"""From losses to targets that a Gaussian process can model, and back.

Losses of training runs are skewed and have outliers: one diverged run of 1e9 among values around 0.1 leaves
nothing of the differences that matter. So losses are clipped above at CLIP robust deviations over the median, put
through the power transform of Yeo & Johnson, Biometrika 87 (2000), with the exponent of greatest likelihood,
as in HEBO (Cowen-Rivers et al., JAIR 74, 2022), and standardised. The map is monotone: better stays better.
Measured on nine problems with 8 seeds: without the power transform the mean score at 25 trials is 0.06 lower,
at 50 about the same.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]

CLIP = 5.0  # robust standard deviations above the median
EXPONENTS = (-4.0, 1.0)  # 1 is the identity; larger ones would blur the differences between the best


class OutputTransform:
    """The map of losses (n,), at least one, all finite, fitted to them."""

    def __init__(self, losses: Array) -> None:
        # Scaled first, so that squares of large losses do not overflow and those of tiny ones do not vanish.
        self._unit = max(float(np.abs(losses).max()), 1e-290)
        scaled = losses / self._unit
        self._ceiling = _ceiling(scaled)
        kept = np.minimum(scaled, self._ceiling)
        self._differ = bool(np.ptp(kept) > 1e-12)
        self._centre, self._spread = _moments(kept)
        z = (kept - self._centre) / self._spread
        self.exponent = _likeliest_exponent(z) if self.varied else 1.0
        t = yeo_johnson(z, self.exponent)
        self._shift, self._width = _moments(t)

    @property
    def varied(self) -> bool:
        """Whether the losses differ, beyond rounding, so that there is something to model."""
        return self._differ

    def forward(self, losses: Array) -> Array:
        """Targets (n,) of losses (n,); of the losses fitted to, mean 0 and standard deviation 1 (or all 0)."""
        z = (np.minimum(losses / self._unit, self._ceiling) - self._centre) / self._spread
        return (yeo_johnson(z, self.exponent) - self._shift) / self._width

    def backward(self, targets: Array) -> Array:
        """Losses (n,) of targets (n,), up to the clipping; targets beyond any loss give the limit."""
        z = yeo_johnson_inverse(self._shift + self._width * targets, self.exponent)
        return self._unit * (self._centre + self._spread * z)


def _ceiling(losses: Array) -> float:
    """The loss above which all count as equally bad: CLIP deviations over the median, by the better half.

    The better half alone measures the spread, so that not even many bad losses can widen it; at least the
    best quarter to median distance is kept.
    """
    middle = float(np.median(losses))
    better = losses[losses <= middle]
    spread = (middle - float(np.quantile(better, 0.5))) / 0.6745
    if spread <= 0:
        spread = middle - float(losses.min())
    if spread <= 0:
        return float(np.max(losses)) if np.ptp(losses) == 0 else float(np.min(losses[losses > middle]))
    return middle + CLIP * spread


def _moments(values: Array) -> tuple[float, float]:
    mean = float(values.mean())
    deviation = float(np.sqrt(np.mean((values - mean) ** 2)))
    return mean, deviation if deviation > 0 else 1.0


def yeo_johnson(z: Array, exponent: float) -> Array:
    """The transform of Yeo & Johnson for an exponent below 2; rising, 0 at 0 with slope 1."""
    above, below = np.maximum(z, 0.0), np.minimum(z, 0.0)
    positive = np.log1p(above) if abs(exponent) < 1e-9 else np.expm1(exponent * np.log1p(above)) / exponent
    other = 2.0 - exponent
    return positive - np.expm1(other * np.log1p(-below)) / other


def yeo_johnson_inverse(t: Array, exponent: float) -> Array:
    """The inverse; beyond the transform's limit at a negative exponent, the inverse of the limit."""
    above, below = np.maximum(t, 0.0), np.minimum(t, 0.0)
    if abs(exponent) < 1e-9:
        positive = np.expm1(above)
    else:
        positive = np.expm1(np.log(np.maximum(1.0 + exponent * above, 1e-12)) / exponent)
    other = 2.0 - exponent
    return positive - np.expm1(np.log1p(-other * below) / other)


def _likeliest_exponent(z: Array) -> float:
    """The exponent of greatest likelihood under a normal distribution, within EXPONENTS."""
    jacobian = float((np.sign(z) * np.log1p(np.abs(z))).sum())

    def loss(exponent: float) -> float:
        variance = float(np.var(yeo_johnson(z, exponent)))
        return 0.5 * len(z) * np.log(max(variance, 1e-300)) - (exponent - 1.0) * jacobian

    return float(scipy.optimize.minimize_scalar(loss, bounds=EXPONENTS, method="bounded", options={"xatol": 1e-3}).x)
