"""Input warping: numeric coordinates through the distribution function of Kumaraswamy, whose shape is learned.

Snoek, Swersky, Zemel & Adams, "Input Warping for Bayesian Optimization of Non-Stationary Functions", ICML 2014. A
learning curve over a parameter often falls steeply in one part of its range and is flat in the rest; no single length
scale suits both. w(x) = 1 - (1 - x^a)^b stretches the one and squeezes the other; a = b = 1 is the identity.

Measured on sixteen problems, 6 seeds, fitted from 15 observations on: the score at 25 trials is 0.05 lower (standard
error 0.02), at 50 the same (+0.01, 0.03). So it is an option, and off: log scales and the transform of the values do
most of its work already, and its two numbers a parameter cost observations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EDGE = 1e-6  # coordinates nearer to 0 or 1 count as this far away: the slopes there may be infinite


def warped(x: Array, log_shape: Array) -> Array:
    """w(x) for x (n, w) in [0, 1] and log_shape (2, w), the logarithms of a and b: (n, w), rising in x."""
    a, b = np.exp(log_shape)
    return -np.expm1(b * np.log1p(-(_inside(x) ** a)))


def warped_and_slopes(x: Array, log_shape: Array) -> tuple[Array, Array, Array]:
    """w (n, w), and its slopes by x (n, w) and by the two log shapes (2, n, w)."""
    a, b = np.exp(log_shape)
    x = _inside(x)
    power = x**a
    rest = np.log1p(-power)
    kept = np.exp(b * rest)  # (1 - x^a)^b
    by_power = b * kept / (1.0 - power)
    return 1.0 - kept, by_power * a * power / x, np.stack([by_power * power * a * np.log(x), -b * kept * rest])


def _inside(x: Array) -> Array:
    return np.clip(x, EDGE, 1.0 - EDGE)
