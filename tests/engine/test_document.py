"""Reading the JSON form: every mistake is found, named, and comes with its remedy."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.spaces import JSON_VALUES, space_documents
from tuning.engine import SearchSpace, SpaceError

FLOAT = {"type": "float", "low": 0.0, "high": 1.0}
LAYERS = {"type": "int", "low": 1, "high": 4}
CHOICE = {"type": "categorical", "choices": ["sgd", "adamw"]}


def issues(document):
    with pytest.raises(SpaceError) as caught:
        SearchSpace.from_json(document)
    assert caught.value.errors, "a SpaceError names at least one issue"
    return caught.value.errors


# entry, the field at fault, what the message says is wrong, what it says would be right
MISTAKES = [
    ({**FLOAT, "high": math.inf}, "high", "inf is not finite", "a number between"),
    ({**FLOAT, "low": math.nan}, "low", "nan is not finite", "a number between"),
    ({**FLOAT, "high": 10**400}, "high", "not finite", "a number between"),
    ({**FLOAT, "low": 1.0}, "high", "1.0 is the same as low", "constant"),
    ({**FLOAT, "low": 2}, "high", "1.0 is below low, 2.0", "exchange"),
    ({**FLOAT, "log": True}, "low", "0.0 has no logarithm", "above 0"),
    ({"type": "float", "low": 0.1, "high": 1, "log": True, "step": 0.1}, "step", "log scale", "leave it out"),
    ({**FLOAT, "log": "yes"}, "log", '"yes"', "true nor false"),
    ({**FLOAT, "low": "1e-5"}, "low", '"1e-5" is text', "YAML reads 1e-5 as text, write 1.0e-5"),
    ({**FLOAT, "low": "1e5"}, "low", '"1e5" is text', "write 1.0e+5"),
    ({**FLOAT, "low": "0.25"}, "low", '"0.25" is text', "write 0.25 without quotes"),
    ({**FLOAT, "low": "much"}, "low", '"much" is text', "write a number"),
    ({**FLOAT, "low": "inf"}, "low", '"inf" is text', "a finite number"),
    ({**FLOAT, "low": False}, "low", "false is not a number", "write one"),
    ({**FLOAT, "low": [0]}, "low", "[0] is not a number", "write one"),
    ({"type": "float", "low": 0.0}, "high", "high is missing", "float with a prior"),
    ({**FLOAT, "step": 0.0}, "step", "0.0 is not above 0", "positive step"),
    ({**FLOAT, "step": 3.0}, "step", "3.0 is wider than the range, 1.0", "smaller"),
    ({**FLOAT, "step": 1e-15}, "step", "more than 2^40 values", "raise the step"),
    ({**FLOAT, "min": 0.0}, "min", '"min" is no field of float', 'write "low"'),
    ({**FLOAT, "hihg": 0.0}, "hihg", '"hihg" is no field of float', 'write "high"'),
    ({**FLOAT, "colour": 0.0}, "colour", '"colour" is no field of float', '"prior"'),
    ({**FLOAT, "choices": [1]}, "choices", '"choices" is no field of float', '"low"'),
    ({**FLOAT, "annotation": " "}, "annotation", '" "', "learning_rate"),
    ({**FLOAT, "annotation": 3}, "annotation", "3", "leave it out"),
    ({**FLOAT, "type": "number"}, "type", 'unknown type "number"', 'write "float"'),
    ({**FLOAT, "type": "floot"}, "type", 'unknown type "floot"', '"float", "int", "categorical", "constant"'),
    ({"low": 0.0}, "type", "missing", '"float"'),
    ({**FLOAT, "type": ["float"]}, "type", 'unknown type ["float"]', '"float"'),
    ({**LAYERS, "low": 1.5}, "low", "1.5 is not a whole number", "float"),
    ({**LAYERS, "high": 2**60}, "high", "2^53", "stay within"),
    ({"type": "int", "low": 1}, "high", "high is missing", "needs a low and a high"),
    ({**LAYERS, "step": 0}, "step", "0 is not above 0", "positive step"),
    ({**LAYERS, "step": 0.5}, "step", "0.5 is not a whole number", "float"),
    ({**LAYERS, "low": 0, "log": True}, "low", "0 has no logarithm", "1 for an int"),
    ({**LAYERS, "high": 2**50, "log": True}, "high", "beyond 2^40", "float"),
    ({**LAYERS, "high": 2**50}, "high", "more than 2^40 values", "narrow it"),
    ({"type": "categorical"}, "choices", "missing", '["sgd", "adamw"]'),
    ({"type": "categorical", "choices": []}, "choices", "empty", "at least one"),
    ({"type": "categorical", "choices": "sgd"}, "choices", '"sgd" is not a list', '["sgd", "adamw"]'),
    (
        {"type": "categorical", "choices": [1, 2, 1]},
        "choices",
        "1 stands there twice, as choice 1 and 3",
        "remove",
    ),
    ({"type": "categorical", "choices": [[1, {"a": 2}], [1, {"a": 2}]]}, "choices", "twice", "remove"),
    ({"type": "categorical", "choices": [math.nan]}, "choices", "choice 1 is not a finite number", "null"),
    ({**CHOICE, "weights": [1]}, "weights", "1 weights for 2 choices", "one for each"),
    ({**CHOICE, "weights": [1, -1]}, "weights", "weight 2, -1.0, is not above 0", "leave out a choice"),
    ({**CHOICE, "weights": [0, 1]}, "weights", "weight 1, 0.0, is not above 0", "leave out a choice"),
    ({**CHOICE, "weights": [1, "3"]}, "weights", 'weight 2, "3" is text', "write 3 without quotes"),
    ({**CHOICE, "weights": 3}, "weights", "3 is not a list", "[1, 3]"),
    ({"type": "constant"}, "value", "missing", "write"),
    ({"type": "constant", "value": [math.inf]}, "value", "not a finite number", "write"),
    ({**FLOAT, "prior": "normal"}, "prior", '"normal" is not an object', '"name": "normal"'),
    ({**FLOAT, "prior": {"name": "gauss"}}, "prior", 'unknown name "gauss"', '"uniform", "normal"'),
    ({**FLOAT, "prior": {"name": "normal", "mu": 0.3}}, "prior", "sigma is missing", "sigma"),
    ({**FLOAT, "prior": {"name": "beta", "a": 2, "b": 2, "c": 2}}, "prior", 'unknown key "c"', '"a", "b"'),
    (
        {**FLOAT, "prior": {"name": "normal", "mu": "1e-1", "sigma": 1}},
        "prior",
        'mu "1e-1" is text',
        "1.0e-1",
    ),
    ({**FLOAT, "prior": {"name": "normal", "mu": 0.3, "sigma": 0}}, "prior", "sigma 0.0", "above 0"),
    ({**FLOAT, "prior": {"name": "normal", "mu": 99, "sigma": 1}}, "prior", "billionth", "move the bounds"),
    ({**FLOAT, "prior": {"name": "beta", "a": 1e9, "b": 1}}, "prior", "too extreme", "stay within"),
    ({**FLOAT, "low": -1, "prior": {"name": "beta", "a": 2, "b": 2}}, "low", "on 0 to 1", "0.0 or more"),
    (
        {**FLOAT, "low": -1, "prior": {"name": "log_normal", "mu": 0, "sigma": 1}},
        "low",
        "above 0",
        "0.0 or more",
    ),
    (
        {
            "type": "float",
            "low": 0.1,
            "high": 1,
            "log": True,
            "prior": {"name": "log_normal", "mu": 0, "sigma": 1},
        },
        "log",
        "a prior brings its own scale",
        "leave log out",
    ),
    (
        {"type": "float", "prior": {"name": "log_normal", "mu": 0, "sigma": 99}},
        "prior",
        "beyond",
        "give a low",
    ),
    (
        {"type": "float", "high": 1, "step": 0.1, "prior": {"name": "normal", "mu": 0, "sigma": 1}},
        "low",
        "missing",
        "step",
    ),
    (
        {"type": "int", "high": 3, "prior": {"name": "normal", "mu": 0, "sigma": 1}},
        "low",
        "missing",
        "needs a low",
    ),
    (
        {"type": "int", "low": 0, "high": 2**30, "prior": {"name": "normal", "mu": 0, "sigma": 1e9}},
        "step",
        "too many for a prior",
        "raise the step",
    ),
    ("0..1", None, '"0..1"', "a parameter is an object"),
    (None, None, "null", "a parameter is an object"),
]


@pytest.mark.parametrize(("entry", "field", "wrong", "right"), MISTAKES)
def test_each_mistake_names_its_field_what_is_wrong_and_the_remedy(entry, field, wrong, right):
    (issue,) = issues({"fine": FLOAT, "x": entry})
    assert (issue.parameter, issue.field) == ("x", field)
    assert wrong in issue.message
    assert right in issue.message


@pytest.mark.parametrize("document", [None, 3, "x", [], [{"name": "x"}], {}, True])
def test_what_is_no_space_at_all_is_said_once(document):
    (issue,) = issues(document)
    assert (issue.parameter, issue.field) == (None, None)
    assert "search space" in issue.message


@pytest.mark.parametrize("name", ["", "1st", "a b", "lr\n", "é", "x" * 201, "-x"])
def test_names_that_cannot_be_written_everywhere_are_refused(name):
    (issue,) = issues({name: FLOAT})
    assert issue.parameter == name
    assert "name" in issue.message


@pytest.mark.parametrize("name", ["lr", "_x", "optimizer.lr", "beta-2", "A1"])
def test_usual_names_are_taken(name):
    assert SearchSpace.from_json({name: FLOAT}).names == (name,)


# the condition of z after: lr (continuous), k (int 1..4), s (stepped), o (categorical), b (categorical of numbers)
CONDITIONS = [
    ({"who": ["sgd"]}, 'no parameter "who"', "add it before"),
    ({"oo": ["sgd"]}, 'no parameter "oo"', "did you mean o?"),
    ({"later": [1]}, "later comes after z", "move later up"),
    ({"z": [1]}, "z cannot depend on itself", "another parameter"),
    ({"o": ["rmsprop"]}, 'o cannot take "rmsprop"', 'one of "sgd", "adamw"'),
    ({"o": ["sgd", "sgd"]}, '"sgd" stands twice', "remove one"),
    ({"o": []}, "[] is no condition on o", "list of values"),
    ({"o": "sgd"}, '"sgd" is no condition on o', '["sgd"]'),
    ({"o": {"low": 1}}, "o is never at least 1", '"sgd", "adamw"'),
    ({"b": [True]}, "b cannot take true", "one of 1, 2.0"),
    ({"k": [9]}, "k cannot take 9", "from 1 to 4"),
    ({"k": {"low": 5}}, "k is never at least 5", "from 1 to 4"),
    ({"k": {"low": 3, "high": 2}}, "low, 3, above its high, 2", "exchange"),
    ({"k": {}}, "range of k is empty", '"low"'),
    ({"k": {"min": 2}}, 'unknown key "min" in the range of k', '"low"'),
    ({"k": {"low": "2"}}, 'the low of k, "2" is text', "without quotes"),
    ({"k": {"low": True}}, "the low of k, true is not a number", "write one"),
    ({"k": {"high": math.inf}}, "not finite", "a number"),
    ({"s": [0.25]}, "s cannot take 0.25", "in steps of 0.5"),
    ({"s": {"low": 0.1, "high": 0.4}}, "s is never from 0.1 to 0.4", "in steps of 0.5"),
    ({"lr": [0.1]}, "continuous", '"low"'),
    ({"lr": {"high": -1}}, "lr is never at most -1", "from 0.0 to 1.0"),
    ("o", '"o" is no condition', '{"optimizer": ["sgd"]}'),
    ({}, "is no condition", "leave it out"),
    ([], "[] is no condition", "leave it out"),
]


@pytest.mark.parametrize(("when", "wrong", "right"), CONDITIONS)
def test_each_faulty_condition_says_what_is_wrong_and_the_remedy(when, wrong, right):
    document = {
        "lr": FLOAT,
        "k": LAYERS,
        "s": {**FLOAT, "step": 0.5},
        "o": CHOICE,
        "b": {"type": "categorical", "choices": [1, 2.0]},
        "z": {**FLOAT, "when": when},
        "later": FLOAT,
    }
    (issue,) = issues(document)
    assert (issue.parameter, issue.field) == ("z", "when")
    assert wrong in issue.message
    assert right in issue.message


def test_a_parameter_that_can_never_take_part_is_found_at_any_depth():
    document = {
        "o": CHOICE,
        "momentum": {**FLOAT, "when": {"o": ["sgd"]}},
        "nesterov": {
            "type": "categorical",
            "choices": [True, False],
            "when": {"momentum": {"low": 0.5}, "o": ["adamw"]},
        },
        "deeper": {**FLOAT, "when": {"nesterov": [True]}},
    }
    (issue,) = issues(document)
    assert (issue.parameter, issue.field) == ("nesterov", "when")
    assert "no value of o" in issue.message


def test_two_ranges_that_leave_nothing_contradict_each_other():
    document = {
        "lr": FLOAT,
        "a": {**FLOAT, "when": {"lr": {"high": 0.3}}},
        "b": {**FLOAT, "when": {"a": {"low": 0.5}, "lr": {"low": 0.4}}},
    }
    assert [issue.parameter for issue in issues(document)] == ["b"]
    document["b"]["when"]["lr"] = {"low": 0.3}
    assert SearchSpace.from_json(document).names == ("lr", "a", "b")


def test_all_issues_are_found_and_none_is_only_a_consequence():
    found = issues(
        {
            "lr": {"type": "float", "low": "1e-5", "high": math.inf, "lgo": True},
            "a b": {"type": "number"},
            "momentum": {**FLOAT, "when": {"lr": {"low": 0.1}}},
            "units": {"type": "int", "low": 3, "high": 3, "when": {"optimiser": [1]}},
        }
    )
    places = {(issue.parameter, issue.field) for issue in found}
    assert places == {
        ("lr", "low"), ("lr", "high"), ("lr", "lgo"),
        ("a b", None), ("a b", "type"),
        ("units", "when"), ("units", "high"),
    }  # fmt: skip


def test_the_error_reads_as_one_message():
    with pytest.raises(SpaceError, match=r"^x\.high: 1\.0 is below low, 2\.0: exchange the two$"):
        SearchSpace.from_json({"x": {**FLOAT, "low": 2}})


def test_true_and_1_and_one_point_zero_are_three_choices():
    space = SearchSpace.from_json(
        {"x": {"type": "categorical", "choices": [True, 1, 1.0, "1", None, [1], [1.0]]}}
    )
    kinds = [type(space.from_unit([(k + 0.5) / 7])["x"]) for k in range(7)]
    assert kinds == [bool, int, float, str, type(None), list, list]


def test_fields_that_equal_their_default_are_left_out_and_do_not_change_the_digest():
    plain = SearchSpace.from_json({"x": {"type": "int", "low": 1, "high": 4}})
    entry = {"step": 1, "type": "int", "low": 1.0, "high": 4, "log": False, "when": None}
    wordy = SearchSpace.from_json({"x": {**entry, "prior": {"name": "uniform"}}})
    assert wordy.to_json() == plain.to_json() == {"x": {"type": "int", "low": 1, "high": 4}}
    assert wordy.digest() == plain.digest()


def test_the_digest_is_pinned_and_depends_on_order_and_types():
    first = {"a": FLOAT, "b": {"type": "constant", "value": 1}}
    digest = SearchSpace.from_json(first).digest()
    # sha256 of [["a",{"high":1.0,"low":0.0,"type":"float"}],["b",{"type":"constant","value":1}]]
    assert digest == "a1c5422900ecfe46ba5dbc1435bbfce869ff65ec2fee018a070a0b877a93de7d"
    assert SearchSpace.from_json(dict(reversed(first.items()))).digest() != digest
    assert SearchSpace.from_json({**first, "b": {"type": "constant", "value": 1.0}}).digest() != digest


def test_reading_does_not_change_or_share_the_document():
    document = {
        "x": {"type": "categorical", "choices": [[1], {"a": [2]}]},
        "y": {**FLOAT, "when": {"x": [[1]]}},
    }
    before = json.dumps(document)
    space = SearchSpace.from_json(document)
    document["x"]["choices"][0].append(9)
    space.from_unit([0.0, 0.5])["x"].append(8)
    space.to_json()["x"]["choices"][0].append(7)
    assert json.dumps(space.to_json()) == before


@given(space_documents())
@settings(max_examples=60, deadline=None)
def test_the_json_form_survives_the_round_trip(document):
    space = SearchSpace.from_json(document)
    text = json.dumps(space.to_json())
    again = SearchSpace.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    assert again.digest() == space.digest()
    assert list(again.to_json()) == list(document)


FIELD_VALUES = st.one_of(
    JSON_VALUES,
    st.floats(),
    st.integers(),
    st.sampled_from(
        ["float", "int", "categorical", "constant", "1e-5", 10**400, -(2.0**1000), 5e-324, 1.7e308, -1.7e308]
    ),
    st.lists(st.one_of(st.floats(), st.text(max_size=2)), max_size=3),
    st.fixed_dictionaries(
        {"name": st.sampled_from(["uniform", "normal", "log_normal", "beta"])},
        optional={key: st.floats() | st.floats(0.01, 5) for key in ("mu", "sigma", "a", "b")},
    ),
    st.fixed_dictionaries({}, optional={"low": st.floats(), "high": st.floats()}),
)
ENTRIES = st.one_of(
    JSON_VALUES,
    st.fixed_dictionaries(
        {"type": st.sampled_from(["float", "int", "categorical", "constant"]) | JSON_VALUES},
        optional={
            **dict.fromkeys(
                ("low", "high", "log", "step", "prior", "choices", "weights", "value"), FIELD_VALUES
            ),
            "when": st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), FIELD_VALUES, max_size=2)
            | FIELD_VALUES,
            "annotation": FIELD_VALUES,
            "extra": FIELD_VALUES,
        },
    ),
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]) | st.text(max_size=4), ENTRIES, max_size=4) | JSON_VALUES
)
@settings(max_examples=400, deadline=None)
def test_any_json_value_gives_a_usable_space_or_a_space_error(document):
    try:
        space = SearchSpace.from_json(document)
    except SpaceError as error:
        found = error.errors
    else:
        found = None
    if found is not None:
        assert found
        assert all(issue.message for issue in found)
        return
    for u in (0.0, 0.3, 1.0):
        assert space.contains(space.from_unit([u] * len(space)))


def test_json_nested_without_end_is_refused_not_followed():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for entry in ({"type": "categorical", "choices": [deep]}, {"type": "constant", "value": deep}, deep):
        assert issues({"x": entry})
    assert issues(
        {"x": {**FLOAT, "low": deep}, "y": {**FLOAT, "when": {"x": deep}}, "z": {**FLOAT, "when": deep}}
    )
