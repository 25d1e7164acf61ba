"""Warm start: which earlier studies may teach a new one, what is copied from them, and what the sampler then sees."""

import itertools
import time

import numpy as np
import pytest

from tests.factories import SPACE, make_running, make_study, make_workload
from tuning.engine import SearchSpace
from tuning.models import Study, StudySource, Trial
from tuning.selectors.sources import MOST_TRIALS, offer_of, sources_of, teaching_studies, visible_sources
from tuning.services import sources as sources_service
from tuning.services import studies
from tuning.services.endings import complete_trial, fail_trial, prune_trial
from tuning.services.errors import Invalid
from tuning.services.history import fresh_history, study_history
from tuning.services.made import make_trials
from tuning.services.proposing import propose
from tuning.services.spaces import add_space_version, parse_space
from tuning.services.studies import create_study, delete_study, update_study

_names = itertools.count(1)
ADAM = {"lr": 1e-3, "optimizer": "adamw"}
SGD = {"lr": 1e-2, "optimizer": "sgd", "momentum": 0.9}


def ended(study, params, value=0.5, *, failed="", pruned=False):
    """One more trial of a running study, with these params, that has ended."""
    trial = make_running(study)
    Trial.objects.filter(pk=trial.pk).update(params=params)
    if failed:
        fail_trial(trial_id=trial.pk, fence=1, reason_code=failed, reason="")
    elif pruned:
        prune_trial(trial_id=trial.pk, fence=1, constraints=[1.0])
    else:
        complete_trial(trial_id=trial.pk, fence=1, value=value)
    return trial


@pytest.fixture
def source(alice):
    """A running study of Alice with five ended trials: three teach by their value, one by its failure, one nothing."""
    study = make_study(alice, started=True, n_trials=50, sampler="random", name="first")
    ended(study, ADAM, 0.3)
    ended(study, SGD, 0.2)
    ended(study, {**ADAM, "lr": 1e-5}, 0.9)
    ended(study, {**ADAM, "lr": 0.1}, failed="diverged")
    ended(study, ADAM, failed="cancelled")
    return Study.objects.get(pk=study.pk)


def learning(owner, *warm_start, **settings):
    settings = {
        "space": SPACE,
        "metric": "validation/loss",
        "n_trials": 20,
        "seed": 3,
        "name": f"learner {next(_names)}",
        **settings,
    }
    return create_study(owner=owner, warm_start=list(warm_start), **settings)


def refused(owner, *warm_start, **settings):
    before = Study.objects.count()
    with pytest.raises(Invalid) as caught:
        learning(owner, *warm_start, **settings)
    assert Study.objects.count() == before
    return {field: " ".join(texts) for field, texts in caught.value.fields.items()}


def earlier_of(study, document=SPACE):
    return study_history(study, SearchSpace.from_json(document)).earlier


# --- what the sampler sees ------------------------------------------------------------------------------------------
def test_the_sampler_sees_the_trials_that_teach_and_the_study_counts_none_of_them(alice, source):
    study = learning(alice, {"study": source.pk})
    (earlier,) = earlier_of(study)
    assert earlier.numbers.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(earlier.values, [0.3, 0.2, 0.9, np.nan])
    assert earlier.deters.tolist() == [False, False, False, True]
    assert {earlier.trial(i).origin for i in range(4)} == {"earlier"}
    assert (study.n_created, study.n_ended, study.next_number) == (0, 0, 0)
    assert study_history(study, SearchSpace.from_json(SPACE)).n == 0


def test_a_narrower_space_with_a_new_parameter_takes_what_fits_with_the_assumed_value(alice, source):
    space = {
        "lr": {"type": "float", "low": 1e-4, "high": 0.05, "log": True},
        "optimizer": {"type": "categorical", "choices": ["adamw", "sgd"]},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    }
    study = learning(alice, {"study": source.pk, "assumed": {"dropout": 0}}, space=space)
    (earlier,) = earlier_of(study, space)
    assert [earlier.params(i) for i in range(earlier.n)] == [
        {"lr": 1e-3, "optimizer": "adamw", "dropout": 0.0},
        {"lr": 1e-2, "optimizer": "sgd", "dropout": 0.0},
    ]
    (row,) = sources_of(study)
    assert (row.n_finished, row.n_used, row.assumed, row.name) == (5, 2, {"dropout": 0.0}, "first")
    assert row.left_out == {
        "the value of lr is not a number from 0.0001 to 0.05": 2,
        "cancelled or lost, which says nothing about their configuration": 1,
    }


def test_several_sources_keep_their_order_and_their_own_scales(alice, source):
    other = make_study(alice, started=True, sampler="random")
    ended(other, ADAM, 40.0)
    study = learning(alice, {"study": other.pk}, {"study": source.pk})
    assert [earlier.n for earlier in earlier_of(study)] == [1, 4]


