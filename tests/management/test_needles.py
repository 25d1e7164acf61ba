"""A number is found however it was written, and another number is not taken for it."""

import json
import struct

import pytest

from tuning.management.needles import TELLING_DIGITS, is_telling, search_for
from tuning.services.seal_audit import unusual_numbers

SIZE, SCORE, STORED = 6.02847193e44, 0.7390518264193551, 0.8125934713


@pytest.fixture
def search():
    return search_for([(SIZE, "size"), (SCORE, "score")], [(STORED, "stored"), (0.5, "half")])


@pytest.mark.parametrize(
    "text",
    [
        f"{SIZE}",
        f"{SIZE:.2e}",
        f"{SIZE:.4g}",
        "6.028e44",
        f"{SIZE:.0f}",
        f"{SIZE:,.0f}",
        json.dumps([1, SIZE]),
        f"-{SIZE}",
    ],
)
def test_a_size_that_nothing_else_has_is_found_in_any_rounding(search, text):
    assert search.found_in(f'<td title="{text}">'.encode()) == {"size"}


def test_a_planted_number_is_found_at_any_length_also_where_a_format_drops_zeros_at_the_end():
    for _ in range(200):
        planted = unusual_numbers()
        search = search_for([(value, name) for name, value in planted.items()], [])
        for name, fewest in (("test/seal_audit", TELLING_DIGITS), ("test/seal_audit_size", 3)):
            for digits in range(fewest, 18):
                text = f"{planted[name]:.{digits}g}"
                assert search.found_in(text.encode()) == {name}, text


@pytest.mark.parametrize("text", [f"{SCORE}", f"{SCORE:.7f}", json.dumps({"a": [1, SCORE]}, separators=(",", ":"))])
def test_a_score_is_found_with_many_digits(search, text):
    assert search.found_in(text.encode()) == {"score"}


@pytest.mark.parametrize("text", [f"{STORED}", f"{STORED:.7f}", f"{STORED:.6e}", f"[3,{STORED}]"])
def test_a_stored_value_is_found_with_seven_digits(search, text):
    assert search.found_in(text.encode()) == {"stored"}


@pytest.mark.parametrize(("value", "name"), [(SIZE, "size"), (SCORE, "score"), (STORED, "stored")])
@pytest.mark.parametrize("order", "<>")
def test_binary_forms_are_found(search, value, name, order):
    assert search.found_in(b"\x00" + struct.pack(order + "d", value) + b"\x01") == {name}


def test_other_numbers_are_not(search):
    others = "0.5 0.50000 0.8125935 0.81259 6.03 44 1e44 6.028 0.7391 0.739052"
    assert search.found_in(others.encode()) == {"stored"}  # 0.8125935 is the stored value at seven digits
    assert search.found_in(b"0.8125936 0.81259 0.5 7.39") == set()


def test_a_number_tells_something_by_its_digits():
    assert [is_telling(value) for value in (0.5, 0.90625, 0.7390518264, 0.0, float("inf"), 123456789.25)] == [
        False, False, True, False, False, True,
    ]  # fmt: skip
