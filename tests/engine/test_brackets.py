"""The arithmetic of brackets against fractions, the published tables and the traps of logarithms."""

import itertools
from fractions import Fraction
from math import ceil, floor

import pytest

from tuning.engine.schedulers.brackets import (
    bracket_size,
    highest_bracket,
    resource_used,
    rung_resources,
    rung_sizes,
)
from tuning.engine.schedulers.hyperband import Hyperband


def by_fractions(R, eta, r=1):
    """Algorithm 1 in exact fractions, written without looking at the other: [(s, n, [n_i], [r_i])]."""
    s_max = max(s for s in range(64) if Fraction(R, r) >= Fraction(eta) ** s)
    found = []
    for s in range(s_max, -1, -1):
        n = ceil(Fraction(s_max + 1, s + 1) * eta**s)
        sizes = [max(1, floor(Fraction(n, eta**i))) for i in range(s + 1)]
        found.append((s, n, sizes, [floor(Fraction(R, eta ** (s - i))) for i in range(s + 1)]))
    return found


@pytest.mark.parametrize("eta", [2, 3, 4, 5])
def test_every_table_up_to_a_thousand(eta):
    for R in range(1, 1001):
        table = by_fractions(R, eta)
        s_max = highest_bracket(1, R, eta)
        assert s_max == table[0][0]
        for s, n, sizes, resources in table:
            assert bracket_size(s_max, s, eta) == n
            assert list(rung_sizes(n, eta, s)) == sizes
            found = rung_resources(R, eta, s)
            assert list(found) == resources
            assert found[-1] == R
            assert found[0] >= 1
            assert len(set(found)) == len(found)


def by_counting(R, eta):
    """Algorithm 1 in whole numbers, by search alone: no power, no division and nothing of the engine's."""
    powers = [1]
    while powers[-1] * eta <= R:
        powers.append(powers[-1] * eta)
    found = []
    for s in reversed(range(len(powers))):
        n = next(n for n in itertools.count(1) if n * (s + 1) >= len(powers) * powers[s])
        sizes = [n]
        for power in powers[1 : s + 1]:
            sizes.append(next((m for m in range(sizes[-1], 0, -1) if m * power <= n), 1))
        resources = [R]
        for power in powers[1 : s + 1]:
            resources.insert(0, next(r for r in range(resources[0], 0, -1) if r * power <= R))
        found.append((s, tuple(zip(sizes, resources, strict=True))))
    return found


@pytest.mark.parametrize("eta", [2, 3, 4, 5])
def test_every_plan_of_hyperband_up_to_a_thousand(eta):
    for R in range(1, 1001):
        plan = Hyperband(1, R, eta).plan(None)
        table = by_counting(R, eta)
        assert [(bracket.bracket, bracket.rungs) for bracket in plan.brackets] == table
        assert plan.trials == sum(rungs[0][0] for _s, rungs in table)


@pytest.mark.parametrize(("r", "R", "eta"), [(3, 81, 3), (2, 100, 3), (7, 1000, 2), (10, 10, 4), (4, 243, 5)])
def test_tables_with_a_least_resource(r, R, eta):
    table = by_fractions(R, eta, r)
    assert highest_bracket(r, R, eta) == table[0][0]
    for s, _n, _sizes, resources in table:
        assert list(rung_resources(R, eta, s)) == resources
        assert resources[0] >= r


@pytest.mark.parametrize(
    ("R", "eta", "starts", "restarted", "resumed"),
    [
        (81, 3, [81, 34, 15, 8, 5], 1902, 1581),
        (27, 3, [27, 12, 6, 4], 423, 357),
        (16, 4, [16, 6, 3], 136, 124),
        (9, 3, [9, 5, 3], 78, 69),
        (64, 4, [64, 22, 8, 4], 1000, 884),
        (243, 3, [243, 98, 41, 18, 9, 6], 8457, 6831),
        (8, 2, [8, 6, 4, 4], 128, 98),
        (1, 3, [1], 1, 1),
        (2, 3, [1], 2, 2),
    ],
)
def test_published_tables(R, eta, starts, restarted, resumed):
    s_max = highest_bracket(1, R, eta)
    brackets = range(s_max, -1, -1)
    assert [bracket_size(s_max, s, eta) for s in brackets] == starts
    tables = [(rung_sizes(n, eta, s), rung_resources(R, eta, s)) for s, n in zip(brackets, starts, strict=True)]
    assert sum(resource_used(*table) for table in tables) == resumed
    assert sum(n * r for sizes, resources in tables for n, r in zip(sizes, resources, strict=True)) == restarted


@pytest.mark.parametrize(("R", "eta", "s_max"), [(243, 3, 5), (3**10, 3, 10), (1000, 10, 3), (10**9, 10, 9), (2, 3, 0)])
def test_where_a_logarithm_loses_a_bracket(R, eta, s_max):
    assert highest_bracket(1, R, eta) == s_max


def test_no_member_is_lost_to_a_fraction():
    assert rung_sizes(729, 3, 6) == (729, 243, 81, 27, 9, 3, 1)  # int(729 * 3.0**-6) is 0
