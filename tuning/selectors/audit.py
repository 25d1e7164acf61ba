"""Reading the record of who did what."""

from tuning.models import AuditEvent, Study


def study_events(study: Study, limit: int = 100) -> list[AuditEvent]:
    """The newest events of a study."""
    return list(AuditEvent.objects.filter(object_kind="study", object_id=study.pk)[:limit])
