"""Made learning curves with what makes early stopping hard: curves that cross, and trials that start late.

A grid of 4 parameters, 6 x 5 x 4 x 4 = 480 configurations, 81 epochs, three seeds of noise. `rate` is how fast a
configuration learns; the three others say where it ends. `crossing`: what learns slowly ends lower, so that the early
order is the reverse of the last one along this parameter. `slow_start`: nothing is learned for a while, the longer the
lower the rate, and then fast. `parallel`: the early order is the last one, but for the noise.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

EPOCHS = 81
Array = NDArray[np.float64]
NODES: dict[str, tuple[int, ...]] = {
    "rate": tuple(range(6)),
    "width": tuple(range(5)),
    "decay": tuple(range(4)),
    "noise": tuple(range(4)),
}


def _grid() -> list[Array]:
    """Each parameter of every configuration, from 0 to 1, (480, 1) each."""
    rows = np.array(list(itertools.product(*NODES.values())), dtype=np.float64)
    return [column[:, None] / (len(values) - 1) for column, values in zip(rows.T, NODES.values(), strict=True)]


def _noisy(curves: Array, spread: Array, seed: int) -> Array:
    """Three seeds of each curve (480, epochs): a level of its own for each, and noise from epoch to epoch."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0.0, 1.0, (len(curves), 3, 1))
    steps = rng.normal(0.0, 1.0, (len(curves), 3, EPOCHS))
    noisy: Array = curves[:, None, :] + spread[:, None] * (0.5 * level + steps)
    return noisy


def _bowl(width: Array, decay: Array, noise: Array) -> Array:
    bowl: Array = 0.1 + (width - 0.62) ** 2 + 0.5 * (decay - 0.3) ** 2 + 0.2 * (noise - 0.7) ** 2 + 0.3 * width * decay
    return bowl


def crossing() -> Array:
    rate, width, decay, noise = _grid()
    tau = 2.0 + 10.0 * (1 - rate)
    asymptote = _bowl(width, decay, noise) + 0.25 * (rate - 0.2) ** 2 + 0.12 * rate
    epochs = np.arange(1, EPOCHS + 1)
    return _noisy(asymptote + 0.9 * np.exp(-epochs / tau), 0.006 + 0 * width, 1)


def slow_start() -> Array:
    rate, width, decay, noise = _grid()
    delay = 8.0 * (1 - rate) * (0.4 + width)
    asymptote = _bowl(width, decay, noise) + 0.3 * (rate - 0.45) ** 2
    epochs = np.arange(1, EPOCHS + 1)
    return _noisy(asymptote + 0.9 / (1 + np.exp((epochs - delay) / 2.5)), 0.006 + 0 * width, 2)


def parallel() -> Array:
    rate, width, decay, noise = _grid()
    asymptote = _bowl(width, decay, noise) + 0.4 * (rate - 0.7) ** 2
    epochs = np.arange(1, EPOCHS + 1)
    return _noisy(asymptote + 0.9 * np.exp(-epochs / 8.0), 0.02 + 0 * width, 3)


FAMILIES = {"crossing": crossing, "slow_start": slow_start, "parallel": parallel}
