"""What a study's own trials say of its ranges: read once for a version of its history."""

import math

import pytest
from django.contrib.auth.models import User

from tests.factories import make_study, make_workload
from tuning.models import Study
from tuning.services import linting
from tuning.services.linting import range_findings
from tuning.services.ranges import change_ranges
from tuning.services.scripts import ask_trials, tell

SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7},
}


def searched(owner: User, loss, n: int = 30, **settings) -> Study:
    """A running study of scripts with n trials of random search; loss(params) None: diverged."""
    defaults = {"name": "searched", "workload": "", "space": SPACE, "sampler": "random", "n_trials": 100, "seed": 3}
    study = make_study(owner, started=True, metric="validation/loss", direction="minimize", **defaults | settings)
    for _ in range(n):
        (asked,) = ask_trials(study_id=study.pk, actor=owner, n=1)
        value = loss(asked.trial.params)
        how = {"value": value} if value is not None else {"state": "failed", "reason": "diverged"}
        tell(trial_id=asked.trial.pk, lease=asked.lease, **how)
    study.refresh_from_db()
    return study


def beyond(params) -> float:
    return math.log10(params["lr"]) ** 2


def too_hot(params) -> float | None:
    return None if params["lr"] > 1e-3 else params["lr"]


def test_the_best_near_an_end_ask_for_a_wider_range_until_it_is_there(alice):
    study = searched(alice, beyond)
    (edge,) = range_findings(study)
    assert (edge.rule, edge.parameter, edge.severity) == ("EDGE", "lr", "warning")
    assert edge.fix == {**SPACE["lr"], "high": 1.0}
    change_ranges(study_id=study.pk, actor=alice, space={**SPACE, "lr": edge.fix})
    study.refresh_from_db()
    assert range_findings(study) == []


def test_ranges_where_most_trials_diverge_are_narrowed_and_those_trials_count_no_more(alice):
    study = searched(alice, too_hot)
    (wide,) = [finding for finding in range_findings(study) if finding.rule == "TOO-WIDE"]
    assert wide.parameter == "lr" and wide.fix is not None and wide.fix["high"] < 2e-3
    change_ranges(study_id=study.pk, actor=alice, space={**SPACE, "lr": wide.fix})
    study.refresh_from_db()
    assert [finding.rule for finding in range_findings(study) if finding.rule == "TOO-WIDE"] == []


def test_a_version_of_the_history_is_read_once(alice, django_assert_num_queries, monkeypatch):
    study = searched(alice, beyond)
    first = range_findings(study)
    monkeypatch.setattr(linting, "lint_space", lambda *args, **kwargs: pytest.fail("looked at again"))
    with django_assert_num_queries(1):  # whether the workers have looked at what mattered
        assert range_findings(study) == first


@pytest.mark.parametrize("kind", [{}, {"space": None, "workload": "suggesting"}])
def test_without_trials_or_without_a_space_nothing_is_said(alice, kind):
    if kind:
        make_workload("suggesting", kind="objective", space=None)
    assert range_findings(make_study(alice, **kind)) == []
