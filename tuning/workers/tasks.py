"""The django-q entry point: a hint wakes a slot, which claims and runs work until there is none.

The slot's trial process stays warm for a while after that, and the task with it: the next hint finds it at once.
"""

import logging
import time

from django.conf import settings
from django.db import connection

from tuning.models import Job, Slot, Trial
from tuning.selectors.sharing import claimable_studies
from tuning.selectors.work import device_slots, slot_call, slot_numbered
from tuning.services.devices import note_device
from tuning.services.errors import NotFound, SamplerFailed, StaleLease
from tuning.services.hosts import clear_hint
from tuning.services.jobs import claim_job
from tuning.services.lifecycle import pause_study
from tuning.services.reaper import release_slot
from tuning.services.starting import Holder, start_next
from tuning.workers.devices import trouble_with
from tuning.workers.job_run import JobRun
from tuning.workers.launcher import Launcher
from tuning.workers.patience import DATABASE_AWAY
from tuning.workers.slots import slot_lock
from tuning.workers.trial_run import TrialRun
from tuning.workers.warm import WarmLauncher

logger = logging.getLogger(__name__)

CALL_SECONDS = 0.1  # between two looks of a task that waits with a warm process


def claim_next(slot: Slot) -> Job | Trial | None:
    """Claim what this slot should run now: a job of its lane first, else a trial of the study whose turn it is.

    A place for short jobs takes no trial.
    """
    slot.refresh_from_db()
    host = slot.device.host
    host.refresh_from_db()
    if host.draining or not slot.enabled:
        return None
    trouble = trouble_with(slot.device, device_slots(slot.device_id))
    if trouble != slot.device.unavailable:
        note_device(device=slot.device, unavailable=trouble)
    if trouble:
        return None
    job = claim_job(slot=slot)
    if job is not None or slot.lane != Slot.Lane.DEVICE:
        return job
    holder = Holder(slot=slot, host=host.name, device=f"{slot.device.kind}, slot {slot.index}")
    for study_id in claimable_studies(slot):
        try:
            trial = start_next(study_id=study_id, holder=holder)
        except SamplerFailed as error:
            logger.exception("study %s is paused", study_id)
            pause_study(study_id=study_id, actor=None, reason=error.message)
        except (NotFound, StaleLease):
            continue  # it was deleted, or somebody was quicker
        else:
            if trial is not None:
                return trial
    return None


def work(slot_id: int, launcher: Launcher | None = None) -> int:
    """Run work on the slot until there is none; returns how much. A hint for a slot that is busy does nothing."""
    launcher = launcher or WarmLauncher()
    done = 0
    slot = slot_numbered(slot_id)
    if slot is None:
        return 0
    with slot_lock(slot_id) as held:
        if not held:
            return 0  # the hint stays: a task that waits there looks for it, and one that is frozen must let it age
        clear_hint(slot_id)
        launcher.clear(slot)  # whatever a worker that was killed has left of its trial
        release_slot(slot_id)
        try:
            while True:
                done += work_off(slot, launcher)
                if not wait_for_call(slot_id, launcher):
                    return done
        finally:
            launcher.close()


def work_off(slot: Slot, launcher: Launcher) -> int:
    """Claim and run until there is nothing to claim; returns how much was run."""
    done = 0
    while (claimed := claim_next(slot)) is not None:
        clear_hint(slot.pk)  # one may have come between two claims; it must not age while this one runs
        if isinstance(claimed, Job):
            JobRun(claimed, slot, launcher).run()
        else:
            TrialRun(claimed, slot, launcher).run()
        done += 1
        release_slot(slot.pk)  # nothing, unless the run could not tell the database how it ended
    return done


def wait_for_call(slot_id: int, launcher: Launcher) -> bool:
    """Wait with a warm process until a hint is noted on the slot; False after WARM_SECONDS, or where none is warm.

    The hint's own message finds the slot locked and does nothing.
    """
    deadline = time.monotonic() + settings.WARM_SECONDS
    try:
        while launcher.keeps() and time.monotonic() < deadline:
            called, in_service = slot_call(slot_id)
            if not in_service:
                return False
            if called:
                clear_hint(slot_id)
                return True
            time.sleep(CALL_SECONDS)
    except DATABASE_AWAY:
        connection.close()
    return False
