"""Verdicts on the curves of real rows: of one trial, of a study, kept until something changes."""

import pytest

from tests.factories import make_running, make_study, report
from tuning.models import Preflight, Split, Study, Trial
from tuning.selectors import diagnostics as module
from tuning.selectors.diagnostics import StudyDiagnostics, Yardstick, diagnose_study, trial_verdict, yardstick
from tuning.services.endings import complete_trial, fail_trial, prune_trial
from tuning.services.exclusion import exclude_trial

pytestmark = pytest.mark.django_db
TURNS = ([0.9, 0.6, 0.5, 0.6, 0.8, 1.0, 1.2], [0.8, 0.5, 0.3, 0.2, 0.1, 0.06, 0.03])
FALLS = ([0.9, 0.8, 0.7, 0.6, 0.52, 0.45, 0.4], [0.88, 0.78, 0.68, 0.58, 0.5, 0.43, 0.38])


@pytest.fixture
def study(alice) -> Study:
    return make_study(alice, started=True, max_resource=7, n_trials=30)


def trained(study: Study, curves: tuple[list[float], list[float]], end: str = "complete") -> Trial:
    trial = make_running(study)
    report(trial, curves[0], train__loss=curves[1])
    if end == "complete":
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    elif end == "diverged":
        fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="diverged", reason="no number")
    elif end == "pruned":
        prune_trial(trial_id=trial.pk, fence=trial.fence)
    trial.refresh_from_db()
    study.refresh_from_db()
    return trial


def rules(found: StudyDiagnostics) -> list[tuple[int, str]]:
    return [(row.number, row.verdict.rule) for row in found.rows]


def test_a_trial_has_the_verdict_of_its_curves(study):
    verdict = trial_verdict(trained(study, TURNS))
    assert (verdict.rule, verdict.epoch) == ("overfit_turning", 3)
    running = trained(study, FALLS, end="")
    assert trial_verdict(running).rule == "healthy"
    broken = trained(study, (FALLS[0][:2], FALLS[1][:2]), "diverged")
    assert (trial_verdict(broken).rule, trial_verdict(broken).epoch) == ("diverged", 3)


def test_a_study_has_those_of_its_ended_trials(study):
    for curves, end in ((TURNS, "complete"), (FALLS, "complete"), (FALLS, "diverged"), (FALLS, "pruned"), (TURNS, "")):
        trained(study, curves, end)
    found = diagnose_study(study)
    assert rules(found) == [(0, "overfit_turning"), (1, "healthy"), (2, "diverged")]
    assert {rule: count for rule, _, count in found.counts} == {"overfit_turning": 1, "healthy": 1, "diverged": 1}
    assert (found.cut, found.pending, found.problem) == (1, 0, "")
    assert found.rows[2].gap is None


def test_a_verdict_is_made_once_until_the_past_changes(study, alice, monkeypatch):
    trained(study, TURNS)
    first = diagnose_study(study)
    asked = []
    monkeypatch.setattr(module, "study_curves", lambda study, ids, names: asked.extend(ids) or {})
    late = trained(study, FALLS)
    diagnose_study(study)
    assert asked == [late.pk], "what is known is not read again"
    exclude_trial(trial_id=first.rows[0].trial_id, actor=alice, reason="a broken disk")
    study.refresh_from_db()
    assert 0 not in [row.number for row in diagnose_study(study).rows]


def test_what_it_is_measured_against_comes_from_preflight_and_split(alice):
    study = make_study(alice, workload="tiny", started=True, max_resource=7)
    trained(study, TURNS)
    assert yardstick(study).base is None
    evidence = {"loss": 2.31, "ln C": 2.3, "entropy": 2.2, "indifferent": 2.3}
    Preflight.objects.create(
        workload="tiny", digest=study.workload_digest, state="PASSED",
        checks=[{"rule": "INIT-LOSS", "status": "passed", "evidence": evidence}],
    )  # fmt: skip
    Split.objects.create(workload="tiny", digest="d", sizes={"train": 100, "validation": 50})
    found = yardstick(study)
    assert isinstance(found, Yardstick)
    assert (found.base, found.n_validation) == (pytest.approx(2.2), 50)
    assert diagnose_study(study).rows[0].verdict.evidence["base"] == pytest.approx(2.2)


def test_without_two_curves_there_is_no_verdict_and_a_reason(study, alice):
    assert "no pair of curves" in diagnose_study(study).problem
    other = make_study(alice, started=True, metric="score", direction="maximize")
    assert trial_verdict(make_running(other)) is None
