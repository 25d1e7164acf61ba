"""The schedulers and settings that a finished study is replayed through, to see what it could have saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuning.engine import registry
from tuning.engine.replay import Record, Replay, replay
from tuning.engine.schedulers.asha import ASHA, PROMOTION, STOPPING
from tuning.engine.schedulers.base import Scheduler
from tuning.engine.schedulers.hyperband import Hyperband
from tuning.engine.schedulers.median import MedianStopping
from tuning.engine.schedulers.successive_halving import SuccessiveHalving

FACTORS = (2, 3, 4)
USUAL = (3,)
DEPTH = 9  # the first rung: 1, and this part of a full training
STARTUPS = (5, 10)
MANY = 400  # trials from which on only the usual settings are replayed: each takes 0.2 s for 1,000


@dataclass(frozen=True)
class Setting:
    """A scheduler with all that a study says about it. `method` tells the two types of ASHA apart."""

    scheduler: str
    min_resource: int
    max_resource: int
    reduction_factor: int = 3
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        title = registry.schedulers()[self.scheduler].title
        kind = self.options.get("type")
        return title if kind is None else f"{title}, {kind} type"

    @property
    def words(self) -> str:
        """What is particular to it, in words."""
        if self.scheduler == MedianStopping.name:
            warm = self.options["n_warmup_steps"]
            words = f"after {self.options['n_startup_trials']} complete trials"
            return f"{words}, from step {warm + 1} on" if warm else words
        return f"1 of {self.reduction_factor} goes on, first rung at {self.min_resource}"

    @property
    def all_options(self) -> dict[str, Any]:
        """The options with the defaults of those that it does not name."""
        return dict(self.make("minimize").settings)

    def make(self, direction: str) -> Scheduler:
        return registry.make_scheduler(
            self.scheduler,
            self.options,
            min_resource=self.min_resource,
            max_resource=self.max_resource,
            reduction_factor=self.reduction_factor,
            direction=direction,
        )


@dataclass(frozen=True)
class Alternative:
    """A setting, and what the record comes to with it."""

    setting: Setting
    replay: Replay

    @property
    def merit(self) -> tuple[int, float, float]:
        """Ascending: those that keep the winner by their steps, then by what they lose, then those nobody can tell."""
        made = self.replay
        if made.gap is not None:
            return 2, 0.0, -made.steps
        if made.kept:
            return 0, 0.0, made.steps
        return 1, float("inf") if made.regret is None else made.regret, made.steps


def settings_for(max_resource: int, min_resource: int = 1, *, usual: bool = False) -> list[Setting]:
    """The settings to try for trainings of so many steps: each with a ladder of its own of two rungs or more.

    min_resource: the study's own, which a scheduler that has no first rung to set keeps. usual: fewer of them.
    """
    firsts = sorted({1, max(max_resource // DEPTH, 1)})
    found: list[Setting] = []
    for scheduler, options in (
        (ASHA.name, {"type": PROMOTION}),
        (ASHA.name, {"type": STOPPING}),
        (SuccessiveHalving.name, {}),
        (Hyperband.name, {}),
    ):
        seen: set[tuple[int, ...]] = set()
        for factor in USUAL if usual else FACTORS:
            for first in firsts:
                setting = Setting(scheduler, first, max_resource, factor, options)
                ladder = setting.make("minimize").ladder(None)
                if len(ladder) > 1 and ladder not in seen:
                    seen.add(ladder)
                    found.append(setting)
    if max_resource > 1:
        warmups = sorted({0, max_resource // 4})
        found += [
            Setting(
                MedianStopping.name,
                min(min_resource, max_resource),
                max_resource,
                options={"n_startup_trials": startup, "n_warmup_steps": warmup},
            )
            for startup in STARTUPS[: 1 if usual else None]
            for warmup in warmups
        ]
    return found


def alternatives(record: Record, max_resource: int, min_resource: int = 1) -> list[Alternative]:
    """The record through every setting, by `merit`; of more than MANY trials through the usual ones."""
    settings = settings_for(max_resource, min_resource, usual=len(record.trials) > MANY)
    made = [Alternative(setting, replay(record, setting.make(record.direction))) for setting in settings]
    return sorted(made, key=lambda alternative: alternative.merit)
