"""The changes that advice asks for: how a role's parameters are moved, switched on, or added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tuning.analysis.diagnosis.knobs import MOST_DROPOUT, Knob, begun, knobs, lacking, moved, switched
from tuning.engine.values import short_number


@dataclass(frozen=True)
class Advice:
    """One change to try.

    Attributes:
        action: its stable name, such as "lower_learning_rate"; how often it has helped is counted by it.
        says: one sentence for the reader.
        parameters: the parameters that it moves, of the study or, where the study left one out, of its workload.
        change: other values for this trial's configuration; empty where it takes more than that.
        resource: to train to this step instead; None where it trains as far as before.
        beyond: the values that it would take were the ranges wider; only where there is no change within them.
        untested: why there is nothing to compare by paired runs, in a sentence; empty where there is.
    """

    action: str
    says: str
    parameters: tuple[str, ...] = ()
    change: Mapping[str, Any] = field(default_factory=dict)
    resource: int | None = None
    beyond: Mapping[str, Any] = field(default_factory=dict)
    untested: str = ""

    @property
    def is_testable(self) -> bool:
        return bool(self.change) or self.resource is not None


@dataclass(frozen=True)
class Situation:
    """The trial's configuration, the values that each parameter may take, and what its curves count.

    space: the study's, or wider: with what the workload offers beside it (`reach.within_reach`).
    """

    params: Mapping[str, Any]
    space: Mapping[str, Mapping[str, Any]]
    unit: str = "epoch"

    def of(self, role: str) -> list[Knob]:
        """The parameters of this role that the trial has."""
        return [knob for knob in knobs(self.space, self.params) if knob.role == role]

    def lacks(self, role: str) -> list[Knob]:
        """Those that it could have."""
        return [knob for knob in lacking(self.space, self.params) if knob.role == role]


@dataclass(frozen=True)
class Move:
    """How a role's parameters are moved.

    does: what that is in words, with the factor or sum; without: what to do where the study has no such parameter.
    """

    action: str
    role: str
    does: str
    without: str
    times: float | None = None
    plus: float | None = None

    @property
    def goes_up(self) -> bool:
        return (self.times or 1.0) > 1 or (self.plus or 0.0) > 0


LOWER_LR = Move(
    "lower_learning_rate", "learning_rate", "Lower the learning rate to a third or a tenth",
    "Lower the learning rate to a third or a tenth of what it is", times=1 / 5,
)  # fmt: skip
RAISE_LR = Move(
    "raise_learning_rate", "learning_rate", "Raise the learning rate three- to tenfold",
    "Raise the learning rate three- to tenfold; the learning-rate finder shows how far", times=5.0,
)  # fmt: skip
MORE_DECAY = Move(
    "more_weight_decay", "weight_decay", "Raise L2 weight decay three- to tenfold",
    "Add L2 weight decay as a parameter, from 1e-6 to 0.1 on a log scale", times=5.0,
)  # fmt: skip
LESS_DECAY = Move("less_weight_decay", "weight_decay", "Lower L2 weight decay to a tenth", "", times=0.1)
MORE_L1 = Move("more_l1", "l1", "Raise the L1 penalty three- to tenfold", "", times=5.0)
LESS_L1 = Move("less_l1", "l1", "Lower the L1 penalty to a tenth", "", times=0.1)
MORE_DROPOUT = Move(
    "more_dropout", "dropout", "Raise dropout by 0.1 to 0.2",
    "Add dropout as a parameter, from 0 to 0.5", plus=0.15,
)  # fmt: skip
LESS_DROPOUT = Move("less_dropout", "dropout", "Lower dropout by half", "", times=0.5)
AUGMENT = Move(
    "more_augmentation", "augmentation", "Augment the training data more strongly",
    "Augment the training data, if there are changes that keep their labels", plus=0.3,
)  # fmt: skip
SMALLER = Move("less_capacity", "capacity", "Make the model smaller", "Make the model smaller", times=0.5)
LARGER = Move(
    "more_capacity", "capacity", "Make the model larger", "Make the model larger: wider layers, or more of them",
    times=2.0,
)  # fmt: skip
LARGER_BATCH = Move("larger_batch", "batch_size", "Take larger batches", "Take larger batches", times=2.0)
CLIP = Move(
    "clip_gradients", "clipping", "Clip the gradients' norm more tightly", "Clip the gradients' norm, to 1 for a start",
    times=0.2,
)  # fmt: skip

ADDED = ("weight_decay", "dropout", "l1", "augmentation")  # roles that a study may have left out
NO_PARAMETER = "Neither the study nor its workload has a parameter for it."
NO_ROOM = "The value stands at the end of its range."


def as_advice(move: Move, s: Situation) -> list[Advice]:
    """The advice with the study's own parameters; one that asks for a new parameter where there is none."""
    found = s.of(move.role)
    lowers = move.times is not None and move.times < 1 and move.role != "clipping"
    if found and lowers and all(_is_off(knob) for knob in found):
        return []  # what is switched off cannot be lowered
    if not found:
        return _without(move, s)
    change = {knob.name: value for knob in found if (value := _after(move, knob)) is not None}
    names = tuple(knob.name for knob in found)
    if not change:
        says = f"{move.does}: {_listed(names)} cannot move that way in this space, so widen it."
        return [Advice(move.action, says, names, beyond=_beyond(move, found), untested=NO_ROOM)]
    written = ", ".join(
        f"{name} from {_written(s.params[name])} to {_written(value)}" for name, value in change.items()
    )
    return [Advice(move.action, f"{move.does}: {written}.", names, change)]


