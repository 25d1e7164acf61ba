"""The composition root: whom the services announce new work to."""

from django.apps import AppConfig


class TuningConfig(AppConfig):
    name = "tuning"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tuning.services import hints
        from tuning.workers import wake

        hints.register(wake.send)
