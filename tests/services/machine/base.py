"""The machine's world: people, two hosts with three slots and places for short jobs, what must hold after every step.

Each example lives in a savepoint that is rolled back; every call of a service is committed within it (tables.commit),
so that hints go out. Workers are played: one holds its slot's lock, as a task does, and at most one claim.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django_q.models import OrmQ
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.factories import make_user, make_workload
from tests.services.machine import tables
from tests.services.machine.model import TERMINAL, Curve, JobModel, StudyModel, TrialModel, expect, same
from tuning.models import Host, Slot
from tuning.selectors.sharing import slots_to_wake
from tuning.services.errors import ServiceError
from tuning.services.hosts import FoundDevice, register_host
from tuning.workers.devices import PLACES
from tuning.workers.slots import slot_lock

HISTORICAL = ("COMPLETE", "PRUNED", "FAILED", "PAUSED")
HOSTS = {"attic": 2, "cellar": 1}  # slots


@dataclass
class Claim:
    """What one worker or script was given: it does not know when it has lost it."""

    trial: int
    fence: int
    slot: int | None
    lease: str
    attempt: int
    resource: int | None
    step: int
    batch: list[Any] = field(default_factory=list)
    wanted: str = ""


@dataclass
class Worker:
    """A task that holds its slot's lock, and what it runs."""

    slot: int
    host: str
    lock: ExitStack
    claim: Claim | None = None
    job: tuple[int, int] | None = None  # id and fence


def summed(curve: Curve, goal: str) -> tuple[int, int, float | None, float | None]:
    """What a curve's summary should be: points, last step, last and best value (None: not finite)."""
    finite = [value for value in curve.values() if math.isfinite(value)]
    last = curve[max(curve)]
    best = (min(finite) if goal == "minimize" else max(finite)) if finite else None
    return len(curve), max(curve), last if math.isfinite(last) else None, best


