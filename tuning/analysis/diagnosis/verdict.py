"""The verdict about a training, and the names of all verdicts in the order in which they are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuning.analysis.diagnosis.advice import Advice

# rule -> its name for people; "unclear" stands for curves that do not tell
TITLES = {
    "diverged": "Diverged",
    "train_rises": "Training loss rises",
    "spikes": "Spikes",
    "underfit": "Underfit",
    "overfit_turning": "Overfit, and turning",
    "overfit": "Overfit, not turning yet",
    "noise": "Too noisy to tell",
    "plateau": "Plateau",
    "negative_gap": "Validation below training",
    "healthy": "Healthy",
    "unclear": "Not enough to tell",
}
RULES = tuple(TITLES)


@dataclass(frozen=True)
class Verdict:
    """What one training's curves say.

    Attributes:
        rule: a key of TITLES, the first in order that holds.
        epoch: where it happened: of the divergence, the first spike, the turn, the start of the gap or the plateau;
            None where the verdict is about the whole training.
        evidence: the numbers that it rests on, all finite.
        advice: what to change next, the most promising first; empty where nothing is wrong.
        says: one sentence with the numbers.
        also: the other rules that hold as well, in order.
    """

    rule: str
    epoch: int | None
    evidence: Mapping[str, float]
    advice: tuple[Advice, ...] = ()
    says: str = ""
    also: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        return TITLES[self.rule]
