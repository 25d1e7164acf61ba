"""The grid: its size by counting, its order, its numbers; conditions without duplicates."""

import itertools
import time

import pytest
from hypothesis import given, settings

from tests.engine.spaces import spaces
from tuning.engine import SearchSpace, SpaceError
from tuning.engine.values import identity

BOOL = {"type": "categorical", "choices": [False, True]}


def test_product_order_varies_the_last_parameter_fastest():
    space = SearchSpace.from_json(
        {
            "a": {"type": "int", "low": 1, "high": 2},
            "b": {"type": "categorical", "choices": list("xyz")},
        }
    )
    assert [tuple(params.values()) for params in space.grid()] == list(itertools.product([1, 2], "xyz"))
    assert space.grid_size() == 6


def test_a_condition_leaves_no_duplicates():
    space = SearchSpace.from_json(
        {
            "optimizer": {"type": "categorical", "choices": ["sgd", "adamw", "lion"]},
            "momentum": {"type": "float", "low": 0, "high": 0.9, "step": 0.3, "when": {"optimizer": ["sgd"]}},
            "nesterov": {**BOOL, "when": {"momentum": {"low": 0.3}}},
            "batch": {"type": "constant", "value": 64},
        }
    )
    # sgd: momentum 0 without nesterov, 0.3 0.6 0.9 with two each; adamw and lion one each
    assert space.grid_size() == 1 + 3 * 2 + 2
    configurations = list(space.grid())
    assert len({identity(params) for params in configurations}) == 9
    assert configurations[:2] == [
        {"optimizer": "sgd", "momentum": 0.0, "batch": 64},
        {"optimizer": "sgd", "momentum": 0.3, "nesterov": False, "batch": 64},
    ]


def test_an_infinite_space_has_no_grid_and_says_what_to_do():
    space = SearchSpace.from_json(
        {"lr": {"type": "float", "low": 0, "high": 1}, "k": BOOL, "x": {"type": "float", "low": 0, "high": 1}}
    )
    assert space.grid_size() is None
    with pytest.raises(SpaceError) as caught:
        space.grid()
    assert [(issue.parameter, issue.field) for issue in caught.value.errors] == [
        ("lr", "step"),
        ("x", "step"),
    ]
    assert "give it a step" in caught.value.errors[0].message


def test_sizes_that_nobody_could_list_are_counted_exactly_and_at_once():
    document = {f"n{k}": {"type": "int", "low": 1, "high": 2**40} for k in range(8)}
    document |= {f"b{k}": BOOL for k in range(40)}
    document |= {f"c{k}": {"type": "int", "low": 1, "high": 9, "when": {f"b{k}": [True]}} for k in range(40)}
    document["deep"] = {**BOOL, "when": {"n0": {"low": 2**39 + 1}, "n1": {"high": 1}}}
    start = time.perf_counter()
    space = SearchSpace.from_json(document)
    n = 2**40
    # without deep: everything; where n0 is in its upper half and n1 is 1, once more
    assert space.grid_size() == (n**2 + n // 2) * n**6 * 10**40
    rank = space.grid_size() * 2 // 3
    params = space.lattice.unrank(rank)
    assert space.contains(params)
    assert space.lattice.rank(params) == rank
    assert next(space.grid()) == space.lattice.unrank(0)
    assert time.perf_counter() - start < 5


def test_one_child_of_many_parents_is_counted():
    document = {f"b{k}": BOOL for k in range(60)}
    document["child"] = {"type": "int", "low": 1, "high": 5, "when": {f"b{k}": [True] for k in range(60)}}
    assert SearchSpace.from_json(document).grid_size() == 2**60 - 1 + 5


def test_entangled_conditions_are_refused_with_the_order_that_helps():
    links = {f"c{k}": {**BOOL, "when": {f"b{k}": [True], f"b{k + 1}": [True]}} for k in range(40)}
    apart = {f"b{k}": BOOL for k in range(41)} | links
    with pytest.raises(SpaceError, match="next after its parents"):
        SearchSpace.from_json(apart).grid_size()
    together = {"b0": BOOL}
    for k in range(40):
        together |= {f"b{k + 1}": BOOL, f"c{k}": links[f"c{k}"]}
    size = SearchSpace.from_json(together).grid_size()
    ways = {False: 1, True: 1}  # by the last b; c doubles where both are true
    for _ in range(40):
        ways = {False: ways[False] + ways[True], True: ways[False] + 2 * ways[True]}
    assert size == ways[False] + ways[True]


@given(spaces(finite=True, max_size=4))
@settings(max_examples=60, deadline=None)
def test_listing_counting_and_numbering_agree(space):
    configurations = list(itertools.islice(space.grid(), 2000))
    if len(configurations) < 2000:
        assert space.grid_size() == len(configurations)
    assert len({identity(params) for params in configurations}) == len(configurations)
    for rank, params in enumerate(configurations):
        assert identity(space.validate(params)) == identity(params)
        assert space.lattice.rank(params) == rank
        assert identity(space.lattice.unrank(rank)) == identity(params)


@pytest.mark.parametrize("rank", [-1, 2])
def test_numbers_outside_the_grid_are_refused(rank):
    with pytest.raises(IndexError, match="of 2"):
        SearchSpace.from_json({"b": BOOL}).lattice.unrank(rank)
