"""What the services promise, in plain Python and without a database: the state machine's other opinion.

It knows the rules of runtime.md and architecture.md and none of the code. Where the services may choose (which study,
which configuration), the machine tells the model what was chosen, and the model says whether it could be.
"""

import math
from dataclasses import dataclass, field

TERMINAL = ("COMPLETE", "PRUNED", "FAILED")
OPEN = ("WAITING", "RUNNING", "PAUSED")
Curve = dict[int, float]


class Unexpected(AssertionError):
    """The services did what the model does not allow."""


def expect(condition: object, words: str) -> None:
    if not condition:
        raise Unexpected(words)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@dataclass
class TrialModel:
    """One trial: its state, its claim, and the points of its live lineage."""

    study: "StudyModel"
    pk: int
    number: int
    params: dict
    resource: int | None
    state: str = "WAITING"
    reason: str = ""
    fence: int = 0
    retries: int = 0
    slot: int | None = None
    lease: str = ""
    expired: bool = False
    checkpoint: int | None = None
    curves: dict[str, Curve] = field(default_factory=dict)
    reported: dict[str, set[int]] = field(default_factory=dict)  # by the newest attempt
    value: float | None = None
    kind: str = ""
    finish: int | None = None
    excluded: str = ""
    done: int = 0  # steps
    retried: int | None = None
    free: bool = False  # infeasible before its first step: of no budget

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    def claimed(self, *, slot: int | None, lease: str) -> None:
        """WAITING -> RUNNING under the next fence; what a dead attempt reported past the checkpoint counts no more."""
        self.state, self.reason, self.slot, self.lease, self.expired = "RUNNING", "", slot, lease, False
        self.fence += 1
        self._begin_at(self.checkpoint)

    def _begin_at(self, step: int | None) -> None:
        self.reported, self.done = {}, step or 0
        kept = {name: {at: v for at, v in curve.items() if at <= (step or 0)} for name, curve in self.curves.items()}
        self.curves = {name: curve for name, curve in kept.items() if curve}
        self.measure()

    def forget(self) -> None:
        """The checkpoint's file is gone: this attempt starts anew."""
        self.checkpoint = None
        reported = self.reported
        self._begin_at(None)
        self.reported = reported

    def accept(self, points: list[tuple[int, dict[str, float]]], checkpoint: int | None = None) -> None:
        """A report under the newest fence; a step that this attempt has reported of a metric stays as it was."""
        for step, metrics in points:
            for name, value in metrics.items():
                if step not in self.reported.setdefault(name, set()):
                    self.reported[name].add(step)
                    self.curves.setdefault(name, {})[step] = value
        if checkpoint is not None:
            self.checkpoint = checkpoint
        self.expired = False
        if points:
            self.done = max(self.done, *(step for step, _metrics in points))
            self.measure()

    def measure(self) -> None:
        """The objective value of a trial that has not ended."""
        value = self.objective()
        finite = value is not None and math.isfinite(value)
        self.value, self.kind = (value, "") if finite else (None, "" if value is None else "nan")

    def objective(self) -> float | None:
        """By the study's metric; NaN where nothing finite was reported, None where nothing was."""
        curve = self.curves.get(self.study.metric)
        if not curve:
            return None
        if self.study.objective == "last":
            value = curve[max(curve)]
            return value if math.isfinite(value) else math.nan
        finite = [value for value in curve.values() if math.isfinite(value)]
        return (min(finite) if self.study.direction == "minimize" else max(finite)) if finite else math.nan

    def leave(self, state: str, *, reason: str = "") -> None:
        """RUNNING or another open state -> `state`, without a claim; a failed trial has no value."""
        self.state, self.reason, self.slot, self.lease, self.expired = state, reason, None, "", False
        if state == "FAILED":
            self.value, self.kind = None, ""

    def complete(self, value: float | None = None) -> str:
        """What becomes of a trial that says it is done."""
        if value is None:
            value = self.objective()
            if value is not None and not math.isfinite(value):
                curve = self.curves[self.study.metric]
                value = curve[max(curve)]
        if value is None:
            self.leave("FAILED", reason="code_error")
        elif not math.isfinite(value):
            self.leave("FAILED", reason="diverged")
            self.kind = "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
        else:
            self.leave("COMPLETE")
            self.value, self.kind = value, ""
        return self.state

    def prune(self) -> None:
        self.measure()
        self.leave("PRUNED")

    def refuse(self) -> None:
        """Infeasible: without a value, and before its first step without any cost."""
        self.leave("PRUNED")
        self.value, self.kind, self.free = None, "", self.done == 0

    def lose(self) -> None:
        """Its process was lost: back to waiting, or given up once that has happened too often."""
        if self.retries >= self.study.max_retries:
            self.leave("FAILED", reason="lost_host")
        else:
            self.retries += 1
            self.leave("WAITING")


