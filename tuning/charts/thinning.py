"""Fewer points with the same outline: what a chart may leave out without anybody seeing a difference.

M4 aggregation: Jugel, Jerzak, Hackenbroich and Markl, "M4: A Visualization-Oriented Time Series Data
Aggregation", VLDB 2014. Each bucket of neighbouring points keeps its first, last, lowest and highest.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

Point = TypeVar("Point")

MAX_POINTS = 2000


def thinned(points: Sequence[Point], values: Sequence[float], limit: int = MAX_POINTS) -> list[Point]:
    """At most `limit` (at least 4) of `points`, in order, keeping the outline of the finite `values`.

    Raises ValueError when the two sequences differ in length or `limit` is below 4.
    """
    if len(points) != len(values):
        raise ValueError(f"points and values must have one length, not {len(points)} and {len(values)}")
    if limit < 4:
        raise ValueError(f"limit is {limit}: a bucket keeps four points, so it must be at least 4")
    if len(points) <= limit:
        return list(points)
    buckets = limit // 4
    edges = [index * len(points) // buckets for index in range(buckets + 1)]
    kept: set[int] = set()
    for start, end in pairwise(edges):
        inside = range(start, end)
        kept |= {start, end - 1, min(inside, key=values.__getitem__), max(inside, key=values.__getitem__)}
    return [points[index] for index in sorted(kept)]
