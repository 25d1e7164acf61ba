"""Whether the best strength of a regulariser moves with the size of the model, or of the training set.

At each size the trials are grouped by the regulariser's strength into cells of repeats or neighbours, at least REPEATS
a cell, and the best strength y is that of the cell with the best mean score. Then

    y = a + b log10(parameters) + c log10(training examples)

by least squares over the sizes, y being log10 of a penalty and the rate itself of a dropout. By the theory of ridge
regression with isotropic weights the best penalty of a mean loss is noise variance * p / (n * squared length of the
weights), so that b = 1 and c = -1; for a loss that is summed over the examples c = 0.
Networks need not follow it: what comes out is a measurement and no law.

Intervals are of a bootstrap within the cells, whose residuals are widened by sqrt(n / (n - 1)), since cells are small
(Davison & Hinkley 1997, section 3.2), and to whose optimum a draw from the width of its cell is added, since a grid
tells it no better. Seeds that all cells of a size have are drawn together: what they share moves no optimum. A size at
which the strength makes no difference beyond chance (an F test on ranks at 5 %, Conover & Iman 1981) has no optimum
that a fit could use: the best of cells that are all alike is one at random.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]

REPEATS = 3  # trials in a cell
CELLS = 3  # strengths at a size
SIZES = 3
TINY = 1e-6
MOST_CELLS = 8
MOST_SIZES = 6
CHANCE = 0.05
RESAMPLES = 1_000
TAILS = (2.5, 97.5)  # percent
SPAN = {"log": 1.0, "linear": 0.1}  # of the strengths tried: a decade, a tenth of the units
AXES = ("parameters", "examples")
TIED = (
    "The model and the training set grow together among these trials, so that nobody can tell which of the two moves "
    "the best strength: vary one of them alone."
)


class Run(NamedTuple):
    """One trained trial: its strength, its score (lower is better), its sizes, None where they are not known, and what
    it shares its chance with, such as its seed; None: with no other."""

    strength: float
    loss: float
    parameters: float | None
    examples: float | None
    seed: int | None = None


@dataclass(frozen=True)
class Cell:
    """Trials of one size and about one strength, in the order of their seeds."""

    strength: float
    losses: tuple[float, ...]
    seeds: tuple[int | None, ...] = ()

    @property
    def mean(self) -> float:
        return math.fsum(self.losses) / len(self.losses)


@dataclass(frozen=True)
class Size:
    """One size of model and training set, and its best strength.

    sizes: by axis, the geometric mean over its trials. low, high: the interval of the best strength. edge: "low" or
    "high" where the best cell is the first or the last one tried, so that the optimum may lie beyond, else "". told:
    whether the strength makes a difference here beyond chance.
    """

    sizes: dict[str, float]
    cells: tuple[Cell, ...]
    best: float
    low: float
    high: float
    edge: str
    told: bool

    @property
    def trials(self) -> int:
        return sum(len(cell.losses) for cell in self.cells)


@dataclass(frozen=True)
class Slope:
    """By how much the best strength moves for a factor of ten along an axis: decades, or units of a dropout rate."""

    axis: str
    value: float
    low: float
    high: float

    @property
    def claimed(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Strengths:
    """The best strengths at all sizes, smallest first, and the slopes; `problem` is why there are none, a sentence.

    scale: "log" or "linear". intercept: of the fit, with the slopes in the order of the axes.
    """

    scale: str
    axes: tuple[str, ...] = ()
    sizes: tuple[Size, ...] = ()
    slopes: tuple[Slope, ...] = ()
    intercept: float | None = None
    problem: str = ""

    def line(self, axis: str) -> tuple[float, float] | None:
        """Intercept and slope over log10 of one axis, the others at the middle of their sizes; None without a claim."""
        slopes = {slope.axis: slope for slope in self.slopes}
        if self.intercept is None or axis not in slopes or not slopes[axis].claimed:
            return None
        told = [size for size in self.sizes if size.told]
        others = math.fsum(
            slope.value * math.log10(_middle([size.sizes[name] for size in told]))
            for name, slope in slopes.items()
            if name != axis
        )
        return self.intercept + others, slopes[axis].value


def best_strengths(runs: Sequence[Run], *, scale: str, seed: int = 0) -> Strengths:
    """The best strength at each size among these runs, and how it moves with the sizes.

    scale: "log" for a penalty, whose strengths are above 0; "linear" for a dropout rate. Runs whose numbers are not
    finite, or that have a strength of 0 on a log scale, are left out.
    """
    runs = [run for run in runs if _counts(run, scale)]
    bins = {axis: _bins(runs, axis) for axis in AXES}
    axes = tuple(axis for axis in AXES if len(set(bins[axis])) >= SIZES)
    if problem := _no_design(runs, axes, scale):
        return Strengths(scale, axes, problem=problem)
    members: dict[tuple[int, ...], list[Run]] = {}
    for index, run in enumerate(runs):
        members.setdefault(tuple(bins[axis][index] for axis in axes), []).append(run)
    rng = np.random.default_rng(seed)
    found, draws = [], []
    for place in sorted(members):
        cells = _cells(members[place], scale)
        if len(cells) >= CELLS:
            sizes = {axis: _middle([getattr(run, axis) for run in members[place]]) for axis in axes}
            size, drawn = _optimum(sizes, cells, scale, rng)
            found.append(size)
            draws.append(drawn)
    if problem := _no_optima(found):
        return Strengths(scale, axes, tuple(found), problem=problem)
    told = [place for place, size in enumerate(found) if size.told]
    across = np.array([[1.0, *(math.log10(found[place].sizes[axis]) for axis in axes)] for place in told])
    if np.linalg.matrix_rank(across - across.mean(axis=0), tol=TINY) < len(axes):
        return Strengths(scale, axes, tuple(found), problem=TIED)
    solve = np.linalg.pinv(across)
    fitted = solve @ np.array([on_scale(found[place].best, scale) for place in told])
    spread = solve @ np.array([draws[place] for place in told])  # (1 + axes, RESAMPLES)
    slopes = [
        Slope(axis, float(fitted[row]), *map(float, np.percentile(spread[row], TAILS)))
        for row, axis in enumerate(axes, start=1)
    ]
    return Strengths(scale, axes, tuple(found), tuple(slopes), float(fitted[0]))


def _no_design(runs: Sequence[Run], axes: Sequence[str], scale: str) -> str:
    """Why no size can be compared with another, in a sentence; empty where some can."""
    places = [on_scale(run.strength, scale) for run in runs]
    if not places or max(places) - min(places) < SPAN[scale] - TINY:
        least = "a factor of ten" if scale == "log" else f"{SPAN[scale]:g}"
        return f"The strength was hardly varied among these trials: it has to span {least} at least."
    if not axes:
        return (
            f"Neither the model nor the training set has {SIZES} different sizes among these trials, as a slope needs."
        )
    return ""


def _no_optima(sizes: Sequence[Size]) -> str:
    """Why these sizes give no slope, in a sentence; empty where they do."""
    told = [size for size in sizes if size.told]
    if len(sizes) < SIZES:
        return (
            f"Too few trials: {len(sizes)} of at least {SIZES} sizes have {CELLS} strengths with {REPEATS} trials each."
        )
    if len(told) < SIZES:
        return (
            f"At {len(sizes) - len(told)} of {len(sizes)} sizes the strength makes no difference that could be told "
            f"from chance, and a slope needs {SIZES} where it does: run more trials, or search a wider range."
        )
    if all(size.edge for size in told):
        return "At every size the best strength lies at an end of the range that was searched: extend the range."
    return ""


def _counts(run: Run, scale: str) -> bool:
    return math.isfinite(run.loss) and math.isfinite(run.strength) and (scale == "linear" or run.strength > 0)


def on_scale(strength: float, scale: str) -> float:
    return math.log10(strength) if scale == "log" else strength


def off_scale(value: float, scale: str) -> float:
    return float(10**value) if scale == "log" else value


def _middle(values: Sequence[float]) -> float:
    """The geometric mean."""
    return float(10 ** (math.fsum(map(math.log10, values)) / len(values)))


def _bins(runs: Sequence[Run], axis: str) -> list[int]:
    """For each run the number of its size along an axis: of few sizes each, else equal parts of their logarithm.

    All 0 where a run does not know its size.
    """
    sizes = [getattr(run, axis) for run in runs]
    if not sizes or any(size is None or size <= 0 for size in sizes):
        return [0] * len(runs)
    distinct = sorted(set(sizes))
    if len(distinct) <= MOST_SIZES:
        return [distinct.index(size) for size in sizes]
    least, most = math.log10(distinct[0]), math.log10(distinct[-1])
    count = min(MOST_SIZES, max(SIZES, len(runs) // (REPEATS * (CELLS + 2))))
    return [min(count - 1, int(count * (math.log10(size) - least) / (most - least))) for size in sizes]


def _cells(runs: Sequence[Run], scale: str) -> tuple[Cell, ...]:
    """The runs of one size by strength, weakest first: repeats of each where there are enough, else neighbours."""
    runs = sorted(runs, key=lambda run: run.strength)
    by_strength: dict[float, list[Run]] = {}
    for run in runs:
        by_strength.setdefault(run.strength, []).append(run)
    repeated = [group for group in by_strength.values() if len(group) >= REPEATS]
    if len(repeated) < CELLS:
        count = min(MOST_CELLS, len(runs) // REPEATS)
        ends = [len(runs) * place // max(1, count) for place in range(count + 1)]
        repeated = [runs[start:end] for start, end in pairwise(ends)]
    cells = []
    for group in repeated:
        middle = math.fsum(on_scale(run.strength, scale) for run in group) / len(group)
        group = sorted(group, key=lambda run: run.seed or 0)
        cells.append(Cell(off_scale(middle, scale), tuple(run.loss for run in group), tuple(run.seed for run in group)))
    return tuple(cells)


def _optimum(
    sizes: dict[str, float], cells: tuple[Cell, ...], scale: str, rng: np.random.Generator
) -> tuple[Size, Array]:
    """The best strength of one size, and RESAMPLES bootstrapped ones on the scale."""
    places = np.array([on_scale(cell.strength, scale) for cell in cells])
    best = int(np.argmin([cell.mean for cell in cells]))
    means = np.empty((len(cells), RESAMPLES))
    same = _share_seeds(cells)
    drawn = rng.integers(len(cells[0].losses), size=(RESAMPLES, len(cells[0].losses)))
    for row, cell in enumerate(cells):
        n = len(cell.losses)
        residuals = math.sqrt(n / (n - 1)) * (np.array(cell.losses) - cell.mean)
        rows = drawn if same else rng.integers(n, size=(RESAMPLES, n))  # seeds that all cells have are drawn together
        means[row] = cell.mean + residuals[rows].mean(axis=1)
    chosen = means.argmin(axis=0)
    edges = np.concatenate([places[:1], (places[:-1] + places[1:]) / 2, places[-1:]])
    edges[0], edges[-1] = 2 * places[0] - edges[1], 2 * places[-1] - edges[-2]
    if scale == "linear":
        edges = np.maximum(edges, 0.0)  # no rate is below 0
    optima = edges[chosen] + rng.random(RESAMPLES) * (edges[chosen + 1] - edges[chosen])
    low, high = (off_scale(float(end), scale) for end in np.percentile(optima, TAILS))
    edge = "low" if best == 0 else "high" if best == len(cells) - 1 else ""
    return Size(sizes, cells, cells[best].strength, low, high, edge, _differ(cells)), optima


def _share_seeds(cells: Sequence[Cell]) -> bool:
    return len({cell.seeds for cell in cells}) == 1 and None not in cells[0].seeds


def _differ(cells: Sequence[Cell]) -> bool:
    """Whether the losses of the cells differ beyond chance."""
    losses = [loss for cell in cells for loss in cell.losses]
    if _share_seeds(cells):  # less what a seed adds to every strength alike
        table = np.array([cell.losses for cell in cells])
        losses = (table - table.mean(axis=0)).ravel().tolist()
    ranks = scipy.stats.rankdata(losses)
    if np.ptp(ranks) == 0:
        return False
    parts = np.split(ranks, np.cumsum([len(cell.losses) for cell in cells])[:-1])
    if all(np.ptp(part) == 0 for part in parts):
        return True
    return bool(scipy.stats.f_oneway(*parts).pvalue < CHANCE)
