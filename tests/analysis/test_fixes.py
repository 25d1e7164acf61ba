"""A fix is one click: the space stays valid, the finding is gone, nothing else has changed, twice is once."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analysis.linting import known_spaces, refused_spaces
from tuning.analysis import lint_space
from tuning.engine import SearchSpace, SpaceError

PLANS = st.fixed_dictionaries(
    {
        "sampler": st.sampled_from(["auto", "grid", "tpe"]),
        "scheduler": st.sampled_from(["none", "hyperband"]),
        "budget": st.sampled_from([None, 30, 1000]),
    }
)


def with_fix(document, finding):
    return {**document, finding.parameter: finding.fix}


def about(findings):
    return {(finding.rule, finding.parameter) for finding in findings}


@settings(max_examples=300, deadline=None)
@given(known_spaces(), PLANS)
def test_a_fix_cures_its_finding_and_changes_nothing_else(document, plan):
    before = json.dumps(document)
    space = SearchSpace.from_json(document)
    findings = lint_space(document, **plan)
    assert json.dumps(document) == before, "linting changes no argument"
    assert findings == lint_space(space, **plan)
    for finding in findings:
        json.dumps(finding.to_json(), allow_nan=False)
        if finding.fix is None:
            continue
        changed = with_fix(document, finding)
        fixed = SearchSpace.from_json(changed)
        assert fixed.names == space.names
        for name in space.names:
            if name != finding.parameter:
                assert fixed[name].to_json() == space[name].to_json()
        kept = fixed[finding.parameter].to_json(), space[finding.parameter].to_json()
        assert kept[0].get("when") == kept[1].get("when") and kept[0].get("annotation") == kept[1].get("annotation")
        again = lint_space(changed, **plan)
        assert (finding.rule, finding.parameter) not in about(again)
        others = {(rule, name) for rule, name in about(again) if name not in (finding.parameter, None)}
        assert others == {(rule, name) for rule, name in about(findings) if name not in (finding.parameter, None)}
        assert with_fix(changed, finding) == changed


@settings(max_examples=150, deadline=None)
@given(st.one_of(known_spaces(), refused_spaces()), PLANS)
def test_click_after_click_comes_to_an_end_in_a_valid_space(document, plan):
    for _ in range(40):
        fixable = [finding for finding in lint_space(document, **plan) if finding.fix is not None]
        if not fixable:
            break
        document = with_fix(document, fixable[0])
    else:
        raise AssertionError(f"the fixes go round in circles: {document}")
    SearchSpace.from_json(document)


@settings(max_examples=60, deadline=None)
@given(refused_spaces())
def test_what_the_reader_refuses_comes_with_its_own_words_once(document):
    findings = lint_space(document)
    refused = [f for f in findings if f.rule in ("LOG-ZERO", "LOG-STEP", "DUP-CAT", "UNREADABLE") and f.evidence]
    with pytest.raises(SpaceError) as refusal:
        SearchSpace.from_json(document)
    assert [finding.message for finding in refused] == [issue.message for issue in refusal.value.errors]
    for finding in refused:
        assert finding.severity == "error" and finding.fix is not None
        left = lint_space(with_fix(document, finding))
        assert (finding.rule, finding.parameter) not in about(left)


KEYS = st.sampled_from(["lr", "type", "low", "high", "log", "step", "choices", "when", "float"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)


@given(ANYTHING)
def test_any_json_value_is_linted(document):
    for finding in lint_space(document, 30, sampler="grid"):
        assert finding.message
