"""What an importance is: numbers for each parameter, with the question that they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Curve:
    """The mean value along one parameter, the others averaged over the whole space, and its spread over the trees.

    `numeric` is False for a list of choices. Lists of one length, in the order of the parameter's coordinate.
    """

    name: str
    numeric: bool
    log: bool
    places: list[float]  # the values' coordinates, from 0 to 1: a log scale's are even in the logarithm
    values: list[Any]
    mean: list[float]
    std: list[float]


@dataclass(frozen=True)
class PairMap:
    """The mean value over two parameters, the others averaged: mean[i][j] at x[i] and y[j]."""

    names: tuple[str, str]
    x: list[Any]
    y: list[Any]
    mean: list[list[float]]


@dataclass(frozen=True)
class Idle:
    """What says that a parameter does not matter, as shares of the variance; `spread`: see `idle.spread_of`."""

    name: str
    n: int
    main: float
    pairs: float
    permutation: float
    r2: float
    spread: float


@dataclass(frozen=True)
class Importance:
    """How much each parameter matters, by one method; `reason` says why there are no numbers where there are none.

    main      by parameter; for "fanova" raw shares of the variance, which need not add up to 1
    std       the spread of main over trees, or over repeated shuffles
    pairs     ("fanova") what two parameters do together beyond what each does alone
    active    the share of trials in which a conditional parameter takes part
    within    ("fanova") the share of a conditional parameter in the variance of those configurations that have it
    hidden    conditional parameters that too few trials have, and in how many they take part
    r2        out-of-bag R² of the forest, None where there is none
    """

    method: str
    question: str
    n: int
    main: Mapping[str, float] = field(default_factory=dict)
    std: Mapping[str, float] = field(default_factory=dict)
    pairs: Mapping[tuple[str, str], float] = field(default_factory=dict)
    r2: float | None = None
    active: Mapping[str, float] = field(default_factory=dict)
    within: Mapping[str, float] = field(default_factory=dict)
    hidden: Mapping[str, int] = field(default_factory=dict)
    signs: Mapping[str, int] = field(default_factory=dict)  # "correlation": 1 rises with it, -1 falls, 0 neither
    curves: tuple[Curve, ...] = ()
    maps: tuple[PairMap, ...] = ()
    idle: tuple[Idle, ...] = ()  # ("fanova", along with "permutation") those that may be held at one value
    reason: str = ""

    @property
    def remainder(self) -> float | None:
        """The share of the variance that no parameter and no pair explains; None for methods without shares."""
        if self.method != "fanova" or self.reason:
            return None
        return max(0.0, 1.0 - sum(self.main.values()) - sum(self.pairs.values()))
