"""A rung's mark names the right entry whatever came, went on, was cut, failed or ran to its end around it."""

import random
from statistics import median

import pytest

from tests.factories import make_study
from tuning.models import Cohort, Rung, RungEntry, Study, Trial
from tuning.services import rung_marks, rungs
from tuning.services.rung_marks import ALL, COMPLETE, Mark, at_rank, joined, set_mark
from tuning.services.rungs import Member
from tuning.services.scheduler_view import StudyRungView

pytestmark = pytest.mark.django_db
LOSSES = 12  # different ones: ties are common


@pytest.fixture
def study(alice) -> Study:
    return make_study(alice, scheduler="asha", scheduler_options={"type": "stopping"}, n_trials=1000, max_resource=9)


@pytest.fixture
def cohort(study) -> Cohort:
    return Cohort.objects.create(study=study, number=0, bracket=0, planned=2**31 - 1, started=999, n_open=999)


def losses(cohort, **state):
    rows = RungEntry.objects.filter(cohort=cohort, rung=0, loss__isnull=False, **state)
    return sorted(rows.values_list("loss", "number"))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("near", [2, 64])
def test_decisions_by_the_mark_are_those_of_a_count(study, cohort, seed, near, monkeypatch):
    monkeypatch.setattr(rung_marks, "NEAR", near)
    chance = random.Random(seed)
    Rung.objects.create(cohort=cohort, number=0, busy=90)
    members: list[Member] = []
    asked = 0
    for number in range(90):
        trial = Trial.objects.create(study=study, number=number, state="RUNNING", resource=1, cohort=cohort, rung=0)
        member = Member(trial.pk, number, cohort.pk, 0)
        members.append(member)
        value = float(chance.randrange(LOSSES))
        rungs.arrive(study, member, 1, value)
        rungs.arrive(study, member, 1, value)  # the same again changes nothing
        for _ in range(chance.randrange(3)):
            if members:  # each ends once
                ended = members.pop(chance.randrange(len(members)))
                rungs.follow(ended, "RUNNING", chance.choice(["COMPLETE", "COMPLETE", "FAILED"]))
        if members and chance.random() < 0.3:
            rungs.cut(chance.choice(members))
        among, complete = losses(cohort), losses(cohort, state="complete")
        for view in (StudyRungView(study), StudyRungView(study)):
            top = chance.randrange(len(among) + 3)
            wanted = sum(entry < (value, number) for entry in among) < top
            assert view.among_best(0, 0, value, number, top) == wanted
            if chance.random() < 0.3:
                n, found = view.complete_median(0, 0)
                assert (n, found) == (len(complete), median(loss for loss, _ in complete) if complete else None)
            asked += 1
        row = Rung.objects.get(cohort=cohort, number=0)
        if row.mark_among:
            ranked = among if row.mark_among == ALL else complete
            assert ranked[row.mark_rank] == (row.mark_loss, row.mark_number)
    assert asked == 180


def test_a_mark_far_away_is_set_anew_and_a_near_one_is_left(study, cohort, django_assert_num_queries):
    for number in range(300):
        trial = Trial.objects.create(study=study, number=number, state="RUNNING", resource=1, cohort=cohort, rung=0)
        rungs.arrive(study, Member(trial.pk, number, cohort.pk, 0), 1, float(number))
    StudyRungView(study).among_best(0, 0, 5.0, 5, 100)
    assert Rung.objects.get().mark_rank == 99
    view = StudyRungView(study)
    view.rung(0, 0)
    with django_assert_num_queries(1):  # the walk
        assert view.among_best(0, 0, 120.0, 120, 121)
    assert Rung.objects.get().mark_rank == 99
    StudyRungView(study).among_best(0, 0, 5.0, 5, 290)
    assert Rung.objects.get().mark_rank == 289


def test_an_entry_that_joins_before_the_mark_moves_it(cohort):
    row = Rung.objects.create(cohort=cohort, number=0)
    set_mark(cohort.pk, 0, Mark(COMPLETE, 7, 2.0, 5))
    for among, loss, number, rank in (
        (COMPLETE, 1.0, 9, 8), (COMPLETE, 2.0, 4, 9), (COMPLETE, 2.0, 6, 9), (COMPLETE, 3.0, 1, 9), (ALL, 1.0, 2, 9),
    ):  # fmt: skip
        Rung.objects.filter(pk=row.pk).update(**joined(among, loss, number))
        row.refresh_from_db()
        assert row.mark_rank == rank


def test_there_may_be_fewer_entries_than_the_rank(cohort):
    assert at_rank(cohort.pk, 0, ALL, None, 0) is None
    assert at_rank(cohort.pk, 0, COMPLETE, Mark(COMPLETE, 0, 1.0, 1), 3) is None
