"""Starting the next trial of a study, on a worker's slot or in a script's own process.

Waiting trials (requeued, enqueued, promoted) go first; then the scheduler is asked, and the sampler for a new one.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tuning.engine import SpaceExhausted
from tuning.models import Attempt, Slot, Study, Trial
from tuning.selectors.budget import is_timed
from tuning.selectors.clock import after
from tuning.services.budget import end_if_timed_out
from tuning.services.closing import close_if_done
from tuning.services.deadlines import deadline_of_claim
from tuning.services.errors import StaleLease
from tuning.services.proposing import Proposal, propose
from tuning.services.reporting import rebuild_progress
from tuning.services.rungs import columns_for
from tuning.services.scheduling import Done, Promote, Start, next_action, promote
from tuning.services.sharing import has_room
from tuning.services.transitions import count_change, counter, lock_study, move_trial

State = Trial.State
TRIES = 3  # to commit a suggestion made outside the lock; the last is made inside it


@dataclass(frozen=True)
class Holder:
    """Who runs the trial: a worker's slot, or a script by the hash of its lease."""

    slot: Slot | None = None
    host: str = ""
    device: str = ""
    lease_hash: str = ""


def hash_lease(lease: str) -> str:
    return hashlib.sha256(lease.encode()).hexdigest()


def may_start(study: Study) -> bool:
    return study.state == Study.State.RUNNING and study.n_running < study.parallel


def start_next(*, study_id: int, holder: Holder) -> Trial | None:
    """Claim or create the study's next trial for `holder`; None where nothing may start now.

    Raises NotFound, SamplerFailed. Calling it when nothing can start changes nothing but closing a study that is done.
    """
    for attempt in range(TRIES):
        proposal: Proposal | None = None
        last = attempt == TRIES - 1
        study = Study.objects.select_related("space").filter(pk=study_id).first()
        if study is None or not may_start(study):
            return None
        exhausted = False
        if not last and study.n_waiting == 0 and isinstance(next_action(study), Start):
            try:
                proposal = propose(study)
            except SpaceExhausted:
                exhausted = True
        with transaction.atomic():
            if is_timed(study) and end_if_timed_out(study_id=study_id):
                return None
            study = lock_study(study_id)
            if not may_start(study) or (holder.slot is not None and not has_room(study, holder.slot)):
                return None
            if (trial := _first_waiting(study)) is not None:
                return _claim(study, trial, holder)
            action = next_action(study)
            if isinstance(action, Done):
                close_if_done(study)
                return None
            if isinstance(action, Promote):
                return _claim(study, promote(study, action), holder)
            if not isinstance(action, Start):
                return None
            fits = proposal is not None and (
                proposal.number == study.next_number and proposal.history_version == study.history_version
            )
            if not fits and not exhausted:
                if not last:
                    continue
                try:
                    proposal = propose(study)
                except SpaceExhausted:
                    exhausted = True
            if exhausted:
                close_if_done(study)
                return None
            if proposal is None:
                continue
            trial = create_trial(
                study,
                proposal.params,
                origin="sampler",
                why=proposal.why,
                sampler=proposal.sampler,
                asked_at=proposal.history_version,
                start=action,
            )
            return _claim(study, trial, holder)
    return None


def create_trial(
    study: Study,
    params: dict[str, Any],
    *,
    origin: str,
    why: str,
    sampler: str = "",
    asked_at: int | None = None,
    start: Start | None = None,
    resource: int | None = None,
    fixed_params: dict[str, Any] | None = None,
    seed: int | None = None,
) -> Trial:
    """A new WAITING trial of a locked study, with the study's next number, and a seed of its own where none is given.

    It begins where the scheduler says (`start`), else runs to `resource` without competing with anybody.
    """
    number = study.next_number
    trial = Trial.objects.create(
        study=study,
        number=number,
        space_id=study.space_id,
        params=params,
        fixed_params=fixed_params,
        origin=origin,
        why=why[:300],
        sampler_used=sampler,
        asked_at=asked_at,
        resource=(start.resource if start else resource) or study.max_resource,
        turn=study.version,
        seed=study.seed + number if seed is None else seed,
        **(columns_for(study, start) if start else {}),
    )
    count_change(study, {counter(State.WAITING): +1}, historical=True, next_number=number + 1)
    return trial


def _first_waiting(study: Study) -> Trial | None:
    """In the order in which they began to wait, as in the engine; one that was lost or paused keeps its turn."""
    if not study.n_waiting:
        return None
    return Trial.objects.filter(study=study, state=State.WAITING).order_by("-priority", "turn", "number").first()


def _claim(study: Study, trial: Trial, holder: Holder) -> Trial:
    """WAITING -> RUNNING with the next fence, a lease, and an Attempt that starts at the accepted checkpoint."""
    fence = trial.fence + 1
    start_step = trial.checkpoint_step or 0
    if not move_trial(study, trial.pk, State.WAITING, State.RUNNING, fence=trial.fence):
        raise StaleLease(f"Trial {trial.number} was taken by another claim.")
    Trial.objects.filter(pk=trial.pk).update(
        fence=fence,
        slot=holder.slot,
        lease_hash=holder.lease_hash,
        lease_until=after(settings.LEASE_SECONDS),
        deadline=deadline_of_claim(study, trial),
        started=trial.started or timezone.now(),
        resource_done=start_step,
        reason_code="",
        reason="",
        traceback="",
    )
    Attempt.objects.create(
        trial=trial, fence=fence, slot=holder.slot, host=holder.host, device=holder.device[:120], start_step=start_step
    )
    trial.refresh_from_db()
    if fence > 1:
        rebuild_progress(study, trial)
    return trial
