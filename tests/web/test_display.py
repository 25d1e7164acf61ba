"""How values look on a page."""

import math
from datetime import timedelta

import pytest
from django.utils import timezone

from tuning.web.templatetags.display import (
    ago,
    duration,
    evidence,
    headline,
    number,
    paragraphs,
    param,
    params,
    pill,
    took,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.24152771579393834, "0.2415"),
        (0.0682, "0.06820"),
        (12.0, "12.00"),
        (1234.56, "1235"),
        (0.0, "0.000"),
        (0.000123456, "0.0001235"),
        (1.5e-5, "1.500e-5"),
        (-2.5e7, "-2.500e7"),
        (27, "27"),
        (100_000, "100,000"),
        (None, "–"),
        (math.nan, "not a number"),
        (-math.inf, "−∞"),
        ("adamw", "adamw"),
    ],
)
def test_numbers_have_four_significant_digits(value: object, expected: str) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0031415926, "0.003142"),
        (0.00031415926, "3.142e-4"),
        (1e-5, "1e-5"),
        (0.5, "0.5"),
        (64.0, "64"),
        (120.0, "120"),
        (250_000.0, "2.5e5"),
        (64, "64"),
        ("sgd", "sgd"),
        (True, "true"),
        (None, "null"),
        ([1, "a"], '[1, "a"]'),
    ],
)
def test_parameters_are_as_short_as_four_digits_allow(value: object, expected: str) -> None:
    assert param(value) == expected


def test_a_configuration_is_a_line() -> None:
    assert params({"lr": 0.0031415926, "optimizer": "adamw", "layers": 2}) == "lr 0.003142, optimizer adamw, layers 2"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"), (0.0004, "0.01 s"), (0.031, "0.03 s"), (0.43, "0.4 s"), (41, "41 s"), (89, "89 s"),
        (90, "2 min"), (360, "6 min"), (3600, "1 h"), (7800, "2 h 10 min"), (86_400, "1 d"), (100_000, "1 d 4 h"),
        (None, "–"),
    ],
)  # fmt: skip
def test_durations_have_a_unit_that_fits(seconds: float | None, expected: str) -> None:
    assert duration(seconds) == expected


def test_evidence_is_words_and_what_json_has_no_number_for_is_told() -> None:
    assert evidence({"loss": 0.12345, "runs": [1, None]}) == "loss 0.1235, runs 1, not finite"


def test_a_moment_is_told_by_its_distance_and_keeps_the_exact_time() -> None:
    assert ">just now<" in ago(timezone.now())
    answer = ago(timezone.now() - timedelta(minutes=14))
    assert ">14 min ago<" in answer
    assert "title=" in answer
    assert ago(None) == "–"


def test_what_still_runs_is_timed_until_now() -> None:
    class Thing:
        started = timezone.now() - timedelta(seconds=41)
        completed = None

    class Waiting:
        started = None

    assert took(Thing()) == "41 s"
    assert took(Waiting()) == "–"


def test_a_pill_always_has_a_word_and_is_escaped() -> None:
    assert pill("RUNNING") == '<span class="pill pill--running">running</span>'
    assert "<b>" not in pill("failed", "<b>")


def test_docstrings_become_paragraphs_without_their_source_wrapping() -> None:
    assert paragraphs("One\nline.\n\n`two` <b>") == "<p>One line.</p><p><code>two</code> &lt;b&gt;</p>"


def test_a_finding_has_a_headline() -> None:
    assert headline("2 trials diverged. Lower lr to 0.1.") == "2 trials diverged"
