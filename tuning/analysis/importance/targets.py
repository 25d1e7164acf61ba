"""What an importance can be asked of: the score, the time that training takes, or how steadily it goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A quantity of each trial: its title, what the questions call it, and what they call the trials at its better
    end."""

    name: str
    title: str
    value: str
    best: str

    def asked(self, question: str) -> str:
        """A method's question, of this quantity."""
        return question.replace("the value", self.value).replace("best tenth", f"{self.best} tenth")


SCORE = Target("score", "Score", "the value", "best")
SECONDS = Target("seconds", "Training time", "the training time", "quickest")
STABILITY = Target("stability", "Stability", "the unsteadiness", "steadiest")
TARGETS = {target.name: target for target in (SCORE, SECONDS, STABILITY)}
