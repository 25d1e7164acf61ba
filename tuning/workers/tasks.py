"""The django-q entry point: a hint wakes a slot, which claims and runs work until there is none."""

import logging

from tuning.models import Job, Slot, Trial
from tuning.selectors.hosts import claimable_studies
from tuning.selectors.work import slot_numbered
from tuning.services.errors import NotFound, SamplerFailed, StaleLease
from tuning.services.hosts import clear_hint
from tuning.services.jobs import claim_job
from tuning.services.lifecycle import pause_study
from tuning.services.reaper import release_slot
from tuning.services.starting import Holder, start_next
from tuning.workers.job_run import JobRun
from tuning.workers.launcher import Launcher, LocalLauncher
from tuning.workers.slots import slot_lock
from tuning.workers.trial_run import TrialRun

logger = logging.getLogger(__name__)


def claim_next(slot: Slot) -> Job | Trial | None:
    """Claim what this slot should run now: a job first, else a trial by its study's priority."""
    slot.refresh_from_db()
    host = slot.device.host
    host.refresh_from_db()
    if host.draining or not slot.enabled:
        return None
    job = claim_job(slot=slot)
    if job is not None:
        return job
    holder = Holder(slot=slot, host=host.name, device=f"{slot.device.kind}, slot {slot.index}")
    for study_id in claimable_studies().values_list("pk", flat=True):
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
    launcher = launcher or LocalLauncher()
    done = 0
    clear_hint(slot_id)
    slot = slot_numbered(slot_id)
    if slot is None:
        return 0
    with slot_lock(slot_id) as held:
        if held:
            release_slot(slot_id)
        while held and (claimed := claim_next(slot)) is not None:
            clear_hint(slot_id)  # one may have come between two claims; it must not age while this one runs
            if isinstance(claimed, Job):
                JobRun(claimed, slot, launcher).run()
            else:
                TrialRun(claimed, slot, launcher).run()
            done += 1
            release_slot(slot_id)  # nothing, unless the run could not tell the database how it ended
    return done
