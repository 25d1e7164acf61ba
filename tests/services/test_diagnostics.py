"""What the learning curves of a study say: looked at aside, stored, and looked at anew where it is outdated."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_slot, make_study, make_workload
from tests.selectors.test_diagnostics import FALLS, TURNS, trained
from tests.services.test_linting import searched
from tests.web.test_strengths import measured
from tuning.models import DiagnosisLook, Preflight, Study
from tuning.selectors.asides import due_for_diagnosis
from tuning.selectors.diagnostics import diagnose_study
from tuning.services import diagnostics
from tuning.services.cloning import clone_study
from tuning.services.diagnostics import awaits_look, diagnosis_now, diagnosis_soon, look_at_next
from tuning.services.exclusion import exclude_trial
from tuning.services.lifecycle import stop_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(alice) -> Study:
    return make_study(alice, started=True, max_resource=7, n_trials=60)


def looked(study: Study) -> Study:
    """The study after the look that was due at it."""
    assert due_for_diagnosis() == study and look_at_next()
    study.refresh_from_db()
    return study


def test_what_is_read_is_what_was_found(alice):
    study = looked(measured(alice))
    found, made = diagnosis_soon(study), diagnose_study(study)
    assert (found.rows, found.counts, found.yardstick) == (made.rows, made.counts, made.yardstick)
    assert found.rows[0].verdict.title == made.rows[0].verdict.title
    assert found.regularisers == made.regularisers and found.strengths == made.strengths
    assert found.strengths[0].claims and found.strengths[0].says == made.strengths[0].says


def test_the_advice_of_a_verdict_is_kept_whole(study):
    trained(study, TURNS)
    trained(study, FALLS, "diverged")
    found = diagnosis_soon(looked(study))
    assert [row.verdict for row in found.rows] == [row.verdict for row in diagnose_study(study).rows]
    assert found.rows[0].verdict.advice[0].is_testable and found.rows[1].gap is None


def test_a_look_is_due_for_every_trial_of_few_and_for_a_twentieth_of_many(study, alice):
    assert due_for_diagnosis() is None, "nothing has ended"
    for _ in range(3):
        trained(study, FALLS)
        version = study.version
        looked(study)
        assert study.version == version + 1, "the pages show it"
        assert due_for_diagnosis() is None and not look_at_next()
    for _ in range(18):
        trained(study, FALLS)
    looked(study)
    trained(study, FALLS)
    assert due_for_diagnosis() is None
    assert diagnosis_soon(study).pending == 1
    stop_study(study_id=study.pk, actor=alice)
    study.refresh_from_db()
    looked(study)
    assert diagnosis_soon(study).pending == 0


def test_a_page_reads_the_document_once(study, django_assert_num_queries):
    trained(study, TURNS)
    first = diagnosis_soon(looked(study))
    assert diagnosis_soon(study) is not None
    with django_assert_num_queries(2):  # what curves there are; which look it was
        again = diagnosis_soon(study)
    assert again.rows is first.rows


def test_another_past_and_a_later_preflight_are_looked_at_anew(alice):
    make_workload("tiny")
    study = make_study(alice, workload="tiny", started=True, max_resource=7, n_trials=30)
    first = trained(study, TURNS)
    trained(study, FALLS)
    assert "base" not in diagnosis_soon(looked(study)).rows[0].verdict.evidence
    checks = [{"rule": "INIT-LOSS", "status": "passed", "evidence": {"loss": 2.3, "ln C": 2.3, "entropy": 2.2}}]
    row = Preflight.objects.create(
        workload="tiny", digest=study.workload_digest, state="PASSED", checks=checks,
        completed=timezone.now() - timedelta(days=1),
    )  # fmt: skip
    assert due_for_diagnosis() is None, "it was there before"
    Preflight.objects.filter(pk=row.pk).update(completed=timezone.now() + timedelta(seconds=1))
    looked(study)
    assert diagnosis_soon(study).rows[0].verdict.evidence["base"] == pytest.approx(2.2)
    Preflight.objects.filter(pk=row.pk).update(completed=timezone.now() - timedelta(days=1))
    assert due_for_diagnosis() is None
    exclude_trial(trial_id=first.pk, actor=alice, reason="a broken disk")
    study.refresh_from_db()
    looked(study)
    assert [row.number for row in diagnosis_soon(study).rows] == [1]


def test_a_page_waits_for_a_worker_and_a_script_without_one_for_nobody(study):
    assert "run to its end" not in diagnosis_soon(study).problem, "no curve has been reported"
    trained(study, FALLS, end="")
    assert diagnosis_soon(study).problem == diagnostics.NO_TRIAL
    trained(study, TURNS)
    assert "no worker is alive" in diagnosis_soon(study).problem
    assert len(diagnosis_now(study).rows) == 1


def test_while_workers_live_scripts_ask_again(study):
    make_slot()
    trained(study, TURNS)
    assert diagnosis_soon(study) is None and diagnosis_now(study) is None
    assert awaits_look(study, None)
    looked(study)
    assert len(diagnosis_now(study).rows) == 1
    assert not awaits_look(study, diagnosis_now(study))


def test_what_the_computation_raises_is_told_and_holds_up_nobody(study, monkeypatch):
    trained(study, TURNS)
    monkeypatch.setattr(diagnostics, "diagnose_study", lambda study: 1 / 0)
    looked(study)
    assert "It could not be computed: ZeroDivisionError" in diagnosis_soon(study).problem
    assert due_for_diagnosis() is None


def test_a_study_without_a_space_is_looked_at_too(study):
    trained(study, TURNS)
    Study.objects.filter(pk=study.pk).update(space=None)
    study.refresh_from_db()
    looked(study)
    assert due_for_diagnosis() is None
    assert diagnosis_soon(study).rows[0].verdict.rule == "overfit_turning"


def test_a_look_of_another_format_is_as_if_it_were_not_there(study, monkeypatch):
    trained(study, TURNS)
    looked(study)
    monkeypatch.setattr(DiagnosisLook, "FORMAT", DiagnosisLook.FORMAT + 1)
    assert "no worker is alive" in diagnosis_soon(study).problem
    looked(study)
    assert len(diagnosis_soon(study).rows) == 1


def test_without_a_curve_of_training_no_look_is_due(alice):
    study = searched(alice, lambda params: params["lr"], 3)
    assert study.finish_seq == 3
    assert due_for_diagnosis() is None and not look_at_next()


def test_a_clone_has_none_of_it(study, alice):
    trained(study, TURNS)
    looked(study)
    copy = clone_study(study_id=study.pk, actor=alice)
    assert not DiagnosisLook.objects.filter(study=copy).exists()
