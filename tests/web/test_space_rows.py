"""Rows of a search space: written, read back, put in order; problems beside their fields."""

from typing import Any

import pytest

from tuning.engine import SearchSpace
from tuning.web.forms.rows import (
    read_choices,
    read_condition,
    read_number,
    written_choices,
    written_condition,
    written_number,
)
from tuning.web.forms.space import SpaceRows, initial_rows, parents_first

SPACE: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True, "annotation": "learning_rate"},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "layers": {"type": "int", "low": 1, "high": 4},
    "units_2": {"type": "int", "low": 16, "high": 512, "log": True,
                "when": {"layers": {"low": 2}, "optimizer": ["sgd"]}},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7, "prior": {"name": "normal", "mu": 0.3, "sigma": 0.1}},
    "mix": {"type": "float", "low": 0.0, "high": 1.0, "prior": {"name": "beta", "a": 2.0, "b": 5.0}},
    "width": {"type": "float", "low": 0.25, "high": 2.0, "step": 0.25},
    "augment": {"type": "categorical", "choices": ["none", "shift"], "weights": [1, 3]},
    "odd": {"type": "categorical", "choices": ["1", 1, True, None, "a, b", "x=y", 0.5, ""]},
    "shape": {"type": "categorical", "choices": [[1, 2], {"a": 1}, "plain"]},
    "batch": {"type": "constant", "value": 64},
    "label": {"type": "constant", "value": "64"},
}  # fmt: skip


def posted(rows: list[dict[str, str]], **more: str) -> dict[str, str]:
    data = {"form-TOTAL_FORMS": str(len(rows)), "form-INITIAL_FORMS": "0"}
    for index, row in enumerate(rows):
        data |= {f"form-{index}-{name}": value for name, value in {"kind": "float", "scale": "uniform", **row}.items()}
    return {**data, **more}


def rows_of(*rows: dict[str, str], **more: str) -> Any:
    formset = SpaceRows(posted(list(rows), **more))
    formset.is_valid()
    return formset


def errors_of(formset: Any) -> list[dict[str, list[str]]]:
    return [{name: list(texts) for name, texts in form.errors.items()} for form in formset.forms]


def test_every_form_of_parameter_survives_the_rows() -> None:
    rows = rows_of(*initial_rows(SPACE))
    document = rows.check()
    assert document is not None, errors_of(rows)
    assert list(document) == list(SPACE)
    assert SearchSpace.from_json(document) == SearchSpace.from_json(SPACE)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-5, "1e-5"), (0.1, "0.1"), (0.0, "0"), (2.0, "2"), (16, "16"), (1.5e-7, "1.5e-7"), (None, "")],
)
def test_numbers_are_written_as_people_write_them(value: Any, text: str) -> None:
    assert written_number(value) == text
    if text:
        assert read_number(text) == value


def test_what_is_no_number_is_said() -> None:
    with pytest.raises(ValueError, match="'ten' is not a number; write it like"):
        read_number("ten")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("sgd, adamw", ["sgd", "adamw"]),
        ("16, 32", [16, 32]),
        ('"16", 32', ["16", 32]),
        ('"a, b", c', ["a, b", "c"]),
        ("true, false, null", [True, False, None]),
        ("[1, 2], x", ["[1", "2]", "x"]),
        ('[[1, 2], "x"]', [[1, 2], "x"]),
        ("a,,b,", ["a", "b"]),
        ("", []),
    ],
)
def test_choices_are_read(text: str, values: list[Any]) -> None:
    assert read_choices(text) == values


def test_choices_are_written_so_that_they_are_read_back() -> None:
    for choices in (["sgd", "adamw"], ["1", 1, True, "a, b", "", " x "], [[1], "a"], ['say "hi"', "a;b"]):
        assert read_choices(written_choices(choices)) == choices


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("optimizer = sgd", {"optimizer": ["sgd"]}),
        ("optimizer=sgd, adamw", {"optimizer": ["sgd", "adamw"]}),
        ("layers = 2..4", {"layers": {"low": 2, "high": 4}}),
        ("layers = 2..", {"layers": {"low": 2}}),
        ("lr = ..1e-3", {"lr": {"high": 1e-3}}),
        ("layers = 2..4; optimizer = sgd", {"layers": {"low": 2, "high": 4}, "optimizer": ["sgd"]}),
        ('name = "a;b"', {"name": ["a;b"]}),
        ("", {}),
    ],
)
def test_conditions_are_read_and_written(text: str, when: dict[str, Any]) -> None:
    assert read_condition(text) == when
    assert read_condition(written_condition(when)) == when