@dataclass
class StudyModel:
    """One study: its limits and its trials."""

    pk: int
    script: bool
    budget: int | None
    parallel: int
    objective: str = "best"
    direction: str = "minimize"
    metric: str = "validation/loss"
    max_retries: int = 3
    rungs: bool = False
    grid: frozenset = frozenset()
    max_resource: int = 3
    priority: int = 0
    owner: str = "alice"
    steps: int | None = None  # of all trials together
    limit: int | None = None  # seconds of a trial
    high: float = 1.0  # of the range
    state: str = "READY"
    trials: dict[int, TrialModel] = field(default_factory=dict)

    def count(self, *states: str) -> int:
        return sum(trial.state in states for trial in self.trials.values())

    @property
    def created(self) -> int:
        return len(self.trials)

    @property
    def counted(self) -> int:
        return sum(not trial.free for trial in self.trials.values())

    @property
    def spent(self) -> bool:
        """Whether there can be no further trial, while what is at work stays as it is."""
        unpaid = self.steps is not None and self.committed() + self.max_resource > self.steps
        return unpaid or (self.budget is not None and self.counted >= self.budget)

    def committed(self) -> int:
        """The steps that its trials have done, or may still do; one that failed before its first counts as one."""
        at_work = [max(t.done, self.max_resource) for t in self.trials.values() if t.state in ("WAITING", "RUNNING")]
        over = [t for t in self.trials.values() if t.state not in ("WAITING", "RUNNING") and not t.free]
        return sum(at_work) + sum(max(t.done, 1) for t in over)

    def payable(self, batch: list[tuple[int, dict[str, float]]]) -> list[tuple[int, dict[str, float]]]:
        """What a trial process reports, which ends at the study's resource; only scripts go on as they like."""
        return [one for one in batch if self.steps is None or one[0] <= self.max_resource]

    def exhausted(self) -> bool:
        """Whether every configuration of a grid has been handed out; excluded trials are not in its history."""
        tried = {frozenset(trial.params.items()) for trial in self.trials.values() if not trial.excluded}
        return bool(self.grid) and self.grid <= tried

    def may_start(self) -> bool:
        """Whether a free slot would get a trial of it."""
        if self.state != "RUNNING" or self.count("RUNNING") >= self.parallel:
            return False
        if self.count("WAITING") or (self.rungs and self.count("PAUSED")):
            return True
        return not self.spent and not self.exhausted()

    def close_if_done(self) -> None:
        if self.state == "RUNNING" and not self.count(*OPEN) and (self.spent or self.exhausted()):
            self.state = "FINISHED"

    def best(self) -> int | None:
        """The best completed trial that counts, of equals the one that ended first; once the study has ended without
        any, the best of those that were cut short."""
        counted = [t for t in self.trials.values() if not t.excluded and t.value is not None]
        rows = [t for t in counted if t.state == "COMPLETE"]
        if not rows and self.state in ("FINISHED", "STOPPED"):
            rows = [t for t in counted if t.state == "PRUNED"]
        sign = 1 if self.direction == "minimize" else -1
        return min(rows, key=lambda t: (sign * t.value, t.finish)).pk if rows else None


@dataclass
class JobModel:
    """A job, and which host alone may run it."""

    pk: int
    kind: str
    host: str
    state: str = "WAITING"
    fence: int = 0
    retries: int = 0
    slot: int | None = None
    expired: bool = False

    def leave(self, state: str) -> None:
        self.state, self.slot, self.expired = state, None, False

    def lose(self, most: int) -> None:
        if self.retries >= most:
            self.leave("FAILED")
        else:
            self.retries += 1
            self.leave("WAITING")
