"""Versions of a search space: one that a trial used never changes."""

import json

import pytest

from tests.factories import SPACE, make_running, make_study
from tuning.models import Parameter, SearchSpace
from tuning.services.errors import Invalid
from tuning.services.spaces import add_space_version, parse_space


def test_versions_are_numbered_and_the_newest_is_current(alice, bob):
    study = make_study(alice, started=True)
    trial = make_running(study)
    first = study.space
    document = {**SPACE, "depth": {"type": "int", "low": 1, "high": 8, "step": 1, "annotation": "blocks"}}
    second = add_space_version(study, parse_space(document), bob, "deeper")
    study.refresh_from_db()
    assert (study.space, second.number, second.author, second.reason) == (second, 2, bob, "deeper")
    assert SearchSpace.objects.get(pk=first.pk).document == SPACE, "the version of the trial stands"
    trial.refresh_from_db()
    assert trial.space == first
    assert make_running(study).space == second
    assert Parameter.objects.filter(space=first).count() == 3
    depth = Parameter.objects.get(space=second, name="depth")
    assert (depth.position, depth.kind, depth.low, depth.high, depth.annotation) == (3, "int", 1, 8, "blocks")


def test_the_order_of_names_and_fields_is_kept(alice):
    names = ["z", "a", "m"]
    study = make_study(alice, space={name: {"type": "categorical", "choices": ["b", None, 1, 0.5]} for name in names})
    stored = SearchSpace.objects.get(study=study)
    assert list(stored.document) == names
    assert json.dumps(stored.document["z"]["choices"]) == '["b", null, 1, 0.5]'
    assert stored.digest == parse_space(stored.document).digest()


def test_every_issue_has_its_path():
    with pytest.raises(Invalid) as caught:
        parse_space({"lr": {"type": "float", "low": 1.0, "high": 0.0}, "n": {"type": "int", "low": 0.5, "high": 2}})
    assert set(caught.value.fields) == {"space.lr.high", "space.n.low"}
    assert {(issue.parameter, issue.field) for issue in caught.value.space_issues} == {("lr", "high"), ("n", "low")}