class World(RuleBasedStateMachine):
    """State, snapshots and invariants; the rules are in the classes that build on it."""

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.whole = True  # no step has failed
        self.alice, self.bob = make_user("alice", staff=True), make_user("bob")  # she may change his studies, too
        self.admin = make_user("admin", staff=True)
        self.people = {"alice": self.alice, "bob": self.bob}
        make_workload("tiny", max_resource=3)
        self.slots: dict[int, str] = {}
        self.lanes: dict[int, str] = {}
        for name in HOSTS:
            self.register(name)
            rows = Slot.objects.filter(device__host__name=name).order_by("device", "index")
            self.slots |= dict.fromkeys(rows.values_list("pk", flat=True), name)
            self.lanes |= dict(rows.values_list("pk", "lane"))
        self.studies: dict[int, StudyModel] = {}
        self.jobs: dict[int, JobModel] = {}
        self.draining: dict[str, bool] = dict.fromkeys(HOSTS, False)
        self.workers: dict[int, Worker] = {}
        self.claims: list[Claim] = []
        self.job_claims: list[tuple[int, int]] = []
        self.touched: set[int] = set()  # trials whose curves a step may have changed
        self.was_studies: dict[int, dict[str, Any]] = {}
        self.was_trials: dict[int, dict[str, Any]] = {}
        self.was_jobs: dict[int, dict[str, Any]] = {}

    def teardown(self) -> None:
        """Let everything that is left run to its end, then forget the example."""
        try:
            if self.whole:
                self.drain()
                connection.check_constraints()
        finally:
            for worker in self.workers.values():
                worker.lock.close()
            transaction.set_rollback(True)
            self._example.__exit__(None, None, None)

    def drain(self) -> None:
        raise NotImplementedError

    def register(self, name: str) -> Host:
        device = FoundDevice("cpu", "CPU", None, HOSTS[name], 1)
        return register_host(name=name, boot_id="boot", facts={}, devices=[device, PLACES])

    # --- looking things up -------------------------------------------------------------------------------------------
    def trials(self) -> list[TrialModel]:
        return [trial for study in self.studies.values() for trial in study.trials.values()]

    def trial(self, pk: int) -> TrialModel | None:
        return next((trial for trial in self.trials() if trial.pk == pk), None)

    def holds(self, claim: Claim) -> bool:
        trial = self.trial(claim.trial)
        return trial is not None and trial.state == "RUNNING" and trial.fence == claim.fence

    def live(self) -> list[Claim]:
        return [claim for claim in self.claims if self.holds(claim)]

    def stale(self) -> list[Claim]:
        return [claim for claim in self.claims if not self.holds(claim)]

    # --- calling services --------------------------------------------------------------------------------------------
    @contextmanager
    def step(self, *, announces: bool = False) -> Iterator[None]:
        """One committed call; where it `announces`, every idle slot has a hint after it if there is work."""
        self.whole = False
        with tables.commit():
            yield
        OrmQ.objects.all().delete()
        if announces:
            dull = [slot.pk for slot in slots_to_wake() if slot.hinted is None]
            expect(not dull, f"there is work and nobody hinted the idle slots {dull}")

    def refused(self, call: Callable[[], Any], *errors: type[ServiceError], unwatched: tuple[str, ...] = ()) -> None:
        """The call raises one of `errors` (none: it returns), and in both cases no table has changed."""
        self.whole = False
        before = tables.everything(besides=unwatched)
        try:
            with tables.commit():
                call()
        except errors as error:
            raised = type(error).__name__
        else:
            raised = ""
        expect(bool(errors) == bool(raised), f"refused: {raised or 'nothing was raised'}")
        after = tables.everything(besides=unwatched)
        changed = [name for name, rows in after.items() if rows != before[name]]
        expect(not changed, f"a call that must write nothing has written {changed}")

    # --- what always holds -------------------------------------------------------------------------------------------
    @invariant()
    def tables_agree(self) -> None:
        """Every promise of the module's list, read from the tables."""
        self.whole = False
        studies, trials = tables.studies(), tables.trials()
        expect(studies.keys() == self.studies.keys(), "there are other studies than expected")
        self.one_ending(studies, trials)
        for pk, row in studies.items():
            self.study_agrees(self.studies[pk], row, trials)
        for row in trials.values():
            old = self.was_trials.get(row["id"])
            expect(old is None or row["fence"] >= old["fence"], f"the fence of trial {row['number']} fell")
        self.jobs_agree(tables.jobs(), trials)
        self.versions_rise(studies, trials)
        self.points_survive([trial for trial in self.trials() if trial.pk in self.touched])
        self.touched.clear()
        self.was_studies, self.was_trials = studies, trials
        self.whole = True

    def one_ending(self, studies: dict[int, dict[str, Any]], trials: dict[int, dict[str, Any]]) -> None:
        for pk, row in studies.items():
            own = [trial for trial in trials.values() if trial["study_id"] == pk]
            ended = [trial for trial in own if trial["finish_seq"] is not None]
            numbers = sorted(trial["finish_seq"] for trial in ended)
            expect(numbers == list(range(1, len(numbers) + 1)), f"the endings are numbered {numbers}")
            expect(row["finish_seq"] == len(numbers), "the study counts other endings than its trials")
            for trial in own:
                ending = (trial["state"], trial["finish_seq"], trial["completed"], trial["reason_code"])
                expect((trial["finish_seq"] is not None) == (trial["state"] in TERMINAL), f"an ending as {ending}")
                old = self.was_trials.get(trial["id"])
                if old is not None and old["finish_seq"] is not None:
                    was = (old["state"], old["finish_seq"], old["completed"], old["reason_code"])
                    expect(was == ending, f"trial {trial['number']} ended as {was} and again as {ending}")

    def study_agrees(self, study: StudyModel, row: dict[str, Any], trials: dict[int, dict[str, Any]]) -> None:
        own = {pk: trial for pk, trial in trials.items() if trial["study_id"] == study.pk}
        expect(own.keys() == study.trials.keys(), f"there are the trials {sorted(own)}")
        for pk, trial in study.trials.items():
            trial.finish = own[pk]["finish_seq"]
            self.trial_agrees(trial, own[pk])
        for state in ("WAITING", "RUNNING", "PAUSED", *TERMINAL):
            counted = sum(trial["state"] == state for trial in own.values())
            expect(
                row[f"n_{state.lower()}"] == counted, f"n_{state.lower()} is {row[f'n_{state.lower()}']} of {counted}"
            )
        expect(study.budget is None or len(own) <= study.budget, f"{len(own)} trials of {study.budget}")
        expect(row["next_number"] == len(own), "numbers are handed out once each")
        told = (row["state"], row["budget_total"], row["parallel"], row["best_trial_id"])
        expected = (study.state, study.budget, study.parallel, study.best())
        expect(told == expected, f"the study is {told}, not {expected}")

    def trial_agrees(self, trial: TrialModel, row: dict[str, Any]) -> None:
        columns = ("state", "reason_code", "fence", "retries", "slot_id", "value", "value_kind", "checkpoint_step")
        told = tuple(row[name] for name in columns)
        expected = (trial.state, trial.reason, trial.fence, trial.retries, trial.slot, trial.value, trial.kind)
        expect(told == (*expected, trial.checkpoint), f"trial {trial.number} is {told}, not {expected}")
        expect((row["lease_until"] is not None) == (trial.state == "RUNNING"), "a lease belongs to a running trial")
        expect(bool(row["lease_hash"]) == bool(trial.lease), "a script's lease belongs to its running trial")
        expect(row["resource_done"] == trial.done, f"trial {trial.number} did {row['resource_done']}, not {trial.done}")
        expect(bool(row["excluded_at"]) == bool(trial.excluded), f"trial {trial.number} counts or not")

    def jobs_agree(self, rows: dict[int, dict[str, Any]], trials: dict[int, dict[str, Any]]) -> None:
        held = [row["slot_id"] for row in trials.values() if row["state"] == "RUNNING" and row["slot_id"]]
        held += [row["slot_id"] for row in rows.values() if row["state"] == "RUNNING"]
        expect(len(held) == len(set(held)), f"a slot has two holders: {held}")
        expect(rows.keys() == self.jobs.keys(), "there are other jobs than expected")
        for pk, job in self.jobs.items():
            told = tuple(rows[pk][name] for name in ("state", "fence", "retries", "slot_id"))
            expected = (job.state, job.fence, job.retries, job.slot)
            expect(told == expected, f"job {job.kind} is {told}, not {expected}")
            old = self.was_jobs.get(pk)
            expect(old is None or rows[pk]["fence"] >= old["fence"], "a job's fence fell")
        self.was_jobs = rows

    def versions_rise(self, studies: dict[int, dict[str, Any]], trials: dict[int, dict[str, Any]]) -> None:
        """`version` never falls; `history_version` rises by one for each trial created, ended, parked, promoted or
        counted anew, for other ranges, and by nothing else."""
        for pk, row in studies.items():
            old = self.was_studies.get(pk)
            if old is None:
                continue
            rises = int(row["space_id"] != old["space_id"])
            for trial in trials.values():
                if trial["study_id"] != pk:
                    continue
                was = self.was_trials.get(trial["id"])
                if was is None:
                    rises += 1
                    continue
                if was["state"] != trial["state"]:
                    rises += trial["state"] in HISTORICAL or was["state"] == "PAUSED"
                rises += (was["excluded_at"], was["excluded_reason"]) != (
                    trial["excluded_at"],
                    trial["excluded_reason"],
                )
            rose = row["history_version"] - old["history_version"]
            expect(rose == rises, f"history_version rose by {rose} and not by {rises}")
            moved = any(
                self.was_trials.get(trial["id"], {}).get("state") != trial["state"]
                for trial in trials.values()
                if trial["study_id"] == pk
            )
            least = old["version"] + (moved or row["state"] != old["state"])
            expect(row["version"] >= least, f"version went from {old['version']} to {row['version']}")

    def points_survive(self, trials: list[TrialModel]) -> None:
        """Every accepted point of the live lineage, and no other, is in the curve with its value, once; the summary
        of a curve equals a recount. Looked at where a step reported or claimed, and for all trials at the end."""
        if not trials:
            return
        summaries = tables.summaries()
        for trial in trials:
            found = tables.curves(trial.study.pk, trial.pk)
            expect(found.keys() == trial.curves.keys(), f"trial {trial.number} has curves of {sorted(found)}")
            for name, curve in trial.curves.items():
                expect(found[name].keys() == curve.keys(), f"trial {trial.number}: {name} at {sorted(found[name])}")
                for step, value in curve.items():
                    wrong = f"trial {trial.number}: {name} at {step} is {found[name][step]} and not {value}"
                    expect(same(found[name][step], value), wrong)
                goal = trial.study.direction if name == trial.study.metric else "maximize"
                summary, recount = summaries[(trial.pk, name)], summed(curve, goal)
                expect(summary == recount, f"trial {trial.number}: the summary of {name} is {summary} of {recount}")

    # --- workers -----------------------------------------------------------------------------------------------------
    def arrive(self, slot: int) -> Worker:
        """A task has taken up the slot's hint and holds the slot's lock."""
        lock = ExitStack()
        expect(lock.enter_context(slot_lock(slot)), "the slot's lock is free")
        worker = Worker(slot, self.slots[slot], lock)
        self.workers[slot] = worker
        return worker

    def kill(self, worker: Worker) -> None:
        """The kernel frees its lock; the tables know nothing yet."""
        worker.lock.close()
        del self.workers[worker.slot]
