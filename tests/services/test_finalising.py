"""The final look: sealed before it is measured, measured once, counted over studies, kept for ever."""

import json
from importlib import import_module

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from tests.factories import make_running, make_slot, make_study, make_workload
from tests.services.final import answer_of, finished, revealed, with_test_metrics
from tuning.models import AuditEvent, Job, KeptForEver, Offering, Reveal, SealedChoice, Split, Study, Trial
from tuning.selectors.reveals import findings_of, scores_of, seconds_per_seed, standing_before_test
from tuning.services.archiving import archive_study, unarchive_study
from tuning.services.errors import Conflict, Forbidden, Invalid
from tuning.services.finalising import finalise_study
from tuning.services.job_endings import cancel_job, complete_job, finish_job, requeue_job
from tuning.services.jobs import claim_job
from tuning.services.lifecycle import start_study
from tuning.services.studies import delete_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(alice) -> Study:
    return finished(alice)


@pytest.fixture
def slot(db):
    return make_slot("here")


def sealed(study, actor, **choice) -> SealedChoice:
    return finalise_study(study_id=study.pk, actor=actor, **choice)


# --- the choice -------------------------------------------------------------------------------------------------------
def test_the_choice_is_written_before_anything_is_measured(study, alice):
    seal = sealed(study, alice)
    assert (seal.trial.number, seal.retrain, seal.epochs, seal.actor_name) == (1, "train", 3, "alice")
    assert seal.validation == {"loss": 0.4, "accuracy": pytest.approx(0.6)}
    assert (seal.n_trials, seal.n_trials_all, seal.looks_before, seal.reason) == (3, 3, 0, "")
    assert (seal.workload, seal.workload_digest, seal.data_digest) == ("tiny", "0" * 64, "d" * 64)
    assert len(seal.params_digest) == len(seal.version or 40 * "0") + 24
    assert (seal.job.kind, seal.job.state, seal.job.args["digest"]) == ("finalise", "WAITING", "0" * 64)
    assert not Reveal.objects.exists()
    assert AuditEvent.objects.filter(verb="sealed a choice of", actor_id=alice.pk).count() == 1


def test_seeds_are_fresh(study, alice, slot):
    first = sealed(study, alice, seeds=5)
    revealed(first, slot)
    second = sealed(study, alice, seeds=5, reason="again")
    used = set(Trial.objects.values_list("seed", flat=True)) | set(range(study.seed, study.seed + 1_000_000))
    assert len({*first.seeds, *second.seeds}) == 10
    assert not {*first.seeds, *second.seeds} & used


def test_runs_of_an_advice_have_no_final_look(study, alice):
    Study.objects.filter(pk=study.pk).update(kind=Study.PAIRED)
    with pytest.raises(Conflict, match="runs of an advice"):
        sealed(study, alice)


def test_with_the_validation_split_it_trains_to_the_best_step(study, alice):
    seal = sealed(study, alice, trial=0, seeds=1, retrain="train+validation")
    assert (seal.trial.number, seal.epochs, len(seal.seeds)) == (0, 2, 1)


def test_the_cost_is_told_by_the_trials_own_time(study):
    Trial.objects.filter(study=study, number=1).update(run_seconds=30.0)
    trial = Trial.objects.get(study=study, number=1)
    assert seconds_per_seed(trial, "train") == pytest.approx(30.0)
    assert seconds_per_seed(trial, "train+validation") == pytest.approx(20 * (1 + 2 / 6))
    Trial.objects.filter(study=study, number=0).update(run_seconds=0.0)
    assert seconds_per_seed(Trial.objects.get(study=study, number=0), "train") is None


@pytest.mark.parametrize(
    ("choice", "field", "words"),
    [
        ({"trial": 7}, "trial", "has no trial 7"),
        ({"seeds": 0}, "seeds", "whole number from 1 to 20"),
        ({"seeds": 21}, "seeds", "whole number from 1 to 20"),
        ({"retrain": "test"}, "retrain", "'test' is not known"),
    ],
)
def test_a_wrong_choice_is_refused_with_what_would_be_right(study, alice, choice, field, words):
    with pytest.raises(Invalid) as caught:
        sealed(study, alice, **choice)
    assert list(caught.value.fields) == [field]
    assert words in caught.value.fields[field][0]
    assert not SealedChoice.objects.exists()


def test_only_who_may_change_the_study_seals(study, bob, admin):
    with pytest.raises(Forbidden):
        sealed(study, bob)
    assert sealed(study, admin).actor_name == "admin"


@pytest.mark.parametrize("changes", [{"excluded_reason": "broken disk"}, {"state": "FAILED", "value": None}])
def test_a_trial_that_does_not_count_cannot_be_chosen(study, alice, changes):
    if "excluded_reason" in changes:
        changes = changes | {"excluded_at": timezone.now()}
    Trial.objects.filter(study=study, number=0).update(**changes)
    with pytest.raises(Invalid, match="no value that counts"):
        sealed(study, alice, trial=0)


