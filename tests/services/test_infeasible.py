"""A configuration above a limit on the model: of no budget, with no place at a rung, and never without end."""

import pytest

from tests.factories import make_running, make_slot, make_study, make_workload, report
from tests.services.test_rungs import advance, ask, make
from tuning.engine import SearchSpace
from tuning.engine.outcome import FIRST_INFEASIBLE, INFEASIBLE_IN_A_ROW
from tuning.models import Cohort, DeviceTime, Rung, RungEntry, Study, Trial
from tuning.selectors.budget import steps_committed
from tuning.selectors.sharing import with_room
from tuning.selectors.studies import study_facts
from tuning.services.cloning import clone_study
from tuning.services.endings import complete_trial, fail_trial, prune_trial
from tuning.services.errors import Conflict, Invalid
from tuning.services.history import study_history
from tuning.services.lifecycle import resume_study
from tuning.services.scripts import ask_trials, tell
from tuning.services.studies import create_study, update_study
from tuning.services.trials import enqueue_trial

pytestmark = pytest.mark.django_db
LIMITS = {"parameters": 1000}


def limited(alice, **more):
    return make_study(alice, started=True, workload="tiny", constraints=LIMITS, **more)


def refuse(trial, parameters=1500, **more):
    """As a trial process does that has counted the model."""
    facts = {"footprint": {"parameters": parameters}}
    constraints = [parameters / 1000 - 1]
    return prune_trial(
        trial_id=trial.pk, fence=trial.fence, reason="infeasible", constraints=constraints, facts=facts, booked=False
    )


def by_its_number(trial, step):
    return float(trial.number)


def fresh(study):
    return Study.objects.select_related("space").get(pk=study.pk)


# --- the budget -------------------------------------------------------------------------------------------------------
def test_it_ends_pruned_infeasible_and_without_a_value(alice):
    trial = make_running(limited(alice))
    assert refuse(trial) == "PRUNED"
    row = Trial.objects.get(pk=trial.pk)
    assert (row.state, row.infeasible, row.value, row.constraints) == ("PRUNED", True, None, [0.5])
    assert (row.resource_done, row.finish_seq) == (0, 1)


def test_it_is_of_no_trial_no_step_and_no_device_time(alice):
    study = limited(alice, n_trials=3, total_resource=15, parallel=1, device_seconds=1000)
    for _ in range(7):
        trial = make_running(study, make_slot())
        Trial.objects.filter(pk=trial.pk).update(claimed="2020-01-01T00:00:00Z")
        refuse(trial)
    now = fresh(study)
    assert (now.n_created, now.n_pruned, now.n_infeasible, now.n_counted, now.n_done) == (7, 7, 7, 0, 0)
    assert (now.steps_settled, steps_committed(now), DeviceTime.objects.count()) == (0, 0, 0)
    assert study_facts(now).done == 0
    for number in range(7, 10):
        trial = make_running(study)
        assert trial.number == number
        report(trial, [0.5] * 5)
        complete_trial(trial_id=trial.pk, fence=trial.fence)
    assert (fresh(study).state, fresh(study).n_done, fresh(study).steps_settled) == ("FINISHED", 3, 15)


def test_workers_come_back_for_a_study_whose_places_are_free_again(alice):
    study = limited(alice, n_trials=1)
    trial = make_running(study)
    assert not with_room().filter(pk=study.pk).exists()
    refuse(trial)
    assert with_room().filter(pk=study.pk).exists()


def test_a_person_may_queue_another_and_set_the_number_of_trials_by_what_counts(alice):
    study = limited(alice, n_trials=1)
    for _ in range(3):
        refuse(make_running(study))
    update_study(study=study, actor=alice, n_trials=2)
    enqueue_trial(study_id=study.pk, actor=alice, params={})
    enqueue_trial(study_id=study.pk, actor=alice, params={})
    with pytest.raises(Conflict, match=r"All 2 trials of this study are taken; extend the study to 3 trials first"):
        enqueue_trial(study_id=study.pk, actor=alice, params={})
    with pytest.raises(Invalid, match="It has 2 trials already"):
        update_study(study=study, actor=alice, n_trials=1)