def switched_to(action: str, does: str, wanted: tuple[str, ...], s: Situation) -> Advice:
    """A schedule of the study's own choices whose name has one of the `wanted` words, first come first served."""
    for knob in s.of("schedule"):
        value = switched(knob, wanted)
        if value is not None:
            says = f"{does.rstrip('.')}: {knob.name} from {_written(knob.value)} to {_written(value)}."
            return Advice(action, says, (knob.name,), {knob.name: value})
    return Advice(action, does, untested=NO_PARAMETER)


def _beyond(move: Move, found: list[Knob]) -> dict[str, Any]:
    """The values outside the ranges; a dropout that leaves nothing to learn from, or no layer at all, is none."""
    wanted = {}
    for knob in found:
        value = moved(replace(knob, entry={"type": knob.entry.get("type")}), times=move.times, plus=move.plus)
        if value is not None and value > 0 and not (knob.role == "dropout" and value > MOST_DROPOUT):
            wanted[knob.name] = value
    return wanted


def _after(move: Move, knob: Knob) -> Any:
    if move.role == "clipping" and _is_off(knob):
        return begun(knob, 1.0)
    if move.role == "augmentation" and knob.entry.get("type") == "categorical":
        return switched(knob, ())
    return moved(knob, times=move.times, plus=move.plus)


def _without(move: Move, s: Situation) -> list[Advice]:
    """For a study without such a parameter: to add the workload's own, or to write one."""
    if not move.without and not (move.goes_up and s.lacks(move.role)):
        return []
    says = move.without or move.does
    added = {knob.name: value for knob in s.lacks(move.role) if (value := begun(knob)) is not None}
    if not added or move.role not in ADDED or not move.goes_up:
        return [Advice(move.action, f"{says}.", untested=NO_PARAMETER)]
    written = ", ".join(f"{name} at {_written(value)}" for name, value in added.items())
    return [Advice(move.action, f"{says}: {written} to begin with.", tuple(added), added)]


def _is_off(knob: Knob) -> bool:
    return knob.value is None or (knob.value == 0 and not isinstance(knob.value, bool))


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _written(value: Any) -> str:
    return short_number(value) if isinstance(value, float) else str(value)
