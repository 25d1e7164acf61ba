"""Reading the record of who did what."""

from django.db.models import Q

from tuning.models import AuditEvent, Study, Trial


def study_events(study: Study, limit: int = 100) -> list[AuditEvent]:
    """The newest events of a study and of its trials."""
    trials = Trial.objects.filter(study=study).values("pk")
    own = Q(object_kind="study", object_id=study.pk) | Q(object_kind="trial", object_id__in=trials)
    return list(AuditEvent.objects.filter(own)[:limit])
