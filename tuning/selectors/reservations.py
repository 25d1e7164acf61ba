"""For whom devices are reserved at present."""

from django.db.models import QuerySet
from django.db.models.functions import Now

from tuning.models import Device


def reserved_devices(among: QuerySet[Device]) -> dict[int, int]:
    """For whom devices are reserved at present: {device id: person's id}. One query."""
    rows = among.filter(reserved_until__gt=Now(), reserved_for__isnull=False)
    return {device: person for device, person in rows.values_list("pk", "reserved_for_id") if person is not None}