def test_once_it_has_trained_a_step_it_counts_like_any_other(alice):
    study = limited(alice)
    trial = make_running(study, make_slot())
    report(trial, [0.5])
    refuse(trial)
    now = fresh(study)
    assert (now.n_infeasible, now.n_counted, now.steps_settled) == (0, 1, 1)
    assert DeviceTime.objects.exists()


def test_scripts_tell_it_in_the_same_way(alice):
    study = make_study(alice, started=True, n_trials=1)
    for _ in range(3):
        (asked,) = ask_trials(study_id=study.pk, actor=alice)
        ended = tell(trial_id=asked.trial.pk, lease=asked.lease, state="pruned", constraints=[0.2])
        assert (ended.state, ended.infeasible) == ("PRUNED", True)
    assert (fresh(study).state, fresh(study).n_counted) == ("RUNNING", 0)


# --- rungs ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheduler", ["successive_halving", "hyperband"])
def test_another_takes_its_place_at_the_rung(alice, scheduler):
    study = make(alice, scheduler=scheduler, n_trials=9, max_resource=9, parallel=9)
    first = [ask(study) for _ in range(9)]
    assert {trial.cohort.number for trial in first} == {0} and ask(study) is None
    for trial in first[:4]:
        prune_trial(trial_id=trial.pk, fence=trial.fence, constraints=[1.0])
    cohort = Cohort.objects.get(study=study, number=0)
    assert (cohort.started, cohort.n_open, cohort.planned) == (5, 5, 9)
    rung = Rung.objects.get(cohort=cohort, number=0)
    assert (rung.busy, rung.failed, RungEntry.objects.count()) == (5, 0, 0)
    others = [ask(study) for _ in range(4)]
    assert [(trial.cohort.number, trial.rung, trial.resource) for trial in others] == [(0, 0, 1)] * 4
    for trial in first[4:] + others:
        advance(trial, by_its_number)
    waiting = Trial.objects.filter(study=study, state="WAITING").order_by("number")
    assert list(waiting.values_list("number", flat=True)) == [4, 5, 6], "three of nine go on, as planned"


def test_asha_ranks_it_nowhere(alice):
    study = make(alice, scheduler="asha", n_trials=3, max_resource=9, parallel=9)
    for _ in range(2):
        trial = ask(study)
        prune_trial(trial_id=trial.pk, fence=trial.fence, constraints=[1.0])
    for _ in range(2):
        advance(ask(study), by_its_number)
    assert ask(study).resource == 1, "two have come to the rung, so nobody goes on yet"


# --- no end -----------------------------------------------------------------------------------------------------------
def test_the_first_fifty_pause_the_study_which_names_the_limit_and_the_smallest(alice):
    study = limited(alice, sampler="random", n_trials=3, parallel=2)
    for number in range(FIRST_INFEASIBLE):
        assert fresh(study).state == "RUNNING"
        refuse(make_running(study), parameters=2000 - number)
    now = fresh(study)
    assert now.state == "PAUSED"
    assert now.state_reason == (
        "the first 50 configurations are infeasible: the smallest has 1,951 parameters (trial 49), and the limit is "
        "1,000. Raise the limit in the setup, or change the ranges so that smaller models are in them, then resume the "
        "study"
    )
    resume_study(study_id=study.pk, actor=alice)
    for _ in range(FIRST_INFEASIBLE - 1):
        refuse(make_running(study))
    assert fresh(study).state == "RUNNING"
    refuse(make_running(study))
    assert fresh(study).state == "PAUSED"


def test_once_a_trial_has_trained_many_more_may_be_infeasible(alice):
    study = limited(alice, sampler="random", n_trials=3, parallel=2)
    running = make_running(study)
    report(running, [0.5])
    for _ in range(FIRST_INFEASIBLE + 1):
        refuse(make_running(study))
    assert fresh(study).state == "RUNNING"
    Study.objects.filter(pk=study.pk).update(infeasible_in_a_row=INFEASIBLE_IN_A_ROW - 1)
    refuse(make_running(study))
    assert fresh(study).state == "PAUSED" and "the last 500 configurations" in fresh(study).state_reason


