"""How claims end, and what those write who have lost theirs: nothing."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.services.machine.base import Claim
from tests.services.machine.model import expect
from tests.services.machine.people import picks
from tests.services.machine.running import Running, key, points_of, values
from tuning.selectors.control import trial_control
from tuning.services import scripts
from tuning.services.endings import complete_trial, end_attempt, fail_trial, park_trial, prune_trial, requeue_trial
from tuning.services.errors import Conflict, StaleLease
from tuning.services.reporting import CheckpointNote, forget_checkpoint, record_points, renew
from tuning.services.suggestions import answer_suggestion

ATTEMPTS = ("report", "save", "beat", "forget", "suggest", "done", "value", "prune", "fail", "lost")
HOWS = ("done", "done", "value", "prune", "fail", "infeasible", "refused")
UNIT = {"type": "float", "low": 0.0, "high": 1.0}


HOWS = ["done", "done", "value", "prune", "fail", "infeasible", "refused"]


class Endings(Running):
    """The rules of endings and of stale claims."""

    # --- endings -----------------------------------------------------------------------------------------------------
    @precondition(lambda self: self.live())
    @rule(pick=picks, how=st.sampled_from(HOWS), value=values)
    def end(self, pick, how, value) -> None:
        self.finish(self.a_claim(pick), how, value)

    @precondition(lambda self: any(not claim.lease for claim in self.live()))
    @rule(pick=picks, lost=st.booleans())
    def requeue(self, pick, lost) -> None:
        """A process was killed, or its host drains."""
        rows = [claim for claim in self.live() if not claim.lease]
        self.finish(rows[pick % len(rows)], "lost" if lost else "back", 0.0)

    @precondition(lambda self: self.live())
    @rule(pick=picks)
    def end_well(self, pick) -> None:
        claim = self.a_claim(pick)
        self.finish(claim, claim.wanted or "done", 0.0)

    @precondition(lambda self: any(claim.wanted for claim in self.live()))
    @rule(pick=picks)
    def park(self, pick) -> None:
        rows = [claim for claim in self.live() if claim.wanted]
        self.finish(rows[pick % len(rows)], "park", 0.0)

    def finish(self, claim: Claim, how: str, value: float) -> None:
        trial = self.trial(claim.trial)
        with self.step(announces=True):
            (self.tell_script if claim.lease else self.tell_worker)(claim, how, value)
            if not claim.lease:
                end_attempt(attempt_id=claim.attempt, outcome=how)
        if how in ("done", "value"):
            trial.complete(value if how == "value" else None)
        elif how == "infeasible":
            trial.leave("PRUNED")
            trial.value, trial.kind = None, ""
        elif how == "refused":
            trial.refuse()
        elif how == "prune":
            trial.prune()
        elif how == "fail":
            trial.leave("FAILED", reason="code_error")
        elif how == "lost":
            trial.lose()
        else:
            trial.leave("WAITING" if how == "back" else "PAUSED")
        trial.study.close_if_done()
        for worker in self.workers.values():
            if worker.claim is claim:
                worker.claim = None

    def tell_worker(self, claim: Claim, how: str, value: float) -> None:
        if how in ("done", "value", "infeasible"):
            bounds = [1.0] if how == "infeasible" else None
            complete_trial(**key(claim), value=value if how == "value" else None, constraints=bounds)
        elif how == "refused":
            prune_trial(**key(claim), reason="above a limit", constraints=[1.0])
        elif how == "prune":
            prune_trial(**key(claim), reason="stopped by the scheduler")
        elif how == "fail":
            fail_trial(**key(claim), reason_code="code_error", reason="it failed")
        elif how in ("lost", "back"):
            requeue_trial(**key(claim), why="its process is gone", lost=how == "lost")
        else:
            park_trial(**key(claim))

    def tell_script(self, claim: Claim, how: str, value: float) -> None:
        words: dict[str, Any] = {"trial_id": claim.trial, "lease": claim.lease}
        if how in ("done", "value", "infeasible"):
            bounds = [1.0] if how == "infeasible" else None
            scripts.tell(**words, value=value if how == "value" else None, constraints=bounds)
        elif how == "refused":
            scripts.tell(**words, state="pruned", constraints=[1.0])
        else:
            scripts.tell(**words, state="pruned" if how == "prune" else "failed")

    # --- claims that were lost ---------------------------------------------------------------------------------------
    @precondition(lambda self: self.stale())
    @rule(
        pick=picks,
        hows=st.lists(st.sampled_from(ATTEMPTS), min_size=1, max_size=3),
        value=values,
    )
    def zombie(self, pick, hows, value) -> None:
        """A worker or script that has lost its claim wakes, and writes nothing."""
        running = [claim for claim in self.stale() if (t := self.trial(claim.trial)) and t.state == "RUNNING"]
        rows = running or self.stale()  # where another has the trial a write would do the most harm
        claim = rows[-1 - pick % len(rows)]
        for how in hows:
            self.write_in_vain(claim, how, value)
        expect(not trial_control(claim.trial, claim.fence).held, "a lost claim looks held")

    def write_in_vain(self, claim: Claim, how: str, value: float) -> None:
        batch = [(claim.step + 1, {"validation/loss": value})]

        def by_worker() -> None:
            if how in ("report", "save"):
                notes = [CheckpointNote("last", claim.step + 1, "stale")] if how == "save" else []
                record_points(**key(claim), points=points_of(batch) if how == "report" else [], checkpoints=notes)
            elif how == "beat":
                renew(**key(claim))
            elif how == "forget":
                forget_checkpoint(**key(claim))
            elif how == "suggest":
                answer_suggestion(**key(claim), name="z", distribution=UNIT)
            else:
                self.tell_worker(claim, how, value)

        def by_script() -> None:
            if how in ("report", "save"):
                rows = [{"step": step, "metrics": metrics} for step, metrics in batch]
                scripts.report(trial_id=claim.trial, lease=claim.lease, points=rows)
            elif how in ("beat", "forget"):
                scripts.heartbeat(trial_id=claim.trial, lease=claim.lease)
            elif how == "suggest":
                scripts.suggest(trial_id=claim.trial, lease=claim.lease, name="z", distribution=UNIT)
            else:
                self.tell_script(claim, "fail" if how == "lost" else how, value)

        self.refused_or_known(by_script if claim.lease else by_worker, claim)

    def refused_or_known(self, call: Any, claim: Claim) -> None:
        """A worker's write is stale. A script that tells an ended trial the same again is told so."""
        if not claim.lease:
            self.refused(call, StaleLease)
            return

        def quiet() -> None:
            try:
                call()
            except (Conflict, scripts.NotFound):
                return

        self.refused(quiet)
