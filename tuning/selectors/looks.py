"""Which studies look at the same test set, and how often anybody has looked at it.

The test set is what studies share: one that was looked at in another study is no longer unseen. The same are: the same
data under whatever name, the same workload whose data nobody has fingerprinted, and what has turned out at an earlier
reveal to be the same test examples. Trials that scripts run say nothing of their data: their study stands alone.
"""

from django.db.models import F, Q, QuerySet, Sum

from tuning.models import Reveal, SealedChoice, Study


def _same(study: Study, prefix: str, own: str) -> Q:
    """Rows about the study's test set, as a filter; `prefix` leads to the row with workload and data_digest."""
    if not study.workload:
        return Q(**{own: study.pk})
    workload, data = f"{prefix}workload", f"{prefix}data_digest"
    if not study.data_digest:
        return Q(**{workload: study.workload})
    return Q(**{data: study.data_digest}) | Q(**{workload: study.workload, data: ""})


def looks_at(study: Study, test_digest: str = "") -> QuerySet[Reveal]:
    """Every reveal of the study's test set, by any study; `test_digest`: of its examples, where it is known."""
    same = _same(study, "seal__", "study_id")
    known = Reveal.objects.filter(same).exclude(test_digest="").values("test_digest")
    rows = same | Q(test_digest__in=known)
    return Reveal.objects.filter(rows | Q(test_digest=test_digest) if test_digest else rows)


def looks_under_way(study: Study) -> QuerySet[SealedChoice]:
    """Seals of the test set whose job waits or runs: each will be a look."""
    same = SealedChoice.objects.filter(_same(study, "", "study_id"))
    return same.filter(reveal__isnull=True, job__state__in=["WAITING", "RUNNING"])


def trials_on(study: Study) -> int:
    """The trials that have ended in all studies of the test set, this one's among them."""
    ended = F("n_complete") + F("n_pruned") + F("n_failed")
    total = Study.objects.filter(_same(study, "", "pk")).aggregate(total=Sum(ended))["total"]
    return int(total or 0)
