"""Studies on a virtual clock: how a scheduler keeps many workers busy, and how soon it finds something.

A worker runs one trial at a time, an epoch (one step of the resource) after another, and reports after each. Nothing is
trained: the caller says what a trial reports and how long its epochs take. Asking takes no time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from tuning.engine.optimizer import Optimizer
from tuning.engine.trial import Trial

Curve = Callable[[Trial, int], float]  # the metric of a trial after so many epochs
Clock = Callable[[Trial, int], float]  # the seconds of its epoch of this number, from 1


@dataclass(frozen=True)
class Report:
    """One epoch that has ended: when (seconds), of which trial, and how many epochs all trials have run by then."""

    time: float
    number: int
    step: int
    value: float
    epochs: int


@dataclass
class Simulation:
    """What happened until `seconds` on the virtual clock; `busy` is the time that workers spent on epochs by then."""

    workers: int
    seconds: float = 0.0
    busy: float = 0.0
    reports: list[Report] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        return len(self.reports)

    @property
    def utilisation(self) -> float:
        """The share of the workers' time that went into epochs, 0 to 1."""
        return self.busy / (self.workers * self.seconds) if self.seconds > 0 else 0.0


def simulate(
    optimizer: Optimizer,
    curve: Curve,
    clock: Clock,
    *,
    workers: int = 1,
    max_seconds: float | None = None,
    max_epochs: int | None = None,
) -> Simulation:
    """Run the optimizer's study with so many workers until nothing is left to run, or until a limit.

    Raises ValueError for fewer than one worker or an epoch that takes no time, and what the optimizer raises.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}: at least one must run the trials")
    found = Simulation(workers)
    running: list[tuple[float, int, Trial, int, float]] = []  # by the end of the epoch: end, order, trial, step, start
    order = 0

    def begin(now: float, trial: Trial, step: int) -> None:
        nonlocal order
        seconds = clock(trial, step)
        if not seconds > 0:
            raise ValueError(f"epoch {step} of trial {trial.number} takes {seconds} seconds: it must take some")
        heapq.heappush(running, (now + seconds, order, trial, step, now))
        order += 1

    now = 0.0
    while max_epochs is None or found.epochs < max_epochs:
        for trial in optimizer.ask_many(workers - len(running)):
            begin(now, trial, trial.resume_step + 1)
        if not running or (max_seconds is not None and running[0][0] > max_seconds):
            break
        now, _, trial, step, start = heapq.heappop(running)
        value = curve(trial, step)
        found.busy += now - start
        found.reports.append(Report(now, trial.number, step, value, found.epochs + 1))
        if optimizer.report(trial.number, step, value) == "continue":
            begin(now, trial, step + 1)
    found.seconds = now if max_seconds is None or not running else max_seconds
    found.busy += sum(max(found.seconds - start, 0.0) for _, _, _, _, start in running)  # begun and not ended by then
    return found
