"""The append-only record of who did what. A trigger in the database refuses changes and deletions."""

from django.conf import settings
from django.db import models

from tuning.models.fields import JSONTextField


class AuditEvent(models.Model):
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    actor_name = models.CharField(max_length=150)  # the name stays readable when the account is gone
    verb = models.CharField(max_length=40)
    object_kind = models.CharField(max_length=20)
    object_id = models.BigIntegerField(null=True)
    object_name = models.CharField(max_length=200, blank=True)
    before = JSONTextField(null=True)
    after = JSONTextField(null=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # activity of one object, newest first
            models.Index(fields=["object_kind", "object_id", "-id"], name="audit_object"),
        ]
