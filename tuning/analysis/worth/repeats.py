"""The noise of a seed, measured: how far apart values of one and the same configuration lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST = 4  # degrees of freedom below which a standard deviation is a guess


def noise_by_repeats(configurations: Sequence[Hashable], losses: Array) -> float | None:
    """The standard deviation of a value about its configuration's mean, pooled; None for too few repeats.

    Only configurations of the better half count: bad ones scatter more, and nobody chooses between them.
    """
    groups: dict[Hashable, list[float]] = defaultdict(list)
    for configuration, loss in zip(configurations, losses.tolist(), strict=True):
        groups[configuration].append(loss)
    middle = float(np.median(losses))
    repeated = [np.array(group) for group in groups.values() if len(group) > 1 and np.mean(group) <= middle]
    freedom = sum(len(group) - 1 for group in repeated)
    if freedom < FEWEST:
        return None
    return float(np.sqrt(sum(((group - group.mean()) ** 2).sum() for group in repeated) / freedom))
