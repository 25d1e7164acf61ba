"""What workers and scripts do with trials: claim, report, end, and write under claims that they have lost."""

import math
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.services.machine import tables
from tests.services.machine.base import Claim, Worker
from tests.services.machine.model import JobModel, StudyModel, TrialModel, expect
from tests.services.machine.people import People, few, picks
from tests.workers.fakes import FakeLauncher
from tuning.models import Job, Trial
from tuning.selectors.job_kinds import lane_of
from tuning.selectors.work import attempt_of, slot_numbered
from tuning.services import scripts
from tuning.services.endings import (
    requeue_trial,
)
from tuning.services.errors import Conflict, StaleLease
from tuning.services.hosts import clear_hint
from tuning.services.metrics import Point
from tuning.services.reaper import release_slot
from tuning.services.reporting import CheckpointNote, forget_checkpoint, record_points, renew
from tuning.workers.tasks import claim_next, work

values = st.sampled_from([0.5, 0.25, 0.75, 1.5, -1.0, math.nan, math.inf])


def points_of(batch: list[tuple[int, dict[str, float]]]) -> list[Point]:
    return [Point(step, metrics, 1_700_000_000.0 + step) for step, metrics in batch]


def key(claim: Claim) -> dict[str, int]:
    return {"trial_id": claim.trial, "fence": claim.fence}


