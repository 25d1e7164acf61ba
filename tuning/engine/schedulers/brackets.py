"""The arithmetic of successive halving and Hyperband, in whole numbers.

Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar, JMLR 18(185), 2018, Algorithm 1, with n = ceil((s_max + 1) eta^s /
(s + 1)). A logarithm in floating point loses the largest bracket where the ratio of the resources is a power of eta
(log(243) / log(3) is 4.99...), and eta ** -i loses members of a rung, so neither is used.
"""

from __future__ import annotations

from collections.abc import Sequence


def highest_bracket(min_resource: int, max_resource: int, eta: int) -> int:
    """s_max: how often the resource can be multiplied by eta from min_resource on without passing max_resource."""
    s = 0
    while min_resource * eta ** (s + 1) <= max_resource:
        s += 1
    return s


def rung_resources(max_resource: int, eta: int, s: int) -> tuple[int, ...]:
    """The resources of the s + 1 rungs of bracket s, rising; the last one is max_resource.

    Whole numbers also where max_resource is no power of eta: max_resource eta^i / eta^s, rounded down.
    """
    return tuple(max_resource * eta**i // eta**s for i in range(s + 1))


def bracket_size(s_max: int, s: int, eta: int) -> int:
    """How many trials start in bracket s of Hyperband: ceil((s_max + 1) eta^s / (s + 1))."""
    return -(-(s_max + 1) * eta**s // (s + 1))


def rung_sizes(n: int, eta: int, s: int) -> tuple[int, ...]:
    """How many of n trials run to each of the s + 1 rungs: n / eta^i, rounded down, and at least 1."""
    return tuple(max(n // eta**i, 1) for i in range(s + 1))


def resource_used(sizes: Sequence[int], resources: Sequence[int]) -> int:
    """The resource of a bracket in all, where a promoted trial goes on from where it stood."""
    below = (0, *resources[:-1])
    return sum(n * (high - low) for n, low, high in zip(sizes, below, resources, strict=True))
