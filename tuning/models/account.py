"""What hpweb keeps about a person beside Django's user: password, API tokens, and the share of the devices."""

from django.conf import settings
from django.db import models

from tuning.models.study import Study


class Account(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="account")
    must_change_password = models.BooleanField(default=False)
    max_running = models.PositiveIntegerField(null=True)  # trials on workers at once; NULL: the server's default


class DeviceTime(models.Model):
    """How long a person's trials of a study held slots within one hour, for runs that are over."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="device_time")
    study = models.ForeignKey(Study, on_delete=models.SET_NULL, null=True, related_name="device_time")
    hour = models.DateTimeField()
    seconds = models.FloatField(default=0.0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "study", "hour"], name="devicetime_owner_study_hour")]
        indexes = [
            # claims: everybody's time of the last day
            models.Index(fields=["hour"], name="devicetime_hour"),
        ]


class ApiToken(models.Model):
    """A script's key. Only the SHA-256 of the secret is kept; the prefix tells tokens apart on the account page."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"
