"""Bandwidths of a Parzen estimator: each kernel as wide as its distance to its neighbours, within limits.

Bergstra, Bardenet, Bengio & Kégl, NIPS 2011, §4.2 and its implementations: in each dimension a kernel's
bandwidth is the larger of the gaps to its left and right neighbour, clipped to [1 / min(100, n + 2), 1] of
the range ("magic clip"; n + 2 counts the observations, the prior's kernel and one more).

Glossary: n observations, d dimensions; u (n, d) their coordinates in [0, 1], NaN where a parameter is absent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST = 100  # kernels beyond which the least bandwidth shrinks no more


def neighbour_bandwidths(
    u: NDArray[np.float64], *, narrowing: float = 1.0, consider_endpoints: bool = False
) -> NDArray[np.float64]:
    """The bandwidths (n, d) of kernels at u (n, d), NaN where u is.

    narrowing: a factor on the least bandwidth. consider_endpoints: whether the ends of the range count as
    neighbours of the outermost kernels; a lone kernel has no others.
    """
    n = len(u)
    if n == 0:
        return np.empty_like(u)
    columns = np.ascontiguousarray(u.T)  # sorting along contiguous memory is several times faster
    order = np.argsort(columns, axis=1, kind="stable")  # NaN comes last
    counts = np.count_nonzero(~np.isnan(columns), axis=1)
    edges = np.ones((len(columns), n + 2))
    edges[:, 0] = 0.0
    edges[:, 1:-1] = np.take_along_axis(columns, order, axis=1)
    edges[np.isnan(edges)] = 1.0
    gaps = np.diff(edges, axis=1)
    widths = np.maximum(gaps[:, :-1], gaps[:, 1:])
    if not consider_endpoints:
        several = np.flatnonzero(counts >= 2)
        last = counts[several] - 1
        widths[several, 0] = gaps[several, 1]
        widths[several, last] = gaps[several, last]
    least = narrowing / np.minimum(MOST, counts + 2)
    widths = np.clip(widths, least[:, None], 1.0)
    bandwidths = np.empty_like(widths)
    np.put_along_axis(bandwidths, order, widths, axis=1)
    return np.where(np.isnan(u), np.nan, bandwidths.T)