def test_a_condition_without_a_value_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="is no condition; write it like optimizer = sgd"):
        read_condition("optimizer")


def test_parents_come_first_whatever_the_order_of_the_rows() -> None:
    entries: dict[str, Any] = {
        "momentum": {"when": {"optimizer": ["sgd"]}},
        "nesterov": {"when": {"momentum": {"low": 0.5}}},
        "lr": {},
        "optimizer": {},
    }
    assert list(parents_first(entries)) == ["lr", "optimizer", "momentum", "nesterov"]
    circle = {"a": {"when": {"b": [1]}}, "b": {"when": {"a": [1]}}}
    assert set(parents_first(circle)) == {"a", "b"}


def test_the_engine_s_complaint_stands_beside_its_field() -> None:
    rows = rows_of({"name": "lr", "low": "0.5", "high": "0.1"}, {"name": "opt", "kind": "categorical"})
    assert rows.check() is None
    first, second = errors_of(rows)
    assert list(first) == ["high"]
    assert "0.1 is below low, 0.5" in first["high"][0]
    assert list(second) == ["choices"]


def test_a_scale_s_complaint_stands_beside_the_scale() -> None:
    rows = rows_of(
        {"name": "d", "low": "0", "high": "1", "scale": "normal", "prior_first": "0.3", "prior_second": "-1"}
    )
    assert rows.check() is None
    assert list(errors_of(rows)[0]) == ["scale"]


def test_what_cannot_be_read_stands_beside_its_field_and_blames_nobody_else() -> None:
    rows = rows_of(
        {"name": "layers", "kind": "int", "low": "one", "high": "4"},
        {"name": "units", "kind": "int", "low": "1", "high": "4", "condition": "layers = 2.."},
    )
    assert rows.check() is None
    assert errors_of(rows) == [{"low": ["'one' is not a number; write it like 0.01, 1e-4 or 16."]}, {}]


def test_a_name_is_needed_once() -> None:
    rows = rows_of(
        {"low": "0", "high": "1"}, {"name": "a", "low": "0", "high": "1"}, {"name": "a", "low": "0", "high": "2"}
    )
    assert rows.check() is None
    assert errors_of(rows) == [
        {"name": ["Give the parameter a name."]},
        {},
        {"name": ["There is already a parameter named a; choose another name."]},
    ]


def test_removed_and_empty_rows_count_for_nothing() -> None:
    rows = rows_of(
        {"name": "lr", "low": "0", "high": "1"}, {"name": "broken", "low": "x"}, {}, **{"form-1-DELETE": "on"}
    )
    assert list(rows.check() or {}) == ["lr"]


def test_no_row_at_all_is_said_above_the_rows() -> None:
    rows = rows_of()
    assert rows.check() is None
    assert "empty" in rows.non_form_errors()[0]


def test_what_another_kind_left_behind_is_ignored() -> None:
    rows = rows_of({"name": "opt", "kind": "categorical", "choices": "a, b", "low": "rubbish", "scale": "log"})
    assert rows.check() == {"opt": {"type": "categorical", "choices": ["a", "b"]}}


def test_missing_numbers_are_asked_for_in_the_page_s_own_words() -> None:
    rows = rows_of(
        {"name": "lr"},
        {"name": "wd", "scale": "normal", "prior_first": "0"},
        {"name": "n", "kind": "int", "low": "1"},
    )
    assert rows.check() is None
    first, second, third = rows.kept()
    assert first.errors == {"low": ["Give the lowest value."], "high": ["Give the highest value."]}
    assert second.errors == {"prior_second": ["Give the spread."]}
    assert third.errors == {"high": ["Give the highest value."]}


def test_every_wrong_row_is_named_at_once() -> None:
    rows = rows_of(
        {"name": "lr", "low": "abc", "high": "1"},
        {"name": "a name", "low": "0", "high": "1", "condition": "nobody = 3"},
        {"name": "child", "low": "0", "high": "1", "condition": "lr = 0.5"},
    )
    assert rows.check() is None
    unread, orphan, child = rows.kept()
    assert list(unread.errors) == ["low"]
    assert "nobody" in str(orphan.errors["condition"])
    assert child.errors == {}  # its parent is there, only not readable yet


def test_an_empty_space_asks_for_a_parameter() -> None:
    rows = rows_of()
    assert rows.check() is None
    assert rows.non_form_errors() == ["The search space is empty: add a parameter."]
