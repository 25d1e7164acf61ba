"""What happens to machines: workers die, leases run out, hosts drain, go and come back; and the jobs they run."""

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.factories import DESCRIPTION
from tests.services.machine import tables
from tests.services.machine.base import Worker
from tests.services.machine.endings import Endings
from tests.services.machine.model import JobModel, expect
from tests.services.machine.people import picks
from tuning.models import Attempt, Host, Job, Trial
from tuning.services import hints
from tuning.services.draining import end_drain, start_drain
from tuning.services.errors import StaleLease
from tuning.services.hosts import beat_host, drain_host, leave_host
from tuning.services.job_endings import complete_job, finish_job, requeue_job
from tuning.services.jobs import renew_job, request_describe, request_job, request_split
from tuning.services.reaper import reap_dead, reap_expired, release_slot

PAST = timezone.datetime(2020, 1, 1, tzinfo=timezone.get_current_timezone())


class Hosts(Endings):
    """The rules of machines and jobs."""

    # --- deaths and leases -------------------------------------------------------------------------------------------
    @precondition(lambda self: self.workers)
    @rule(pick=picks)
    def die(self, pick) -> None:
        """kill -9 of a worker: its lock is free, the tables say that it runs."""
        worker = list(self.workers.values())[pick % len(self.workers)]
        self.kill(worker)

    @precondition(lambda self: self.live())
    @rule(pick=picks, then=st.sampled_from(["nothing", "reaped", "given on"]))
    def lose_lease(self, pick, then) -> None:
        """A worker is frozen, or cut off, until its lease has run out; perhaps its slot is given to another."""
        claim = self.a_claim(pick)
        with self.step():
            Trial.objects.filter(pk=claim.trial).update(lease_until=PAST)
        self.trial(claim.trial).expired = True
        if then != "nothing":
            self.reap()
        if then == "given on" and claim.slot in self.workers and claim.slot:
            self.kill(self.workers[claim.slot])
            self.take_up(self.arrive(claim.slot))

    @rule(verb=st.sampled_from(["reap", "supervise", "hint_again", "notice"]))
    def look(self, verb) -> None:
        """What a supervisor and its workers do every second."""
        getattr(self, verb)()

    def haunt(self) -> None:
        """The first claim is lost, its slot given on, and its worker wakes and tries to end the trial."""
        claim = self.live()[0]
        self.lose_lease(0, "given on")
        for how in ("report", "done", "prune", "lost"):
            self.write_in_vain(claim, how, 0.5)

    def reap(self) -> None:
        gone = [trial for trial in self.trials() if trial.state == "RUNNING" and trial.expired]
        lost = [job for job in self.jobs.values() if job.state == "RUNNING" and job.expired]
        with self.step(announces=bool(gone or lost)):
            reaped = reap_expired()
        expect(reaped == len(gone) + len(lost), f"{reaped} were reaped of {len(gone)} trials and {len(lost)} jobs")
        self.reaped()
        self.refused(lambda: expect(reap_expired() == 0, "the second reaping found something"))

    def supervise(self) -> None:
        """The supervisor looks for slots that are busy by the tables and have nobody who works."""
        for slot in self.slots:
            if slot not in self.workers:
                with self.step():
                    release_slot(slot)
                self.released(slot)

    def hint_again(self) -> None:
        """Hints are sent again and again; they change nothing but what is noted of them."""
        self.refused(hints.announce, unwatched=(*tables.UNWATCHED, "django_q_ormq"))
        with self.step(announces=True):
            hints.announce()

    # --- hosts -------------------------------------------------------------------------------------------------------
    @rule(
        name=st.sampled_from(["attic", "cellar"]),
        verb=st.sampled_from(["out", "in", "killed", "ended"]),
        now=st.booleans(),
    )
    def serve(self, name, verb, now) -> None:
        """A host goes out of service, or into it, or its supervisor is killed or ended and comes back."""
        if verb == "out":
            self.drain_by_person(name, now)
        elif verb == "in" or any(self.draining.values()):
            self.undrain(name)
        else:
            self.restart(name, verb == "ended")

    def drain_by_person(self, name: str, now: bool) -> None:
        host = Host.objects.get(name=name)

        def call() -> None:
            start_drain(host_id=host.pk, actor=self.admin, now=now)

        with self.step():
            call()
        self.draining[name] = True
        self.refused(call)

    def undrain(self, name: str) -> None:
        host = Host.objects.get(name=name)
        with self.step(announces=bool(host.drained_by)):
            end_drain(host_id=host.pk, actor=self.admin)
        if host.drained_by:
            self.draining[name] = False
        self.refused(lambda: end_drain(host_id=host.pk, actor=self.admin))

    def restart(self, name: str, orderly: bool) -> None:
        """The supervisor goes, in order or not, and comes back: what its workers ran waits again at once."""
        host = Host.objects.get(name=name)
        for worker in [worker for worker in self.workers.values() if worker.host == name]:
            self.kill(worker)
        running = [t for t in self.trials() if t.state == "RUNNING" and t.slot and self.slots[t.slot] == name]
        busy = [job for job in self.jobs.values() if job.state == "RUNNING" and self.slots[job.slot] == name]
        with self.step():
            if orderly:
                drain_host(host_id=host.pk)
            else:
                self.register(name)
            reap_dead(host=name, is_alive=lambda attempt: False, lost=not orderly)
            if orderly:
                leave_host(host_id=host.pk)
                self.register(name)
            beat_host(host_id=host.pk)
        for trial in running:
            if orderly:
                trial.leave("WAITING")
            else:
                self.lost(trial)
        for job in busy:
            if orderly:
                job.leave("WAITING")
            else:
                job.lose(3)
        if not host.drained_by:
            self.draining[name] = False
        expect(not Attempt.objects.filter(host=name, ended__isnull=True).exists(), "an attempt has no end")

    # --- jobs --------------------------------------------------------------------------------------------------------
    @rule(
        pick=picks,
        kind=st.sampled_from(["describe", "split", "preflight"]),
        host=st.sampled_from(["", "attic", "cellar"]),
        how=st.sampled_from(["answer", "error", "unreadable", "lost", "beat", "expire"]),
    )
    def job(self, pick, kind, host, how) -> None:
        """A job is asked for, worked on, or answered under a claim that was lost."""
        lost = [held for held in self.job_claims if not self.owns(held)]
        if self.job_workers():
            self.treat_job(self.job_workers()[pick % len(self.job_workers())], how)
        elif lost and pick % 2:
            self.wake_with_job(lost[-1 - pick % len(lost)], how)
        else:
            self.request(kind, host)

    def request(self, kind: str, host: str) -> None:
        """The same request twice is one job while it is open."""
        known = next(
            (
                job
                for job in self.jobs.values()
                if (job.kind, job.host) == (kind, host) and job.state in ("WAITING", "RUNNING")
            ),
            None,
        )

        def call() -> Job:
            if kind == "describe":
                return request_describe(actor=self.alice, host=host)
            if kind == "preflight":  # one that trains, on a device
                args = {"host": host} if host else {}
                return request_job(kind=kind, actor=self.alice, args=args, dedupe=f"preflight@{host}")
            return request_split(actor=self.alice, workload="tiny", host=host)

        if known is None:
            with self.step(announces=True):
                job = call()
            self.jobs[job.pk] = known = JobModel(job.pk, kind, host)
        again: list[Job] = []
        self.refused(lambda: again.append(call()))
        expect(again[0].pk == known.pk, "the same request made two jobs")

    def job_workers(self) -> list[Worker]:
        """Workers whose job is still theirs."""
        return [w for w in self.workers.values() if w.job and self.owns(w.job)]

    def owns(self, held: tuple[int, int]) -> bool:
        job = self.jobs[held[0]]
        return job.state == "RUNNING" and job.fence == held[1]

    def treat_job(self, worker: Worker, how: str) -> None:
        pk, fence = worker.job
        job = self.jobs[pk]
        if how == "answer" and job.kind == "split":
            how = "error"  # an answer would pin studies, which tests/services/test_offerings.py looks at
        with self.step(announces=how == "lost"):
            if how == "answer":
                expect(
                    complete_job(job_id=pk, fence=fence, answer={"workloads": [{**DESCRIPTION, "max_resource": 3}]}),
                    how,
                )
            elif how == "error":
                expect(finish_job(job_id=pk, fence=fence, error="it failed"), how)
            elif how == "unreadable":
                expect(complete_job(job_id=pk, fence=fence, answer={"no": "answer"}), how)
            elif how == "lost":
                expect(requeue_job(job_id=pk, fence=fence, why="gone"), how)
            elif how == "beat":
                renew_job(job_id=pk, fence=fence)
            else:
                Job.objects.filter(pk=pk).update(lease_until=PAST)
        if how in ("beat", "expire"):
            job.expired = how == "expire"
            return
        worker.job = None
        if how == "lost":
            job.lose(3)
        else:
            job.leave("COMPLETE" if how == "answer" else "FAILED")

    def wake_with_job(self, held: tuple[int, int], how: str) -> None:
        pk, fence = held
        if how == "beat":
            self.refused(lambda: renew_job(job_id=pk, fence=fence), StaleLease)
        elif how in ("answer", "unreadable"):
            answer = {"workloads": [], "sizes": {}, "digest": "0", "data_digest": "0", "hashes": {}}
            self.refused(lambda: expect(not complete_job(job_id=pk, fence=fence, answer=answer), how))
        elif how == "error":
            self.refused(lambda: expect(not finish_job(job_id=pk, fence=fence, error="late"), how))
        else:
            self.refused(lambda: expect(not requeue_job(job_id=pk, fence=fence, why="late"), how))

    def notice(self) -> None:
        """Workers look, find that their claim is another's, end their process and are free."""
        for worker in self.workers.values():
            if worker.claim and not self.holds(worker.claim):
                worker.claim = None
            if worker.job and not self.owns(worker.job):
                worker.job = None