# --- what is in the way -----------------------------------------------------------------------------------------------
def test_while_trials_run_nothing_is_sealed(alice):
    study = make_study(alice, workload="tiny", started=True)
    make_running(study)
    with pytest.raises(Conflict, match="Pause or stop the study"):
        sealed(study, alice)


def test_without_a_trial_that_has_a_value_there_is_nothing_to_choose(alice):
    with pytest.raises(Conflict, match="No trial has a value yet"):
        sealed(make_study(alice, workload="tiny"), alice)


def test_without_a_test_split_there_is_nothing_to_look_at(study, alice):
    Split.objects.update(sizes={"train": 6, "validation": 2, "test": 0})
    with pytest.raises(Conflict, match=r"no test split. Add a method test_data\(\)"):
        sealed(study, alice)


def test_other_code_than_the_trials_ran_is_not_measured(study, alice, slot):
    Offering.objects.create(host=slot.device.host, workload="tiny", digest="1" * 64)
    with pytest.raises(Conflict, match="no host has the old one"):
        sealed(study, alice)


# --- the reveal -------------------------------------------------------------------------------------------------------
def test_the_answer_is_the_reveal_and_nothing_of_it_stands_elsewhere(study, alice, slot):
    seal = sealed(study, alice)
    reveal = revealed(seal, slot, test=0.54321)
    assert (reveal.looks_before, reveal.test_digest, reveal.trial.number) == (0, "t" * 64, 1)
    loss, accuracy = scores_of(reveal)
    assert (loss.name, loss.goal, loss.chosen, accuracy.goal) == ("loss", "minimize", 0.4, "maximize")
    assert loss.mean == pytest.approx(0.55321)
    assert loss.optimism == pytest.approx(0.15321)
    assert [found.rule for found in findings_of(reveal, scores_of(reveal))] == ["TEST-WORSE"]
    assert not Job.objects.get().result
    study.refresh_from_db()
    assert "0.54321" not in json.dumps([list(AuditEvent.objects.values_list("after", flat=True))])
    assert standing_before_test(study).state == "revealed"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: answer["seeds"].pop(),
        lambda answer: answer.pop("test_digest"),
        lambda answer: answer["seeds"][0].update(test={}),
        lambda answer: [row.update(diverged=True, test={}) for row in answer["seeds"]],
        lambda answer: answer["seeds"][0]["test"].update(loss="0.5"),
        lambda answer: answer["sizes"].pop("test"),
    ],
)
def test_an_answer_that_is_not_the_seals_is_no_reveal(study, alice, slot, spoil):
    seal = sealed(study, alice)
    job, answer = claim_job(slot=slot), answer_of(seal)
    spoil(answer)
    assert complete_job(job_id=job.pk, fence=job.fence, answer=answer)
    assert "cannot be read" in Job.objects.get().error
    assert not Reveal.objects.exists()


def test_a_job_that_dies_is_run_again_and_is_no_second_look(study, alice, slot):
    seal = sealed(study, alice)
    job = claim_job(slot=slot)
    requeue_job(job_id=job.pk, fence=job.fence, why="the host was lost")
    assert standing_before_test(study).state == "waits"
    again = claim_job(slot=slot)
    finish_job(job_id=again.pk, fence=again.fence, error="data() raised OSError.")
    assert (standing_before_test(study).state, standing_before_test(study).looks) == ("broken", 0)
    retried = sealed(study, alice)
    assert (retried.pk, retried.seeds) == (seal.pk, seal.seeds)
    assert retried.job_id != job.pk
    assert revealed(retried, slot).looks_before == 0
    assert SealedChoice.objects.count() == Reveal.objects.count() == 1


def test_the_same_choice_while_it_waits_is_the_same_seal_and_another_is_refused(study, alice):
    seal = sealed(study, alice)
    assert sealed(study, alice).pk == seal.pk
    assert Job.objects.count() == 1
    with pytest.raises(Conflict, match="Trial 1 is sealed already"):
        sealed(study, alice, trial=0)
    cancel_job(job_id=seal.job.pk, actor=alice)
    other = sealed(study, alice, trial=0)
    assert (other.looks_before, other.trial.number) == (0, 0)


# --- the second look --------------------------------------------------------------------------------------------------
def test_a_second_look_needs_a_reason_and_is_marked(study, alice, slot):
    revealed(sealed(study, alice), slot)
    with pytest.raises(Invalid, match=r"looked at once already.*“test reused once”"):
        sealed(study, alice, reason="   ")
    second = sealed(study, alice, reason="a reviewer asked for trial 0", trial=0)
    assert (second.reason, second.looks_before) == ("a reviewer asked for trial 0", 1)
    assert revealed(second, slot).looks_before == 1
    with pytest.raises(Invalid, match="2 times"):
        sealed(study, alice)