class Running(People):
    """The rules of claims."""

    # --- claims ------------------------------------------------------------------------------------------------------
    def fill(self) -> None:
        for slot in self.slots:
            self.take_up(self.arrive(slot))

    @rule(pick=picks)
    def claim(self, pick) -> None:
        """A slot without work looks for some."""
        wanted = [slot for slot, lane in self.lanes.items() if lane == "device" or self.due(slot)]
        free = [slot for slot in wanted if not self.works(slot)]
        if free:
            slot = free[pick % len(free)]
            self.take_up(self.workers.get(slot) or self.arrive(slot))

    def may_run(self, study: StudyModel, host: str) -> bool:
        raise NotImplementedError

    def works(self, slot: int) -> bool:
        worker = self.workers.get(slot)
        return worker is not None and bool(worker.claim or worker.job)

    @rule(pick=picks)
    def hint(self, pick) -> None:
        """A hint arrives at a slot, perhaps for the third time. Where a task works there, it changes nothing."""
        slot = list(self.slots)[pick % len(self.slots)]
        worker = self.workers.get(slot)
        if self.works(slot):
            launcher = FakeLauncher(error=OSError("a replayed hint has started a process"))
            self.refused(
                lambda: expect(work(slot, launcher) == 0, "two tasks work on a slot"), unwatched=tables.UNWATCHED
            )
            return
        self.take_up(worker or self.arrive(slot))

    def take_up(self, worker: Worker) -> bool:
        """What a task does with a slot that is its own: release what a dead worker left there, claim the next."""
        slot = slot_numbered(worker.slot)
        with self.step():
            clear_hint(slot.pk)
            release_slot(slot.pk)
        self.released(worker.slot)
        with self.step():
            claimed = claim_next(slot)
        return self.claimed(worker, claimed)

    def released(self, slot: int) -> None:
        for trial in self.trials():
            if trial.state == "RUNNING" and trial.slot == slot:
                self.lost(trial)
        for job in self.jobs.values():
            if job.state == "RUNNING" and job.slot == slot:
                job.lose(3)

    def lost(self, trial: TrialModel) -> None:
        trial.lose()
        if trial.state == "FAILED":
            trial.study.close_if_done()

    def claimed(self, worker: Worker, claimed: Any) -> bool:
        """Whether the worker got something, which must be what it was due."""
        ready = [study for study in self.studies.values() if not study.script and study.may_start()]
        ready = [study for study in ready if self.may_run(study, worker.host)]
        due = self.due(worker.slot)
        if self.draining[worker.host]:
            expect(claimed is None, "a host that drains has claimed something")
        elif due:
            expect(isinstance(claimed, Job) and claimed.pk == min(job.pk for job in due), "the oldest job goes first")
            job = self.jobs[claimed.pk]
            job.state, job.slot, job.expired = "RUNNING", worker.slot, False
            job.fence += 1
            worker.job = (job.pk, job.fence)
            self.job_claims.append(worker.job)
        elif ready and self.lanes[worker.slot] == "device":
            expect(isinstance(claimed, Trial), "a slot was free and there was work, and it got nothing")
            study = self.studies[claimed.study_id]
            expect(study in ready, f"a trial of a study that may start none was claimed: {study}")
            best = max(study.priority for study in ready)
            expect(study.priority == best, "a study of a higher priority had to wait")
            worker.claim = self.begun(claimed, study, slot=worker.slot)
        else:
            expect(claimed is None, f"{claimed} was claimed and nothing was to be had")
        return claimed is not None

    def due(self, slot: int) -> list[JobModel]:
        """Jobs that wait for a slot of this lane, on any host or this one."""
        waiting = [job for job in self.jobs.values() if job.state == "WAITING" and job.host in ("", self.slots[slot])]
        return [job for job in waiting if lane_of(job.kind) == self.lanes[slot]]

    def begun(self, row: Trial, study: StudyModel, *, slot: int | None = None, lease: str = "") -> Claim:
        """The model of a claim: a waiting trial first, then a promotion, then a new one."""
        waiting = [trial for trial in study.trials.values() if trial.state == "WAITING"]
        parked = [trial for trial in study.trials.values() if trial.state == "PAUSED"]
        if waiting:
            expect(row.pk == waiting[0].pk, f"trial {row.number} was claimed before {waiting[0].number}")
            trial = waiting[0]
        elif parked and study.rungs:
            expect(row.pk == parked[0].pk, f"trial {row.number} was claimed, and {parked[0].number} was to be promoted")
            trial = parked[0]
            trial.resource = study.max_resource
        else:
            trial = self.added(row, study)
        trial.claimed(slot=slot, lease=lease)
        self.touched.add(trial.pk)
        expect(row.fence == trial.fence, f"claim {row.fence} of trial {trial.number}, not {trial.fence}")
        claim = Claim(trial.pk, trial.fence, slot, lease, attempt_of(row).pk, trial.resource, trial.checkpoint or 0)
        self.claims.append(claim)
        return claim

    @precondition(lambda self: any(study.script for study in self.studies.values()))
    @rule(pick=picks, n=few)
    def ask(self, pick, n) -> None:
        rows = [study for study in self.studies.values() if study.script]
        study = rows[pick % len(rows)]

        def call() -> list[scripts.AskedTrial]:
            return scripts.ask_trials(study_id=study.pk, actor=self.alice, n=n)

        if study.state != "RUNNING":
            self.refused(call, Conflict)
            return
        with self.step():
            asked = call()
        self.reaped()
        for one in asked:
            expect(study.may_start(), "a script was given a trial that was not to be had")
            self.begun(one.trial, study, lease=one.lease)
        expect(len(asked) == n or not study.may_start(), "a script was given fewer than there were")

    def reaped(self) -> None:
        """Every expired lease has been taken back."""
        for trial in self.trials():
            if trial.state == "RUNNING" and trial.expired:
                self.lost(trial)
        for job in self.jobs.values():
            if job.state == "RUNNING" and job.expired:
                job.lose(3)

    # --- reports -----------------------------------------------------------------------------------------------------
    def a_claim(self, pick: int) -> Claim:
        rows = self.live()
        return rows[pick % len(rows)]

    @precondition(lambda self: self.live())
    @rule(pick=picks, losses=st.lists(values, min_size=1, max_size=3), saved=st.booleans(), more=st.booleans(), at=few)
    def report(self, pick, losses, saved, more, at) -> None:
        """The next steps of a worker's trial, perhaps with a checkpoint; any steps of a script's."""
        claim = self.a_claim(pick)
        trial = self.trial(claim.trial)
        first = at - 1 if claim.lease else claim.step + 1
        batch = [
            (first + n, {"validation/loss": loss, **({"accuracy": 1.0 - n} if more else {})})
            for n, loss in enumerate(losses)
        ]
        batch = trial.study.payable(batch)
        checkpoint = batch[-1][0] if batch and saved and not claim.lease else None
        if batch:
            self.tell_points(claim, trial, batch, checkpoint)

    @precondition(lambda self: self.live())
    @rule(loss=values, saved=st.booleans())
    def report_all(self, loss, saved) -> None:
        """Time goes by: every claim reports its next step."""
        for claim in self.live():
            trial = self.trial(claim.trial)
            checkpoint = claim.step + 1 if saved and not claim.lease else None
            if batch := trial.study.payable([(claim.step + 1, {"validation/loss": loss})]):
                self.tell_points(claim, trial, batch, checkpoint)

    def tell_points(self, claim: Claim, trial: TrialModel, batch: list[Any], checkpoint: int | None = None) -> None:
        with self.step():
            if claim.lease:
                rows = [{"step": step, "metrics": metrics} for step, metrics in batch]
                decision = scripts.report(trial_id=claim.trial, lease=claim.lease, points=rows)
            else:
                notes = [CheckpointNote("last", checkpoint, f"step-{checkpoint}")] if checkpoint is not None else []
                decision = record_points(**key(claim), points=points_of(batch), checkpoints=notes)
        trial.accept(batch, checkpoint)
        self.touched.add(trial.pk)
        reached = claim.resource is not None and any(
            step >= claim.resource and math.isfinite(metrics["validation/loss"]) for step, metrics in batch
        )
        parks = trial.study.rungs and reached and claim.resource < trial.study.max_resource
        if not claim.lease:
            expect(decision == ("pause" if parks else "continue"), f"the scheduler says {decision}")
        claim.wanted = "park" if parks else claim.wanted
        claim.step, claim.batch = max(step for step, _metrics in batch), batch

    @precondition(lambda self: any(claim.batch for claim in self.live()))
    @rule(pick=picks)
    def report_again(self, pick) -> None:
        """The answer to the last report was lost, so it comes again: the curves stay as they are."""
        rows = [claim for claim in self.live() if claim.batch]
        claim = rows[pick % len(rows)]
        self.tell_points(claim, self.trial(claim.trial), claim.batch)

    @precondition(lambda self: self.live())
    @rule(pick=picks)
    def beat(self, pick) -> None:
        claim = self.a_claim(pick)
        with self.step():
            if claim.lease:
                scripts.heartbeat(trial_id=claim.trial, lease=claim.lease)
            else:
                renew(**key(claim))
        self.trial(claim.trial).expired = False
        # a reaper that had seen the lease expired looks again
        self.refused(lambda: requeue_trial(**key(claim), why="late", lost=True, expired=True), StaleLease)

    @precondition(lambda self: any(not claim.lease for claim in self.live()))
    @rule(pick=picks)
    def lose_checkpoint(self, pick) -> None:
        rows = [claim for claim in self.live() if not claim.lease]
        claim = rows[pick % len(rows)]
        if claim.batch:  # the worker notices before it starts the process
            return
        with self.step():
            forget_checkpoint(**key(claim))
        trial = self.trial(claim.trial)
        trial.forget()
        self.touched.add(trial.pk)
        trial.expired = False
        claim.step = 0
