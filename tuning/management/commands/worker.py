"""`manage.py worker`: the supervised workers of this host, until Ctrl-C or SIGTERM."""

from typing import Any

from django.core.management.base import BaseCommand

from tuning.workers.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run this host's workers: one slot per GPU, or per core where there is no GPU (HPWEB_SLOTS changes that)."

    def handle(self, *args: Any, **options: Any) -> None:
        Supervisor().run()