def test_looks_are_counted_over_studies_of_the_same_test_set(study, alice, bob, slot):
    other = finished(bob)
    first = sealed(study, alice)
    assert first.n_trials_all == 6
    with pytest.raises(Invalid, match="looked at once already"):  # it is under way
        sealed(other, bob)
    revealed(first, slot)
    assert standing_before_test(other).looks == 1
    same_data = finished(bob, workload="tiny_cnn")
    assert standing_before_test(same_data).looks == 1
    assert standing_before_test(finished(bob, data="e" * 64)).looks == 0
    assert revealed(sealed(other, bob, reason="another model"), slot).looks_before == 1


def test_the_same_examples_under_another_name_are_known_once_they_are_seen(study, alice, slot):
    revealed(sealed(study, alice), slot)
    other = finished(alice, workload="copied", data="c" * 64)
    assert standing_before_test(other).looks == 0
    reveal = revealed(sealed(other, alice), slot)
    assert reveal.looks_before == 1
    assert [found.rule for found in findings_of(reveal, [])] == ["TEST-REUSED"]
    assert standing_before_test(other).looks == 2


# --- for ever ---------------------------------------------------------------------------------------------------------
def test_a_reveal_is_kept_for_ever(study, alice, slot):
    reveal = revealed(sealed(study, alice), slot)
    with pytest.raises(KeptForEver):
        reveal.save()
    with pytest.raises(KeptForEver, match="archive its study"):
        reveal.delete()
    for change in (
        lambda: Reveal.objects.update(looks_before=0),
        lambda: SealedChoice.objects.update(reason="none"),
        lambda: SealedChoice.objects.update(n_trials=1),
    ):
        with pytest.raises(DatabaseError, match="kept for ever"), transaction.atomic():
            change()
    for remove in (SealedChoice.objects.get().delete, Trial.objects.get(pk=reveal.trial_id).delete):
        with pytest.raises(ProtectedError), transaction.atomic():
            remove()


def test_the_database_refuses_to_delete_one(study, alice, slot):
    migration = import_module("tuning.migrations.0022_reveals")
    revealed(sealed(study, alice), slot)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":  # the test database goes without it (tests/conftest.py)
            cursor.execute(next(line for line in migration.SQLITE if "no_delete" in line))
        with pytest.raises(DatabaseError, match="kept for ever"), transaction.atomic():
            cursor.execute("DELETE FROM tuning_reveal")
    assert Reveal.objects.count() == 1


def test_a_study_with_a_reveal_is_archived_instead_of_deleted(study, alice, bob, slot):
    sealed(study, alice)
    revealed(SealedChoice.objects.get(), slot)
    with pytest.raises(Conflict, match=r"kept for ever.*archive it"):
        delete_study(study=study, actor=alice)
    with pytest.raises(Forbidden):
        archive_study(study_id=study.pk, actor=bob)
    for _ in range(2):  # the same again changes nothing
        assert archive_study(study_id=study.pk, actor=alice).archived is not None
    assert AuditEvent.objects.filter(verb="archived").count() == 1
    assert unarchive_study(study_id=study.pk, actor=alice).archived is None


def test_a_seal_without_a_reveal_goes_with_its_study(study, alice):
    sealed(study, alice)
    delete_study(study=study, actor=alice)
    assert not SealedChoice.objects.exists()


def test_a_running_study_is_not_archived(alice):
    study = make_study(alice, started=True)
    with pytest.raises(Conflict, match="pause or stop it"):
        archive_study(study_id=study.pk, actor=alice)


# --- what has measured itself -----------------------------------------------------------------------------------------
def test_a_scripts_sealed_numbers_are_opened_without_training(alice):
    study = with_test_metrics(alice)
    seal = sealed(study, alice)
    assert (seal.retrain, seal.seeds, seal.job, seal.epochs) == ("none", [], None, None)
    (loss,) = scores_of(seal.reveal)
    assert (loss.name, loss.test, loss.chosen) == ("loss", [0.6], 0.4)  # at step 2, whose validation loss chose it
    assert loss.optimism == pytest.approx(0.2)
    assert not Job.objects.filter(kind="finalise").exists()
    with pytest.raises(Invalid, match="looked at once"):
        sealed(study, alice)


def test_a_script_that_has_reported_no_test_metric_has_nothing_to_open(alice):
    with pytest.raises(Invalid, match="such as test/accuracy"):
        sealed(finished(alice, workload="", data=""), alice)


def test_nothing_is_trained_anew_of_a_script(alice):
    with pytest.raises(Invalid) as caught:
        sealed(with_test_metrics(alice), alice, seeds=3, retrain="train")
    assert set(caught.value.fields) == {"seeds", "retrain"}


def test_a_study_that_goes_on_afterwards_is_another_choice(study, alice, slot):
    make_workload("tiny")
    first = sealed(study, alice)
    finish_job(job_id=claim_job(slot=slot).pk, fence=1, error="lost")
    Study.objects.filter(pk=study.pk).update(n_complete=4)
    assert sealed(study, alice).pk != first.pk
    with pytest.raises(Conflict, match="stopped"):
        start_study(study_id=study.pk, actor=alice)
