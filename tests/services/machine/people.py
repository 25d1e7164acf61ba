"""What people do: make, start, pause, resume, stop, extend and delete studies; queue, cancel, retry, exclude trials."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.services.machine.base import World
from tests.services.machine.model import OPEN, TERMINAL, StudyModel, TrialModel, expect
from tests.services.machine.scheduler import Rungs
from tuning.models import Study, Trial
from tuning.services.errors import Conflict, Invalid
from tuning.services.exclusion import exclude_trial, include_trial
from tuning.services.extending import extend_study
from tuning.services.lifecycle import cancel_trial, pause_study, resume_study, start_study, stop_study
from tuning.services.retrying import retry_trial
from tuning.services.studies import create_study, delete_study, update_study
from tuning.services.trials import enqueue_trial

GRID = {"x": {"type": "int", "low": 1, "high": 2}, "y": {"type": "categorical", "choices": ["a", "b"]}}
PEOPLE_IN_TURN = ("alice", "alice", "bob")


def space_to(high: float) -> dict:
    """The space of all studies but grids."""
    return {"x": {"type": "float", "low": 0.0, "high": high}}


CELLS = frozenset(frozenset({"x": x, "y": y}.items()) for x in (1, 2) for y in "ab")
VERBS = {"start": start_study, "pause": pause_study, "resume": resume_study, "stop": stop_study}
# what a verb does to a study in each state: the new state, or None for a refusal
MOVES = {
    "start": {"READY": "RUNNING", "RUNNING": "RUNNING"},
    "pause": {"RUNNING": "PAUSED", "PAUSED": "PAUSED"},
    "resume": {"PAUSED": "RUNNING", "RUNNING": "RUNNING"},
    "stop": dict.fromkeys(("READY", "RUNNING", "PAUSED", "STOPPED"), "STOPPED") | {"FINISHED": "FINISHED"},
}
picks = st.integers(0, 11)
few = st.integers(1, 3)
STUDIES = {
    "kind": st.sampled_from(["line", "line", "steps", "rungs", "grid", "script"]),
    "budget": st.integers(2, 6),
    "parallel": st.sampled_from([1, 2, 3, 3]),
    "objective": st.sampled_from(["best", "last"]),
    "direction": st.sampled_from(["minimize", "maximize"]),
}


class People(World):
    """The rules of people."""

    def a_study(self, pick: int) -> StudyModel:
        rows = list(self.studies.values())
        return rows[pick % len(rows)]

    def a_trial(self, pick: int, *states: str) -> TrialModel:
        rows = [trial for trial in self.trials() if trial.state in states] or self.trials()
        return rows[pick % len(rows)]

    def added(self, trial: Trial, study: StudyModel) -> TrialModel:
        """A trial that the services have made."""
        expect(trial.number == study.created, f"trial {trial.number} is number {study.created}")
        expect(not study.spent, f"trial {trial.number} is made beyond the budget of {study.budget}")
        expect(bool(study.grid) or trial.params["x"] <= study.high, f"trial {trial.number} lies outside its ranges")
        made = TrialModel(study, trial.pk, trial.number, dict(trial.params), trial.resource)
        study.trials[trial.pk] = made
        return made

    @initialize(**STUDIES, haunted=st.booleans(), limit=st.sampled_from(["", "cap", "cap", "device", "time", "range"]))
    def first(self, kind, budget, parallel, objective, direction, haunted, limit) -> None:
        """Every example begins with a study that runs, on all slots that it may have, or with a claim that was lost."""
        self.create(kind, budget, parallel, objective, direction, True)
        self.limit_first(limit)
        self.fill()
        if haunted and self.live():
            self.haunt()

    def fill(self) -> None:
        raise NotImplementedError

    def haunt(self) -> None:
        raise NotImplementedError

    def limit_first(self, limit: str) -> None:
        raise NotImplementedError

    @precondition(lambda self: len(self.studies) < 3)
    @rule(**STUDIES, started=st.booleans())
    def another(self, kind, budget, parallel, objective, direction, started) -> None:
        self.create(kind, budget, parallel, objective, direction, started)

    def create(self, kind, budget, parallel, objective, direction, started) -> None:
        owner = PEOPLE_IN_TURN[(self.made + budget) % 3]
        with self.step():
            row = create_study(
                owner=self.people[owner],
                name=f"study {self.made}",
                workload="" if kind == "script" else "tiny",
                space=GRID if kind == "grid" else space_to(1.0),
                metric="validation/loss",
                direction=direction,
                objective=objective,
                sampler="grid" if kind == "grid" else "random",
                scheduler=Rungs.name if kind == "rungs" else "none",
                n_trials=None if kind == "steps" or (kind == "grid" and budget > 3) else budget,
                total_resource=3 * budget + 1 if kind == "steps" else None,
                parallel=parallel,
                max_resource=3,
                seed=budget,
            )
            Study.objects.filter(pk=row.pk).update(max_retries=1 + budget % 3, priority=self.made)
        study = StudyModel(
            row.pk,
            kind == "script",
            row.budget_total,
            parallel,
            objective,
            direction,
            max_retries=1 + budget % 3,
            rungs=kind == "rungs",
            priority=self.made,
            grid=CELLS if kind == "grid" else frozenset(),
            owner=owner,
            steps=3 * budget + 1 if kind == "steps" else None,
        )
        self.studies[row.pk] = study
        self.made += 1
        if started:
            self.move(study, "start")

    @precondition(lambda self: self.studies)
    @rule(pick=picks, verb=st.sampled_from(["start", "start", "pause", "resume", "resume", "stop"]))
    def control(self, pick, verb) -> None:
        self.move(self.a_study(pick), verb)

    def move(self, study: StudyModel, verb: str) -> None:
        """Do it, and do it again: the second time nothing may change."""
        new = MOVES[verb].get(study.state)

        def call() -> None:
            VERBS[verb](study_id=study.pk, actor=self.alice)

        if new is None:
            self.refused(call, Conflict)
            return
        with self.step(announces=verb in ("start", "resume") and new != study.state):
            call()
        if new != study.state:
            study.state = new
            for trial in study.trials.values():
                if new == "PAUSED" and trial.state == "RUNNING":
                    trial.leave("WAITING")
                elif new == "STOPPED" and trial.state in ("RUNNING", "WAITING"):
                    trial.leave("FAILED", reason="cancelled")
                elif new == "STOPPED" and trial.state == "PAUSED":
                    trial.leave("PRUNED")
            study.close_if_done()
        if study.state == new:
            self.refused(call)

    @precondition(lambda self: self.studies)
    @rule(pick=picks, n_trials=st.integers(1, 7), parallel=few, priority=st.sampled_from([None, -1, 1]))
    def change(self, pick, n_trials, parallel, priority) -> None:
        if priority is None:
            self.extend(self.a_study(pick), n_trials, parallel)
        else:
            self.prefer(self.a_study(pick), priority)

    def raise_limits(self, study: StudyModel, **limits: int) -> None:
        """Extend by another limit than the number of trials."""

        def call() -> None:
            extend_study(study_id=study.pk, actor=self.alice, **limits)

        if study.state == "STOPPED":
            self.refused(call, Conflict)
            return
        same = study.steps == limits["total_resource"]
        with self.step(announces=not same):
            call()
        study.steps = limits["total_resource"]
        self.reopen(study)
        self.refused(call)

    def reopen(self, study: StudyModel) -> None:
        if study.state == "FINISHED" and not study.spent and not study.exhausted():
            study.state = "RUNNING"
        study.close_if_done()

    def extend(self, study: StudyModel, n_trials: int, parallel: int) -> None:

        def call() -> None:
            extend_study(study_id=study.pk, actor=self.alice, n_trials=n_trials, parallel=parallel)

        if study.state == "STOPPED":
            self.refused(call, Conflict)
            return
        if n_trials < study.counted:
            self.refused(call, Invalid)
            return
        same = (study.budget, study.parallel) == (n_trials, parallel)
        if study.state == "FINISHED" and study.exhausted() and n_trials > study.counted and study.budget != n_trials:
            self.refused(call, Invalid)
            return
        with self.step(announces=not same):
            call()
        study.budget, study.parallel = n_trials, parallel
        self.reopen(study)
        self.refused(call)

    def prefer(self, study: StudyModel, step: int) -> None:
        """No two studies are of equal priority: whose turn it were would depend on seconds of device time."""
        priority = 100 * step + study.priority % 100
        with self.step(announces=True):
            update_study(study=Study.objects.get(pk=study.pk), actor=self.alice, priority=priority)
        study.priority = priority
        study.close_if_done()

    @precondition(lambda self: self.studies)
    @rule(pick=picks, x=st.integers(1, 2))
    def enqueue(self, pick, x) -> None:
        study = self.a_study(pick)
        value = x if study.grid else x / 4

        def call() -> Trial:
            return enqueue_trial(study_id=study.pk, actor=self.alice, params={"x": value})

        outside = not study.grid and value > study.high
        if study.state not in ("READY", "RUNNING", "PAUSED") or study.spent or outside:
            self.refused(call, Conflict, Invalid)
            return
        with self.step(announces=True):
            trial = call()
        self.added(trial, study)

    @precondition(lambda self: any(trial.is_open for trial in self.trials()))
    @rule(pick=picks, state=st.sampled_from(["WAITING", "RUNNING", "RUNNING", "PAUSED", "FAILED"]))
    def cancel(self, pick, state) -> None:
        trial = self.a_trial(pick, state)

        def call() -> None:
            cancel_trial(trial_id=trial.pk, actor=self.alice)

        if trial.is_open:
            with self.step(announces=True):
                call()
            trial.leave("FAILED", reason="cancelled")
            trial.study.close_if_done()
        self.refused(call)

    @precondition(lambda self: any(trial.state == "FAILED" for trial in self.trials()))
    @rule(pick=picks)
    def retry(self, pick) -> None:
        failed = self.a_trial(pick, "FAILED")
        study = failed.study

        def call() -> Trial:
            return retry_trial(trial_id=failed.pk, actor=self.alice)

        if failed.retried is None:
            outside = not study.grid and failed.params["x"] > study.high
            if study.state == "STOPPED" or study.spent or outside:
                self.refused(call, Conflict)
                return
            with self.step(announces=True):
                new = self.added(call(), study)
            failed.retried = new.pk
            if study.state == "FINISHED":
                study.state = "RUNNING"
            if failed.checkpoint is not None and failed.reason != "diverged":
                new.checkpoint = new.done = failed.checkpoint
                kept = {
                    name: {step: value for step, value in curve.items() if step <= failed.checkpoint}
                    for name, curve in failed.curves.items()
                }
                new.curves = {name: curve for name, curve in kept.items() if curve}
                new.measure()
                self.touched.add(new.pk)
        again: list[Trial] = []
        self.refused(lambda: again.append(call()))
        expect(again[0].pk == failed.retried, "a trial is retried once")

    @precondition(lambda self: any(not trial.is_open for trial in self.trials()))
    @rule(pick=picks, words=st.sampled_from(["a broken disk", "other data", ""]), ended=st.booleans())
    def count_or_not(self, pick, words, ended) -> None:
        out = [trial for trial in self.trials() if trial.excluded]
        if words or not out:
            self.exclude(self.a_trial(pick, *(TERMINAL if ended else OPEN)), words or "a broken disk")
        else:
            self.include(out[pick % len(out)])

    def exclude(self, trial: TrialModel, words: str) -> None:

        def call() -> None:
            exclude_trial(trial_id=trial.pk, actor=self.alice, reason=words)

        with self.step(announces=trial.is_open):
            call()
        if trial.is_open:
            trial.leave("FAILED", reason="cancelled")
            trial.study.close_if_done()
        trial.excluded = words
        self.refused(call)

    def include(self, trial: TrialModel) -> None:
        def call() -> None:
            include_trial(trial_id=trial.pk, actor=self.alice)

        with self.step():
            call()
        trial.excluded = ""
        self.refused(call)

    @precondition(lambda self: any(s.state in ("STOPPED", "FINISHED") for s in self.studies.values()))
    @rule(pick=picks)
    def delete(self, pick) -> None:
        study = self.a_study(pick)

        def call() -> None:
            delete_study(study=Study.objects.get(pk=study.pk), actor=self.alice)

        if study.state in ("RUNNING", "PAUSED"):
            self.refused(call, Conflict)
            return
        with self.step():
            call()
        del self.studies[study.pk]
