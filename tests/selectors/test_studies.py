"""Who sees which studies, the list, the facts, what can be taken away, and the overview of hosts."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from tests.factories import make_running, make_slot, make_study, make_workload, report
from tuning.models import Host, Study, Trial
from tuning.selectors.audit import study_events
from tuning.selectors.control import trial_control
from tuning.selectors.errors import NotFound
from tuning.selectors.exports import best_checkpoint, best_configuration
from tuning.selectors.hosts import hosts_overview, idle_slots, queue_counts
from tuning.selectors.studies import may_edit, study_facts, study_for, study_list, visible_studies
from tuning.selectors.tokens import tokens_of
from tuning.selectors.workloads import describe_pending, workload_list, workload_named
from tuning.services.endings import complete_trial, fail_trial, park_trial, requeue_trial
from tuning.services.hosts import drain_host
from tuning.services.jobs import claim_job, request_describe, request_job
from tuning.services.lifecycle import pause_study, stop_study
from tuning.services.tokens import create_token
from tuning.services.trials import enqueue_trial


# --- who sees what -----------------------------------------------------------------------------------------------
def test_a_private_study_is_its_owners_and_the_administrators(alice, bob, charlie, admin):
    study = make_study(alice, visibility="private")
    assert [study_for(person, study.pk) == study for person in (alice, admin)] == [True, True]
    for person in (bob, charlie):
        with pytest.raises(NotFound, match="private"):
            study_for(person, study.pk)
        assert not visible_studies(person).exists()
        assert study_list(person).total == 0


def test_a_team_study_is_looked_at_by_all_and_changed_by_its_owner(alice, bob, charlie, admin):
    study = make_study(alice)
    for person in (alice, bob, charlie, admin):
        assert study_for(person, study.pk) == study
    assert [may_edit(person, study) for person in (alice, bob, charlie, admin)] == [True, False, False, True]
    assert not may_edit(AnonymousUser(), study)


def test_a_study_that_is_not_there_reads_like_a_private_one(alice, bob):
    private = make_study(alice, visibility="private")
    messages = []
    for number in (private.pk, private.pk + 1):
        with pytest.raises(NotFound) as caught:
            study_for(bob, number)
        messages.append(caught.value.message.replace(str(number), "N"))
    assert messages[0] == messages[1]


# --- the list ----------------------------------------------------------------------------------------------------
def test_the_list_is_by_last_activity_and_searches(alice, bob):
    make_workload("tiny")
    old = make_study(alice, name="dropout sweep")
    new = make_study(bob, name="depth", workload="tiny")
    Study.objects.filter(pk=old.pk).update(last_activity=timezone.now() - timedelta(hours=1))
    assert [study.name for study in study_list(alice).rows] == ["depth", "dropout sweep"]
    assert list(study_list(alice, search="SWEEP").rows) == [old]
    assert list(study_list(alice, search="bob").rows) == [new]
    assert list(study_list(alice, search="tiny depth").rows) == [new]
    assert study_list(alice, search="tiny dropout").total == 0
    assert study_list(alice, state="READY").total == 2
    assert study_list(alice, state="RUNNING").total == 0
    assert study_list(alice, state="nonsense").total == 2


def test_pages_are_clipped_to_what_there_is(alice):
    for _ in range(5):
        make_study(alice)
    assert [len(study_list(alice, page=page, per_page=2).rows) for page in (1, 2, 3)] == [2, 2, 1]
    last = study_list(alice, page=99, per_page=2)
    assert (last.number, last.pages, last.has_next, last.has_previous) == (3, 3, False, True)
    assert study_list(alice, page=-1, per_page=2).number == 1


def test_the_list_takes_the_same_queries_for_few_and_many(alice, django_assert_num_queries):
    for n in (1, 20):
        for _ in range(n):
            study = make_study(alice, started=True)
            complete_trial(trial_id=make_running(study).pk, fence=1, value=1.0)
        with django_assert_num_queries(2):
            for study in study_list(alice).rows:
                assert (study.owner.username, study.best_trial.value, study.n_complete) == ("alice", 1.0, 1)


# --- the facts ---------------------------------------------------------------------------------------------------
def test_the_facts_of_a_study(alice, django_assert_num_queries):
    study = make_study(alice, started=True, n_trials=10, parallel=4)
    complete, failed, parked, running = (make_running(study) for _ in range(4))
    report(complete, [0.5, 0.4])
    complete_trial(trial_id=complete.pk, fence=1)
    report(running, [0.3])
    fail_trial(trial_id=failed.pk, fence=1, reason_code="diverged", reason="")
    report(parked, [0.9])
    park_trial(trial_id=parked.pk, fence=1)
    enqueue_trial(study_id=study.pk, actor=alice, params={})
    ended = timezone.now()
    Trial.objects.filter(pk=complete.pk).update(started=ended - timedelta(seconds=40), completed=ended)
    study = study_for(alice, study.pk)
    with django_assert_num_queries(2):
        facts = study_facts(study)
    assert (facts.best_value, facts.best_trial_number, facts.best_trial_id) == (0.4, 0, complete.pk)
    assert (facts.done, facts.total, facts.running, facts.waiting) == (2, 10, 1, 1)
    assert (facts.complete, facts.failed, facts.pruned) == (1, 1, 0)
    assert (facts.epochs_done, facts.epochs_total) == (4, 50)
    assert (facts.seconds_per_trial, facts.seconds_left) == (40.0, 8 * 40.0)


def test_there_is_no_time_left_without_knowing(alice):
    facts = study_facts(make_study(alice))
    assert (facts.best_value, facts.seconds_left, facts.epochs_done) == (None, None, 0)
    assert study_facts(make_study(alice, max_resource=None)).epochs_total is None


def test_events_of_a_study_newest_first(alice):
    study, other = make_study(alice, started=True), make_study(alice)
    stop_study(study_id=study.pk, actor=alice)
    assert [event.verb for event in study_events(study)] == ["stopped", "started", "created"]
    assert [event.verb for event in study_events(other, limit=1)] == ["created"]


# --- exports -----------------------------------------------------------------------------------------------------
def test_the_best_configuration_and_its_checkpoint(alice, settings):
    study = make_study(alice, started=True, workload="tiny")
    for read in (best_configuration, best_checkpoint):
        with pytest.raises(NotFound, match="complete"):
            read(study)
    trial = make_running(study, make_slot())
    report(trial, [0.5, 0.4])
    complete_trial(trial_id=trial.pk, fence=1, facts={"environment": {"torch": "2"}})
    study = study_for(alice, study.pk)
    best = best_configuration(study)
    assert (best["trial"], best["value"], best["step"], best["params"]) == (0, 0.4, 2, trial.params)
    assert (best["workload"], best["seed"], best["environment"]) == ("tiny", trial.seed, {"torch": "2"})
    with pytest.raises(NotFound, match="no checkpoint"):
        best_checkpoint(study)
    path = settings.ARTIFACT_DIR / "best.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    Trial.objects.update(best_checkpoint="best.pt", checkpoint="last.pt")
    assert best_checkpoint(study_for(alice, study.pk)) == path
    Study.objects.update(objective="last")
    with pytest.raises(NotFound, match=r"last\.pt"):
        best_checkpoint(study_for(alice, study.pk))


# --- hosts, slots, what is due -----------------------------------------------------------------------------------
def test_the_overview_shows_what_holds_each_slot(alice, django_assert_num_queries):
    study = make_study(alice, started=True, workload="tiny")
    first = make_slot(slots=3)
    trial = make_running(study, first)
    request_job(kind="preflight", actor=None)
    job = claim_job(slot=make_slot(slots=3, index=1))
    make_slot("host-2")
    Host.objects.filter(name="host-2").update(last_seen=timezone.now() - timedelta(minutes=1))
    rows = hosts_overview()
    assert [(row.host.name, row.alive) for row in rows] == [("host-1", True), ("host-2", False)]
    assert rows[1].age_seconds == pytest.approx(60, abs=5)
    held = [(slot.trial, slot.job) for slot in rows[0].devices[0].slots]
    assert held == [(trial, None), (None, job), (None, None)]
    make_slot("host-3", slots=8)
    from django.db import connection

    clock = 1 if connection.vendor == "postgresql" else 0
    with django_assert_num_queries(5 + clock):
        hosts_overview()


def test_idle_slots_are_free_enabled_and_on_a_live_host(alice):
    study = make_study(alice, started=True, workload="tiny")
    slot = make_slot(slots=2)
    assert idle_slots().count() == 2
    trial = make_running(study, slot)
    assert idle_slots("host-1").count() == 1
    assert idle_slots("host-2").count() == 0
    requeue_trial(trial_id=trial.pk, fence=1, why="", lost=False)
    assert idle_slots().count() == 2
    drain_host(host_id=slot.device.host_id)
    assert idle_slots().count() == 0
    drain_host(host_id=slot.device.host_id, draining=False)
    Host.objects.update(last_seen=timezone.now() - timedelta(minutes=1))
    assert idle_slots().count() == 0


def test_waiting_jobs_are_counted(alice):
    request_describe(actor=None)
    assert describe_pending()
    assert queue_counts() == {"waiting_trials": 0, "waiting_jobs": 1}


def test_a_claim_is_controlled_in_one_query(alice, django_assert_num_queries):
    study = make_study(alice, started=True, workload="tiny")
    trial = make_running(study, make_slot())
    with django_assert_num_queries(1):
        assert trial_control(trial.pk, 1).held
    assert not trial_control(trial.pk, 2).held
    drain_host(host_id=trial.slot.device.host_id)
    assert trial_control(trial.pk, 1).draining
    pause_study(study_id=study.pk, actor=alice)
    control = trial_control(trial.pk, 1)
    assert (control.held, control.words) == (False, "the study was paused")
    Trial.objects.all().delete()
    assert not trial_control(trial.pk, 1).held


# --- small lists -------------------------------------------------------------------------------------------------
def test_workloads_usable_ones_first(alice):
    for name, error in (("b", ""), ("a", "broken"), ("c", "")):
        make_workload(name, error=error or None)
    assert [row.name for row in workload_list()] == ["b", "c", "a"]
    assert workload_named("a").error == "broken"
    with pytest.raises(NotFound, match="Refresh"):
        workload_named("z")


def test_tokens_of_a_person_newest_first(alice, bob):
    for name in ("one", "two"):
        create_token(user=alice, name=name)
    create_token(user=bob, name="his")
    assert [token.name for token in tokens_of(alice)] == ["two", "one"]