def test_the_copy_stays_as_it_was_whatever_becomes_of_the_source(alice, source):
    study = learning(alice, {"study": source.pk}, sampler="tpe")
    first = propose(study)
    ended(source, {**ADAM, "lr": 2e-3}, 0.01)
    study_history.__globals__["_known"].clear()  # as in another process
    assert propose(study) == first
    update_study(study=source, actor=alice, n_trials=6)
    delete_study(study=Study.objects.get(pk=source.pk), actor=alice)
    study_history.__globals__["_known"].clear()
    assert propose(Study.objects.get(pk=study.pk)) == first
    (row,) = sources_of(study)
    assert (row.source, row.name, row.n_used) == (None, "first", 4)


def test_the_cached_and_the_fresh_history_have_the_same_earlier_trials(alice, source):
    study, space = learning(alice, {"study": source.pk}), SearchSpace.from_json(SPACE)
    for history in (study_history(study, space), study_history(study, space), fresh_history(study, space)):
        assert [earlier.values.tolist()[:3] for earlier in history.earlier] == [[0.3, 0.2, 0.9]]


def test_a_later_version_of_the_space_keeps_what_still_fits(alice, source):
    space = {**SPACE, "dropout": {"type": "float", "low": 0.0, "high": 0.5}}
    study = learning(alice, {"study": source.pk, "assumed": {"dropout": 0.4}}, space=space)
    narrow = {**SPACE, "lr": {"type": "float", "low": 1e-4, "high": 0.05, "log": True}}
    add_space_version(study, parse_space(narrow), alice, "narrower, and without dropout")
    assert [earlier.n for earlier in earlier_of(study, narrow)] == [2]
    unfit = {**space, "dropout": {"type": "float", "low": 0.0, "high": 0.3}}
    assert earlier_of(study, unfit) == ()  # what was assumed is outside, so nothing is known


def test_a_source_that_is_deleted_while_the_study_is_made_has_taught_it_all_the_same(alice, source, monkeypatch):
    update_study(study=source, actor=alice, n_trials=5)
    check = studies.check_sources

    def check_then_lose(*arguments, **settings):
        found = check(*arguments, **settings)
        delete_study(study=Study.objects.get(pk=source.pk), actor=alice)
        return found

    monkeypatch.setattr(studies, "check_sources", check_then_lose)
    study = learning(alice, {"study": source.pk})
    assert [(row.source, row.name, row.n_used) for row in sources_of(study)] == [(None, "first", 4)]
    assert [earlier.n for earlier in earlier_of(study)] == [4]


def test_a_deleted_learner_takes_its_copies_along(alice, source):
    study = learning(alice, {"study": source.pk})
    delete_study(study=study, actor=alice)
    assert not StudySource.objects.exists()
    assert Study.objects.filter(pk=source.pk).exists()


# --- the most that is taken -----------------------------------------------------------------------------------------
def test_of_more_trials_than_may_count_the_best_and_the_latest_are_taken(alice, monkeypatch):
    monkeypatch.setattr(sources_service, "MOST_TRIALS", 6)
    one = make_study(alice, started=True, sampler="random", n_trials=20, parallel=20)
    two = make_study(alice, started=True, sampler="random", n_trials=20, parallel=20)
    for number in range(8):
        ended(one, ADAM, 1.0 - 0.1 * (number == 2))  # the best of this study are 2, then 0
    ended(two, ADAM, failed="diverged")
    ended(two, ADAM, 0.5)
    study = learning(alice, {"study": one.pk}, {"study": two.pk})
    first, second = earlier_of(study)
    assert first.numbers.tolist() == [0, 2, 6, 7]
    assert second.numbers.tolist() == [0, 1]
    assert [row.n_used for row in sources_of(study)] == [4, 2]


def test_only_the_best_and_the_latest_of_a_huge_study_are_looked_at(alice):
    source = make_study(alice, sampler="random")
    make_trials(study_id=source.pk, n=3 * MOST_TRIALS, steps=2)
    source.refresh_from_db()
    offer = offer_of(source, SearchSpace.from_json(SPACE), {})
    assert offer.n_finished == 3 * MOST_TRIALS
    assert MOST_TRIALS < len(offer.raw) <= 2 * MOST_TRIALS
    assert max(offer.raw) == 3 * MOST_TRIALS - 1
    assert source.best_trial.number in offer.raw
    study = learning(alice, {"study": source.pk}, sampler="tpe")
    assert sum(earlier.n for earlier in earlier_of(study)) == MOST_TRIALS
    began = time.process_time()
    study_history(study, SearchSpace.from_json(SPACE))
    assert time.process_time() - began < 0.05, "kept per process, two thousand earlier trials cost next to nothing"


