"""Limits on a model: how people write them, how they are said, and what counts as above."""

import pytest

from tuning.constraints import above_words, constraints_of, count_words, limit_text, read_limit


@pytest.mark.parametrize(
    ("name", "given", "limit"),
    [
        ("parameters", 100_000, 100_000),
        ("parameters", 1e5, 100_000),
        ("parameters", "100,000", 100_000),
        ("parameters", " 2.5 M ", 2_500_000),
        ("parameters", "120k", 120_000),
        ("flops", "1e9", 10**9),
        ("flops", "3 G", 3 * 10**9),
        ("memory", "2 GB", 2 * 10**9),
        ("memory", "512MiB", 512 * 2**20),
        ("memory", 1000, 1000),
    ],
)
def test_limits_are_read_as_people_write_them(name, given, limit):
    assert read_limit(name, given) == limit
    assert read_limit(name, limit_text(name, limit)) == limit


@pytest.mark.parametrize("given", [0, -1, True, "many", "2 GB", float("nan"), float("inf"), None, [], 0.5, "1e99"])
def test_what_is_no_limit_is_refused_with_an_example(given):
    with pytest.raises(ValueError, match="no limit of parameters; give a number above 0, such as 100000"):
        read_limit("parameters", given)


def test_memory_wants_a_unit_of_memory():
    with pytest.raises(ValueError, match="give a size with its unit, such as 2 GB"):
        read_limit("memory", "2 G")


def test_a_constraint_is_above_zero_where_the_count_is_above_its_limit():
    counts = {"parameters": 150, "memory": 10, "flops": 4}
    assert constraints_of({"flops": 4, "parameters": 100}, counts) == [0.5, 0.0]
    assert constraints_of({"memory": 40}, counts) == [-0.75]
    assert constraints_of({}, counts) == []


def test_counts_are_said_with_their_unit():
    assert count_words("parameters", 93_248) == "93,248 parameters"
    assert count_words("memory", 2_113_000_000) == "2.11 GB of memory"
    assert count_words("memory", 1500) == "1.5 KB of memory"
    assert count_words("flops", 631_808) == "632 kFLOPs for one example"
    assert count_words("flops", 12) == "12 FLOPs for one example"


def test_each_limit_that_is_passed_is_named_with_its_count():
    limits = {"parameters": 50_000, "memory": 2 * 10**9, "flops": 10**6}
    counts = {"parameters": 93_248, "memory": 10**9, "flops": 3 * 10**6}
    assert above_words(limits, counts) == (
        "93,248 parameters, 1.86 times the limit of 50,000; 3 MFLOPs for one example, 3 times the limit of 1 M"
    )
