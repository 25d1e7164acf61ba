"""The ledger of device time: who held slots for how long, hour by hour, so that people take turns fairly.

A run is booked once, when its trial leaves RUNNING; what runs now is added by whoever reads (selectors.sharing).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import F

from tuning.models import DeviceTime, Study

HOUR = timedelta(hours=1)
LONGEST_HOURS = 25  # what lies further back than anybody looks goes into the oldest of these hours


def book_device_time(study: Study, *, seconds: float, until: datetime) -> None:
    """Add a run of `seconds` on a slot that ended at `until` to the owner of the locked study."""
    for hour, share in hours_of(seconds, until):
        rows = DeviceTime.objects.filter(owner_id=study.owner_id, study=study, hour=hour)
        if not rows.update(seconds=F("seconds") + share):
            DeviceTime.objects.create(owner_id=study.owner_id, study=study, hour=hour, seconds=share)


def hours_of(seconds: float, until: datetime) -> Iterator[tuple[datetime, float]]:
    """The hours that a run of `seconds` until then lay in, the oldest first, each with its seconds."""
    began = until - timedelta(seconds=max(0.0, seconds))
    hour = until.replace(minute=0, second=0, microsecond=0)
    first = max(began.replace(minute=0, second=0, microsecond=0), hour - (LONGEST_HOURS - 1) * HOUR)
    while first <= hour:
        share = (min(first + HOUR, until) - began).total_seconds()
        if share > 0:
            yield first, share
        began = max(began, first + HOUR)
        first += HOUR
