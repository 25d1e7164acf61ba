"""A device that takes no work for now: something that is no trial holds it, or its host's disk is full."""

from tuning.models import Device
from tuning.services import hints


def note_device(*, device: Device, unavailable: str) -> None:
    """Note why the device takes no new work, or with an empty text that it does; the same again writes nothing."""
    changed = Device.objects.filter(pk=device.pk).exclude(unavailable=unavailable[:300])
    if changed.update(unavailable=unavailable[:300]) and not unavailable:
        hints.announce()
