"""The end of every example: each queued trial runs, once everything is resumed and slots are free."""

from django_q.models import OrmQ
from django_q.signing import SignedPackage

from tests.services.machine import tables
from tests.services.machine.base import Worker
from tests.services.machine.hosts import PAST
from tests.services.machine.limits import Limits
from tests.services.machine.model import OPEN, expect
from tuning.models import Host, Trial
from tuning.services import scripts
from tuning.services.draining import end_drain
from tuning.services.hosts import beat_host, forget_hints
from tuning.workers import wake


class RuntimeMachine(Limits):
    """The whole machine; `made` numbers the studies' names."""

    made = 0

    def drain(self) -> None:
        """Machines come back, people resume, and hints alone must bring every study to its end."""
        for worker in list(self.workers.values()):
            self.kill(worker)
        for name in set(self.slots.values()):
            host = Host.objects.get(name=name)
            with tables.commit():
                end_drain(host_id=host.pk, actor=self.admin)
                beat_host(host_id=host.pk)
            self.draining[name] = False
        self.free()
        self.supervise()
        for trial in self.trials():
            if trial.lease:
                Trial.objects.filter(pk=trial.pk).update(lease_until=PAST)
                trial.expired = True
        self.reap()
        for study in self.studies.values():
            if study.state in ("READY", "PAUSED"):
                self.move(study, "start" if study.state == "READY" else "resume")
            endless = study.budget is None and study.steps is None and not study.grid
            if endless and study.state == "RUNNING":
                raise AssertionError("a study without an end cannot be drained")
            self.tables_agree()
        self.run_to_the_end()
        self.tables_agree()
        self.points_survive(self.trials())
        left = [study for study in self.studies.values() if study.state == "RUNNING" or study.count(*OPEN)]
        expect(not left, f"studies that nothing brings to an end: {left}")
        expect(not any(job.state in ("WAITING", "RUNNING") for job in self.jobs.values()), "a job that nobody runs")

    def run_to_the_end(self) -> None:
        """Deliver hints until there are none; each claim ends well, so that a bounded number is enough."""
        bound = sum(
            3 * (study.count(*OPEN) + (study.budget or study.steps or 8)) for study in self.studies.values()
        ) + len(self.jobs)
        for claims in range(bound + 1):
            for host in Host.objects.all():
                forget_hints(host_id=host.pk)  # earlier ones were lost, and have aged
            with tables.commit():
                wake.send()
            slots = [SignedPackage.loads(row.payload)["args"][0] for row in OrmQ.objects.order_by("pk")]
            OrmQ.objects.all().delete()
            if not slots and not self.scripts_ask():
                return
            for slot in slots:
                self.work_off(slot)
            expect(claims < bound, "the studies do not end")

    def work_off(self, slot: int) -> None:
        """A task on a hint: claim and run until nothing is to be claimed."""
        worker = self.workers.get(slot) or self.arrive(slot)
        while self.take_up(worker):
            self.tables_agree()
            self.run_claimed(worker)
            self.tables_agree()
        self.kill(worker)

    def run_claimed(self, worker: Worker) -> None:
        if worker.job:
            self.treat_job(worker, "answer")
            return
        claim = worker.claim
        trial = self.trial(claim.trial)
        last = max(claim.resource or 3, claim.step + 1)
        batch = [(step, {"validation/loss": 1.0 / step}) for step in range(claim.step + 1, last + 1)]
        if batch := trial.study.payable(batch):
            self.tell_points(claim, trial, batch)
        self.finish(claim, claim.wanted or "done", 0.0)

    def scripts_ask(self) -> bool:
        """Scripts run what theirs is; whether there was anything."""
        found = False
        for study in self.studies.values():
            while study.script and study.may_start():
                found = True
                with tables.commit():
                    asked = scripts.ask_trials(study_id=study.pk, actor=self.alice)
                expect(len(asked) == 1, "a script asked in vain")
                claim = self.begun(asked[0].trial, study, lease=asked[0].lease)
                self.tables_agree()
                self.finish(claim, "value", 0.5)
                self.tables_agree()
        return found
