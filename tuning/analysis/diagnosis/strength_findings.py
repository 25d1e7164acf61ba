"""What a study's trials say about regularisation against size: for each regulariser of its space, with its unit named.

"Weight decay" names two things. SGD and Adam add strength / 2 * squared weights to the mean loss of a batch (an L2
penalty), so that less data want more of it; AdamW (Loshchilov & Hutter 2019) shrinks the weights by learning rate *
strength in each step, whatever the loss. Strengths of the two are not to be compared, and neither is one of a mean loss
with one of a loss summed over the examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tuning.analysis.diagnosis.knobs import knob_role
from tuning.analysis.diagnosis.strengths import Run, Slope, Strengths, best_strengths

SCALES = {"weight_decay": "log", "l1": "log", "dropout": "linear"}
DECOUPLED = ("AdamW", "SGDW", "Lion", "NAdamW", "RAdamW", "Muon")
GROWS = {"parameters": "the model", "examples": "the training set"}
TENFOLD = {"parameters": "ten times the parameters", "examples": "ten times the examples"}
UNITS = {
    "decoupled": "decoupled weight decay: each step shrinks a weight by learning rate times this share",
    "l2": "L2 penalty on the weights, added to the mean loss per example",
    "weight_decay": "weight decay as the training applies it, beside a loss that is a mean over examples",
    "l1": "L1 penalty on the weights, added to the mean loss per example",
    "dropout": "share of units that are dropped",
}
MIXED = (
    "Some of these trials have the decoupled decay of AdamW and some an L2 penalty, whose strengths are not to be "
    "compared: fix the optimizer."
)


class Sized(NamedTuple):
    """A complete trial: its value, and its sizes and optimizer's class as far as they are known."""

    params: Mapping[str, Any]
    value: float
    parameters: float | None
    examples: float | None
    optimizer: str = ""


@dataclass(frozen=True)
class StrengthFinding:
    """One regulariser of a study: its best strength at each size, and what that says."""

    parameter: str
    role: str
    unit: str
    trials: int
    found: Strengths

    @property
    def claims(self) -> list[Slope]:
        return [slope for slope in self.found.slopes if slope.claimed]

    @property
    def says(self) -> str:
        """What is claimed with its interval, or why nothing is, in a sentence that stands alone."""
        return f"{self.title}: {self.detail}" if self.claims else self.detail

    @property
    def detail(self) -> str:
        """The same below the title."""
        if self.found.problem:
            return self.found.problem
        if not self.claims:
            moves = "; ".join(self._moves(slope) for slope in self.found.slopes)
            return f"Nothing is claimed, for the 95 % interval holds zero: {moves}."
        return f"{'; '.join(map(self._moves, self.claims))}.{self._beyond}"

    @property
    def title(self) -> str:
        """The claim without its numbers, empty without one."""
        grown = [f"{'rises' if slope.value > 0 else 'falls'} with {GROWS[slope.axis]}" for slope in self.claims]
        return f"The best {self.parameter} {' and '.join(grown)}" if grown else ""

    @property
    def _beyond(self) -> str:
        edges = sum(bool(size.edge) for size in self.found.sizes if size.told)
        if not edges:
            return ""
        told = sum(size.told for size in self.found.sizes)
        where = f"Of {told} optima {edges} {'is' if edges == 1 else 'are'} at an end of the range that was searched"
        return f" {where}: it may move by more than that."

    def _moves(self, slope: Slope) -> str:
        unit = "decades" if self.found.scale == "log" else "of the units"
        return (
            f"{slope.value:+.2f} {unit} for {TENFOLD[slope.axis]} (95 % interval {slope.low:+.2f} to {slope.high:+.2f})"
        )


def strength_findings(
    space: Mapping[str, Mapping[str, Any]], trials: Sequence[Sized], direction: str, seed: int = 0
) -> list[StrengthFinding]:
    """A finding for each penalty and dropout rate that the space varies, in its order."""
    sign = 1.0 if direction == "minimize" else -1.0
    findings = []
    for name, entry in space.items():
        role = knob_role(name, entry.get("annotation"))
        if role not in SCALES or not _varies(entry):
            continue
        members = [trial for trial in trials if _is_number(trial.params.get(name))]
        kinds = {_kind(trial.optimizer) for trial in members} if role == "weight_decay" else {role}
        runs = [
            Run(float(trial.params[name]), sign * trial.value, trial.parameters, trial.examples) for trial in members
        ]
        found = best_strengths(runs, scale=SCALES[role], seed=seed)
        if len(kinds) > 1:
            found = Strengths(SCALES[role], found.axes, problem=MIXED)
        unit = UNITS[next(iter(kinds))] if len(kinds) == 1 else UNITS[role]
        findings.append(StrengthFinding(name, role, unit, len(members), found))
    return findings


def _kind(optimizer: str) -> str:
    if not optimizer:
        return "weight_decay"
    return "decoupled" if optimizer in DECOUPLED else "l2"


def _varies(entry: Mapping[str, Any]) -> bool:
    choices = entry.get("choices") or []
    return entry.get("type") in ("float", "int") or (len(choices) > 1 and all(map(_is_number, choices)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
