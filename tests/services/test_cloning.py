"""Cloning a study: the same settings but for what is changed, linked to its source, once."""

import pytest

from tests.factories import SPACE, make_running, make_study
from tuning.models import Study
from tuning.selectors.clones import settings_of
from tuning.services.cloning import clone_study
from tuning.services.endings import complete_trial
from tuning.services.errors import Invalid, NotFound
from tuning.services.lifecycle import start_study
from tuning.services.ranges import change_ranges
from tuning.services.studies import delete_study

NARROW = {**SPACE, "lr": {"type": "float", "low": 1e-3, "high": 0.1, "log": True}}


def rich(alice, **settings):
    return make_study(
        alice,
        **{
            "name": "wide search",
            "workload": "tiny",
            "sampler": "tpe",
            "sampler_options": {"n_startup_trials": 5},
            "n_trials": 21,
            "parallel": 3,
            "max_resource": 4,
            "seed": 11,
            "visibility": "private",
            "description": "notes",
            "deterministic": True,
            "objective": "last",
            **settings,
        },
    )


def test_everything_but_the_name_is_the_sources(alice):
    source = rich(alice)
    clone = clone_study(study_id=source.pk, actor=alice)
    assert (clone.name, clone.state, clone.clone_of, clone.owner) == ("wide search, clone", "READY", source, alice)
    assert settings_of(alice, clone) == settings_of(alice, source)
    assert clone.workload_digest == source.workload_digest
    assert clone.n_created == 0


def test_changes_replace_and_options_go_with_their_sampler(alice):
    source = rich(alice)
    clone = clone_study(
        study_id=source.pk, actor=alice, name="other", sampler="random", n_trials=5, space={"lr": SPACE["lr"]}
    )
    assert (clone.name, clone.sampler, clone.sampler_options, clone.budget_total) == ("other", "random", {}, 5)
    assert list(clone.space.document) == ["lr"]
    assert (clone.parallel, clone.seed) == (3, 11)


def test_the_newest_ranges_are_taken(alice):
    source = make_study(alice, started=True)
    change_ranges(study_id=source.pk, actor=alice, space=NARROW)
    clone = clone_study(study_id=source.pk, actor=alice)
    assert (clone.space.number, clone.space.document["lr"]["low"]) == (1, 1e-3)


def test_it_learns_from_what_the_source_learnt_from_as_far_as_the_person_may_look(alice, bob):
    teacher = make_study(alice, started=True, visibility="private")
    complete_trial(trial_id=make_running(teacher).pk, fence=1, value=0.5)
    source = make_study(alice, warm_start=[{"study": teacher.pk, "assumed": {}}])
    assert clone_study(study_id=source.pk, actor=alice).sources.get().source == teacher
    assert not clone_study(study_id=source.pk, actor=bob).sources.exists()


def test_the_same_again_is_the_same_study(alice, bob):
    source = rich(alice, visibility="team")
    changes = {"name": "second", "n_trials": 9, "space": NARROW}
    clone = clone_study(study_id=source.pk, actor=alice, **changes)
    start_study(study_id=clone.pk, actor=alice)
    assert clone_study(study_id=source.pk, actor=alice, **changes) == clone
    assert clone_study(study_id=source.pk, actor=alice) == clone_study(study_id=source.pk, actor=alice)
    with pytest.raises(Invalid, match="already have a study named 'second'"):
        clone_study(study_id=source.pk, actor=alice, **{**changes, "n_trials": 10})
    theirs = clone_study(study_id=source.pk, actor=bob, **changes)
    assert (theirs.owner, theirs.clone_of) == (bob, source)
    assert Study.objects.count() == 4


def test_a_study_that_one_may_not_see_and_settings_that_are_wrong(alice, bob):
    source = rich(alice)
    with pytest.raises(NotFound):
        clone_study(study_id=source.pk, actor=bob)
    with pytest.raises(Invalid, match="n_trials"):
        clone_study(study_id=source.pk, actor=alice, n_trials=0)
    with pytest.raises(Invalid, match=r"space\.lr"):
        clone_study(study_id=source.pk, actor=alice, space={"lr": {"type": "float", "low": 2, "high": 1}})


def test_a_clone_outlives_its_source(alice):
    source = rich(alice)
    clone = clone_study(study_id=source.pk, actor=alice)
    delete_study(study=source, actor=alice)
    clone.refresh_from_db()
    assert clone.clone_of is None