# --- what is refused ------------------------------------------------------------------------------------------------
def test_another_metric_or_direction_is_refused_with_the_remedy(alice, source):
    errors = refused(alice, {"study": source.pk}, metric="validation/accuracy", direction="maximize")
    assert errors == {
        "warm_start.0.study": f"Study {source.pk} is about validation/loss (lower is better) and the new one about "
        "validation/accuracy (higher is better), so their values cannot be compared. Give the new study that metric, "
        f"or leave study {source.pk} out."
    }
    assert list(refused(alice, {"study": source.pk}, direction="maximize")) == ["warm_start.0.study"]


def test_a_study_that_one_may_not_look_at_does_not_exist(alice, bob, admin, source):
    update_study(study=source, actor=alice, visibility="private")
    words = f"There is no study {source.pk} that you may look at."
    assert refused(bob, {"study": source.pk}) == {"warm_start.0.study": words}
    assert learning(admin, {"study": source.pk}).sources.count() == 1
    assert learning(alice, {"study": source.pk}).sources.count() == 1


@pytest.mark.parametrize("number", [0, 10**30, "3", None, True])
def test_a_study_that_is_none_is_named(alice, source, number):
    assert refused(alice, {"study": number}) == {
        "warm_start.0.study": f"There is no study {number!r} that you may look at."
    }


def test_a_study_is_named_once(alice, source):
    errors = refused(alice, {"study": source.pk}, {"study": source.pk})
    assert errors == {"warm_start.1.study": f"Study {source.pk} is named twice; name it once."}


def test_where_nothing_fits_the_reasons_are_listed(alice, source):
    space = {"lr": {"type": "float", "low": 0.2, "high": 0.3}}
    errors = refused(alice, {"study": source.pk}, space=space)
    assert errors["warm_start.0.study"] == (
        f"None of the 5 finished trials of study {source.pk} can be used: "
        "4 left out: the value of lr is not a number from 0.2 to 0.3; "
        "1 left out: cancelled or lost, which says nothing about their configuration. "
        "Widen the space, assume what is missing, or leave the study out."
    )
    fresh = make_study(alice)
    assert "has no finished trial yet" in refused(alice, {"study": fresh.pk})["warm_start.0.study"]


def test_an_assumed_value_that_the_space_does_not_take_is_named(alice, source):
    errors = refused(alice, {"study": source.pk, "assumed": {"lr": 7, "depth": 3}})
    assert errors == {
        "warm_start.0.assumed.lr": "7 is not a number from 1e-05 to 0.1",
        "warm_start.0.assumed.depth": "is not in the search space: the space has lr, optimizer, momentum",
    }


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_sampler_that_learns_nothing_is_refused(alice, source, sampler):
    errors = refused(alice, {"study": source.pk}, sampler=sampler)
    assert errors["warm_start"].startswith(f"The sampler {sampler} learns from no trials; choose one of auto, ")


def test_without_a_space_there_is_nothing_to_carry_trials_over_to(alice, source):
    make_workload("function", kind="objective", space=None)
    errors = refused(alice, {"study": source.pk}, workload="function", space=None)
    assert "suggests its parameters while it runs" in errors["warm_start"]
    assert list(refused(alice, {"study": source.pk}, space={})) == ["space"]  # one thing wrong is said once


@pytest.mark.parametrize("entry", [7, {"study": 1, "assumed": [1]}, {"study": 1, "assumed": None}])
def test_entries_of_another_shape_are_refused(alice, entry):
    assert refused(alice, entry) == {
        "warm_start": 'Write each earlier study as {"study": 3, "assumed": {"dropout": 0.1}}.'
    }


def test_too_many_studies_are_refused(alice):
    assert "at most 20" in refused(alice, *({"study": n} for n in range(21)))["warm_start"]


# --- what is offered ------------------------------------------------------------------------------------------------
def test_offered_are_the_visible_studies_of_the_workload_with_finished_trials(alice, bob, source):
    make_study(alice)  # without finished trials
    make_study(alice, workload="tiny")
    hidden = make_study(alice, started=True, sampler="random", visibility="private")
    ended(hidden, ADAM)
    assert teaching_studies(bob, "") == [source]
    assert set(teaching_studies(alice, "")) == {source, hidden}
    assert teaching_studies(alice, "tiny") == []


def test_a_viewer_is_told_which_sources_they_may_look_at(alice, bob, admin, source):
    study = learning(alice, {"study": source.pk})
    update_study(study=source, actor=alice, visibility="private")
    assert [visible for _, visible in visible_sources(alice, study)] == [True]
    assert [visible for _, visible in visible_sources(bob, study)] == [False]
    assert [visible for _, visible in visible_sources(admin, study)] == [True]


def test_sources_are_read_without_their_trials(alice, source, django_assert_num_queries):
    study = learning(alice, {"study": source.pk})
    with django_assert_num_queries(1):
        (row,) = sources_of(study)
        assert row.source.name == "first"
    assert "trials" in row.get_deferred_fields()
