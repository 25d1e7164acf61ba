"""`manage.py worker`: the supervised workers of this host, until Ctrl-C or SIGTERM."""

from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from tuning.workers.supervisor import HostTaken, Supervisor


class Command(BaseCommand):
    help = "Run this host's workers: one slot per GPU, or per core where there is no GPU (HPWEB_SLOTS changes that)."

    # Not those of addresses, which load every page: workers serve none.
    requires_system_checks = [Tags.models, Tags.database]

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            Supervisor().run()
        except HostTaken as error:
            raise CommandError(str(error)) from error
