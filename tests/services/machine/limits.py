"""What limits trials: caps of people, time limits, steps, reserved devices, and ranges that change during a study."""

from datetime import timedelta

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from tests.services.machine import tables
from tests.services.machine.base import HOSTS, Claim
from tests.services.machine.hosts import PAST, Hosts
from tests.services.machine.model import StudyModel, expect
from tests.services.machine.people import picks, space_to
from tuning.models import Device, Study, Trial
from tuning.models.host import NO_DEVICE
from tuning.services.deadlines import fail_overdue
from tuning.services.endings import end_attempt
from tuning.services.errors import Conflict, StaleLease
from tuning.services.ranges import change_ranges
from tuning.services.reaper import reap_expired
from tuning.services.reserving import release_device, reserve_device
from tuning.services.scripts import heartbeat
from tuning.services.sharing import set_cap
from tuning.services.studies import update_study

PEOPLE = ("alice", "bob")
CLOSE = timedelta(seconds=10)  # of a deadline to what it must be: two times of the database, read one after another


class Limits(Hosts):
    """The rules of limits, and what they promise after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.caps: dict[str, int | None] = dict.fromkeys(PEOPLE)
        self.reserved: dict[str, str] = {}  # host -> for whom its device is
        self.until = timezone.now() + timedelta(hours=1)
        self.was_running = dict.fromkeys(PEOPLE, 0)

    def may_run(self, study: StudyModel, host: str) -> bool:
        """Whether a slot of the host may start a trial of the study now, as far as people are concerned."""
        cap = self.caps[study.owner]
        return (cap is None or self.running_of(study.owner) < cap) and (
            self.reserved.get(host, study.owner) == study.owner
        )

    def running_of(self, person: str) -> int:
        """Trials of a person on workers."""
        return sum(
            study.count("RUNNING") for study in self.studies.values() if study.owner == person and not study.script
        )

    def limit_first(self, limit: str) -> None:
        """What holds the first study back, before its trials take the slots."""
        (study,) = self.studies.values()
        if limit == "cap":
            self.cap(study.owner, 1)
        elif limit == "device":
            self.keep_device("attic", "bob" if study.owner == "alice" else "alice", "reserve")
        elif limit == "time":
            self.limit_time(0, 600)
        elif limit == "range" and not study.grid:
            self.enqueue(0, 2)
            self.change_range(0, 0.3)

    def haunt(self) -> None:
        """Its trial's new claim then misses its deadline, where it has one: the lost claim cannot say so."""
        lost = self.live()[0].trial
        super().haunt()
        rows = [claim for claim in self.live() if self.trial(claim.trial).study.limit]
        for pick, claim in enumerate(rows):
            if claim.trial == lost:
                self.miss_deadline(pick, by_reaper=False)

    # --- caps --------------------------------------------------------------------------------------------------------
    @rule(person=st.sampled_from(PEOPLE), most=st.sampled_from([None, 0, 1, 2]))
    def cap(self, person, most) -> None:
        """What runs goes on; the same again changes nothing."""

        def call() -> None:
            set_cap(user_id=self.people[person].pk, actor=self.admin, max_running=most)

        with self.step(announces=most != self.caps[person]):
            call()
        self.caps[person] = most
        self.refused(call)

    @invariant()
    def caps_hold(self) -> None:
        """No trial of a person starts above the cap: more than that may only be left of the time before it."""
        rows = tables.trials()
        for person, cap in self.caps.items():
            studies = [pk for pk, study in self.studies.items() if study.owner == person and not study.script]
            running = sum(row["state"] == "RUNNING" and row["study_id"] in studies for row in rows.values())
            most = self.was_running[person] if cap is None else max(cap, self.was_running[person])
            expect(cap is None or running <= most, f"{running} trials of {person} run, with a cap of {cap}")
            self.was_running[person] = running

    # --- reservations ------------------------------------------------------------------------------------------------
    @rule(
        host=st.sampled_from(list(HOSTS)),
        person=st.sampled_from(PEOPLE),
        verb=st.sampled_from(["reserve", "reserve", "release", "over"]),
    )
    def keep_device(self, host, person, verb) -> None:
        """A device is kept for a person, given back, or the time of that is over; what runs there goes on."""
        device = Device.objects.exclude(uuid=NO_DEVICE).get(host__name=host)
        if verb == "over":
            with self.step():
                Device.objects.filter(pk=device.pk, reserved_until__isnull=False).update(reserved_until=PAST)
            self.reserved.pop(host, None)
            return

        def call() -> None:
            if verb == "release":
                release_device(device_id=device.pk, actor=self.admin)
            else:
                reserve_device(
                    device_id=device.pk, actor=self.admin, person=person, reason="a course", until=self.until
                )

        if verb == "reserve" and self.reserved.get(host, person) != person:
            self.refused(call, Conflict)
            return
        with self.step(announces=(host in self.reserved) == (verb == "release")):
            call()
        if verb == "release":
            self.reserved.pop(host, None)
        else:
            self.reserved[host] = person
        self.refused(call)

    # --- time limits -------------------------------------------------------------------------------------------------
    @precondition(lambda self: self.studies)
    @rule(pick=picks, seconds=st.sampled_from([None, 600, 7200]))
    def limit_time(self, pick, seconds) -> None:
        """A changed time limit holds for the trials that run, too."""
        study = self.a_study(pick)
        with self.step(announces=True):
            update_study(study=Study.objects.get(pk=study.pk), actor=self.alice, trial_seconds=seconds)
        study.limit = seconds
        study.close_if_done()

    @invariant()
    def deadlines_hold(self) -> None:
        """A deadline belongs to a running trial of a study with a time limit, and is what its earlier runs leave."""
        for pk, row in tables.trials().items():
            trial = self.trial(pk)
            limited = trial is not None and trial.study.limit is not None and row["state"] == "RUNNING"
            expect((row["deadline"] is not None) == limited, f"trial {row['number']} has a deadline, or lacks one")
            if limited:
                due = row["claimed"] + timedelta(seconds=trial.study.limit - row["run_seconds"])
                expect(abs(row["deadline"] - due) < CLOSE, f"the deadline is {row['deadline']}, and not {due}")

    @precondition(lambda self: any(self.trial(claim.trial).study.limit for claim in self.live()))
    @rule(pick=picks, by_reaper=st.booleans())
    def miss_deadline(self, pick, by_reaper) -> None:
        """Its time is over: its worker or script, or the reaper, ends it once, and no claim that was lost does."""
        rows = [claim for claim in self.live() if self.trial(claim.trial).study.limit]
        claim = rows[pick % len(rows)]
        trial = self.trial(claim.trial)
        with self.step():
            Trial.objects.filter(pk=claim.trial).update(deadline=PAST)
        for stale in [one for one in self.claims if one.trial == claim.trial and one.fence < claim.fence]:
            self.refused(lambda fence=stale.fence: fail_overdue(trial_id=claim.trial, fence=fence), StaleLease)
        if by_reaper:
            expired = [one for one in self.trials() if one.state == "RUNNING" and one.expired and one is not trial]
            jobs = [job for job in self.jobs.values() if job.state == "RUNNING" and job.expired]
            with self.step(announces=True):
                reaped = reap_expired()
            expect(reaped == 1 + len(expired) + len(jobs), f"{reaped} were reaped")
        else:
            with self.step(announces=True):
                self.end_overdue(claim)
        trial.leave("FAILED", reason="deadline")
        trial.study.close_if_done()
        if by_reaper:
            self.reaped()
        for worker in self.workers.values():
            if worker.claim is claim:
                worker.claim = None
        self.refused(lambda: expect(not fail_overdue(trial_id=claim.trial, fence=claim.fence), "it ended twice"))

    def end_overdue(self, claim: Claim) -> None:
        if not claim.lease:
            expect(fail_overdue(trial_id=claim.trial, fence=claim.fence), "its deadline is over")
            end_attempt(attempt_id=claim.attempt, outcome="deadline passed")
            return
        try:
            heartbeat(trial_id=claim.trial, lease=claim.lease)
        except StaleLease as error:
            expect("missed its deadline" in error.message, f"a script is told {error.message}")
        else:
            expect(False, "a script goes on past its deadline")

    # --- steps -------------------------------------------------------------------------------------------------------
    @invariant()
    def steps_hold(self) -> None:
        """The trials of a study have trained no more steps than it has, and those at work cannot either."""
        for study in self.studies.values():
            if study.steps is not None:
                trained = sum(trial.done for trial in study.trials.values())
                expect(trained <= study.steps, f"{trained} steps were trained of {study.steps}")
                expect(study.committed() <= study.steps, f"{study.committed()} steps may be trained of {study.steps}")

    @precondition(lambda self: any(study.steps is not None for study in self.studies.values()))
    @rule(pick=picks, more=st.integers(0, 4))
    def add_steps(self, pick, more) -> None:
        rows = [study for study in self.studies.values() if study.steps is not None]
        study = rows[pick % len(rows)]
        self.raise_limits(study, total_resource=study.steps + more)

    # --- ranges ------------------------------------------------------------------------------------------------------
    @precondition(lambda self: any(not study.grid for study in self.studies.values()))
    @rule(pick=picks, high=st.sampled_from([0.3, 1.0, 2.0]))
    def change_range(self, pick, high) -> None:
        """Another version of the space: what waits and does not fit is cancelled, what runs goes on."""
        rows = [study for study in self.studies.values() if not study.grid]
        study = rows[pick % len(rows)]
        cancelled: list[int] = []

        def call() -> None:
            cancelled[:] = change_ranges(study_id=study.pk, actor=self.alice, space=space_to(high)).cancelled

        if study.state == "STOPPED":
            self.refused(call, Conflict)
            return
        if high != study.high:
            with self.step(announces=True):
                call()
            misfits = [t for t in study.trials.values() if t.state == "WAITING" and t.params["x"] > high]
            expect(cancelled == [trial.number for trial in misfits], f"the trials {cancelled} were cancelled")
            for trial in misfits:
                trial.leave("FAILED", reason="cancelled")
            study.high = high
            study.close_if_done()
        self.refused(call)
        expect(not cancelled, "the same ranges again cancel nothing")

    # --- the end -----------------------------------------------------------------------------------------------------
    def free(self) -> None:
        """Nobody holds anybody back any more."""
        for person in PEOPLE:
            with tables.commit():
                set_cap(user_id=self.people[person].pk, actor=self.admin, max_running=None)
            self.caps[person] = None
        for device in Device.objects.exclude(uuid=NO_DEVICE):
            with tables.commit():
                release_device(device_id=device.pk, actor=self.admin)
        self.reserved.clear()