def test_a_trial_that_trained_between_them_begins_the_count_anew(alice):
    study = limited(alice, sampler="random")
    for _ in range(3):
        refuse(make_running(study))
    trial = make_running(study)
    fail_trial(trial_id=trial.pk, fence=trial.fence, reason_code="lost_host", reason="gone")
    assert fresh(study).infeasible_in_a_row == 3, "it says nothing about its model"
    trial = make_running(study)
    report(trial, [0.5] * 5)
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    assert fresh(study).infeasible_in_a_row == 0


def test_where_each_limit_is_met_by_some_all_are_told(alice):
    study = make_study(alice, started=True, workload="tiny", constraints={"parameters": 1000, "flops": 10})
    for number in range(FIRST_INFEASIBLE):
        trial = make_running(study)
        counts = {"parameters": 900, "flops": 20} if number % 2 else {"parameters": 2000, "flops": 5}
        prune_trial(trial_id=trial.pk, fence=trial.fence, constraints=[1.0], facts={"footprint": counts})
    assert "900 parameters (trial 1), and the limit is 1,000; the smallest has 5 FLOPs" in fresh(study).state_reason


# --- the settings -----------------------------------------------------------------------------------------------------
def test_limits_are_stored_as_whole_numbers_and_cloned(alice):
    study = make_study(alice, workload="tiny", constraints={"flops": "1e6", "memory": "2 GB", "parameters": None})
    assert fresh(study).constraints == {"memory": 2 * 10**9, "flops": 10**6}
    clone = clone_study(study_id=study.pk, actor=alice)
    assert clone.constraints == study.constraints
    again = clone_study(study_id=study.pk, actor=alice, constraints={"flops": 1_000_000, "memory": "2000 MB"})
    assert again.pk == clone.pk, "the same limits in other words"


@pytest.mark.parametrize(
    ("constraints", "field", "words"),
    [
        ({"parameters": 0}, "constraints.parameters", "0 is no limit of parameters"),
        ({"memory": "2 G"}, "constraints.memory", "such as 2 GB"),
        ({"layers": 3}, "constraints.layers", "parameters, memory, flops can"),
        ([1], "constraints", "by name"),
    ],
)
def test_wrong_limits_are_named(alice, constraints, field, words):
    make_workload("tiny")
    with pytest.raises(Invalid) as caught:
        create_study(owner=alice, name="wrong", workload="tiny", n_trials=3, constraints=constraints)
    assert words in caught.value.fields[field][0]


def test_only_models_that_hpweb_builds_can_be_limited(alice):
    with pytest.raises(Invalid) as caught:
        make_study(alice, constraints=LIMITS)
    assert "Only the model of a PyTorch workload" in caught.value.fields["constraints"][0]
    make_workload("function", kind="objective")
    with pytest.raises(Invalid):
        make_study(alice, workload="function", constraints=LIMITS)


def test_the_sampler_learns_which_are_infeasible_until_the_limit_is_raised(alice):
    study = limited(alice)
    for parameters in (1500, 3000):
        refuse(make_running(study), parameters=parameters)
    space = SearchSpace.from_json(fresh(study).space.document)
    assert study_history(fresh(study), space).infeasible.tolist() == [True, True]
    version = fresh(study).history_version
    update_study(study=study, actor=alice, constraints={"parameters": 2000})
    assert fresh(study).history_version > version, "a suggestion that is under way is made anew"
    history = study_history(fresh(study), space)
    assert history.numbers.tolist() == [1] and history.infeasible.tolist() == [True]
    update_study(study=study, actor=alice, constraints=None)
    assert study_history(fresh(study), space).n == 0
    assert Trial.objects.filter(study=study, infeasible=True).count() == 2, "what happened stays as it was"


def test_another_study_does_not_learn_from_what_this_ones_limit_forbade(alice):
    study = limited(alice, n_trials=2)
    refuse(make_running(study))
    trial = make_running(study)
    report(trial, [0.5] * 5)
    complete_trial(trial_id=trial.pk, fence=trial.fence)
    other = make_study(alice, workload="tiny", warm_start=[{"study": study.pk}])
    assert [entry["number"] for entry in other.sources.get().trials] == [1]
