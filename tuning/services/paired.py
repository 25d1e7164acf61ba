"""The studies of paired runs: closed to further trials, counted when they end, deleted with the study they are for."""

from django.db.models import QuerySet
from django.utils import timezone

from tuning.models import AdviceTest, Study
from tuning.selectors.advice_tests import comparison_of
from tuning.services.errors import Conflict

PAIRED = Study.PAIRED


def refuse_paired(study: Study) -> None:
    """Raise Conflict where the study's runs are pairs: one more, or another range, would compare nothing."""
    if study.kind == PAIRED:
        raise Conflict(
            "These are the paired runs of an advice, and they stand as they were made. To run pairs again, try the "
            "advice once more on the page of its trial."
        )


def settle_test(study: Study) -> None:
    """Store what the pairs of a locked study have shown, as it ends; of another study nothing."""
    test = AdviceTest.objects.filter(study=study, ended__isnull=True).first() if study.kind == PAIRED else None
    if test is None:
        return
    found = comparison_of(test)
    test.differences, test.counted = list(found.differences), found.n
    test.mean, test.low, test.high, test.outcome = found.mean, found.low, found.high, found.outcome
    test.ended = timezone.now()
    test.save()


def runs_of(study: Study) -> QuerySet[Study]:
    """The studies of paired runs that the study's trials have."""
    return Study.objects.filter(advice_test__trial__study=study)


def forget_tests(study: Study) -> None:
    """A study of paired runs is about to be deleted: what it has shown stays, what it has not come to show goes."""
    AdviceTest.objects.filter(study=study, ended__isnull=True).delete()
