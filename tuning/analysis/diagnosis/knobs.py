"""Which parameters of a study do what to a training, and what another value of one would be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning.analysis.roles import WORDS, role_of

Entry = Mapping[str, Any]

CAPACITY = {
    "units", "hidden", "neurons", "width", "widths", "filters", "channels", "layers", "depth", "blocks", "heads",
    "dim", "dims", "embedding", "size",
}  # fmt: skip
AUGMENTATION = {"augment", "augmentation", "augmentations", "mixup", "cutmix", "cutout", "jitter", "smoothing"}
SCHEDULE = {"schedule", "scheduler", "warmup", "annealing"}
CLIPPING = {"clip", "clipping"}
L1 = {"l1", "lasso"}
SMALLEST = 1e-4  # where a penalty begins that was 0
DROPOUT = 0.2  # where dropout begins
MOST_DROPOUT = 0.9  # beyond it nothing is left to learn from
OFF = ("none", "off", "no", "false", "constant", "identity", "")  # choices that stand for nothing, as words


@dataclass(frozen=True)
class Knob:
    """A parameter of the study: what it does, its entry in the space, and its value in this trial."""

    name: str
    role: str
    entry: Entry
    value: Any


def knob_role(name: str, annotation: str | None = None) -> str | None:
    """What a parameter does to a training: a role of the tables above, or None.

    "learning_rate", "weight_decay", "l1", "dropout", "augmentation", "capacity", "batch_size", "schedule" or
    "clipping".
    """
    known = role_of(name, annotation)
    words = {word.lower() for word in WORDS.findall(name if annotation is None else annotation)}
    if known == "penalty":
        return "l1" if words & L1 else "weight_decay"
    if known is not None:
        return known if known in ("learning_rate", "dropout", "batch_size") else None
    tables = {"clipping": CLIPPING, "augmentation": AUGMENTATION, "schedule": SCHEDULE, "capacity": CAPACITY}
    for role, names in tables.items():
        if words & names:
            return role
    return None


def knobs(space: Mapping[str, Entry], params: Mapping[str, Any]) -> list[Knob]:
    """The parameters with a role that this trial has, in the order of the space."""
    found = []
    for name in dict.fromkeys([*space, *params]):
        entry = space.get(name, {})
        role = knob_role(name, entry.get("annotation"))
        if role is not None and name in params:
            found.append(Knob(name, role, entry, params[name]))
    return found


def lacking(space: Mapping[str, Entry], params: Mapping[str, Any]) -> list[Knob]:
    """The parameters with a role that the trial could have and has not; its value there is None.

    One with a condition is left out: whether it holds other values decide.
    """
    found = []
    for name, entry in space.items():
        role = knob_role(name, entry.get("annotation"))
        if role is not None and name not in params and not entry.get("when"):
            found.append(Knob(name, role, entry, None))
    return found


def begun(knob: Knob, wanted: float | None = None) -> float | int | None:
    """A value to begin with for what was left out: `wanted`, else of its role or the middle of its range; None where it
    has no range."""
    low, high = knob.entry.get("low"), knob.entry.get("high")
    if knob.entry.get("type") not in ("float", "int") or low is None or high is None:
        return None
    if wanted is None:
        middle = math.sqrt(low * high) if knob.entry.get("log") else (low + high) / 2
        wanted = DROPOUT if knob.role == "dropout" else middle
    value = min(max(wanted, low), high)
    return round(value) if knob.entry["type"] == "int" else min(max(float(f"{value:.3g}"), low), high)


def switched(knob: Knob, wanted: tuple[str, ...]) -> Any:
    """The choice with the first of the wanted words in its name, else (where none is wanted) the first that is not OFF;
    None where the value is not OFF, or there is no such choice."""
    if knob.entry.get("type") != "categorical" or not _stands_for_nothing(knob.value):
        return None
    others = [choice for choice in knob.entry.get("choices", ()) if not _stands_for_nothing(choice)]
    named = [choice for word in wanted for choice in others if word in str(choice).lower().replace("_", "")]
    return next(iter(named if wanted else others), None)


def _stands_for_nothing(value: Any) -> bool:
    return value is None or str(value).lower() in OFF


def moved(knob: Knob, *, times: float | None = None, plus: float | None = None) -> float | int | None:
    """The value after a multiplication, or an addition, kept inside its range; None where it cannot move that way."""
    value, entry = knob.value, knob.entry
    fixed = entry.get("type") in ("categorical", "constant") or isinstance(value, bool)
    if fixed or not isinstance(value, int | float):
        return None
    if value == 0 and times is not None:  # switched off: no factor moves it
        plus = SMALLEST if times > 1 else 0.0
        times = None
    wanted = value * times if times is not None else value + (plus or 0.0)
    low, high = entry.get("low", -math.inf), entry.get("high", math.inf)
    wanted = min(max(wanted, low), high)
    if isinstance(value, int):
        upwards = (times or 1.0) > 1 or (plus or 0.0) > 0
        wanted = math.ceil(wanted) if upwards else math.floor(wanted)
    elif knob.entry.get("step"):
        wanted = low + round((wanted - low) / entry["step"]) * entry["step"]
    else:
        wanted = float(f"{wanted:.3g}")
        wanted = min(max(wanted, low), high)
    return None if wanted == value else wanted


def place(knob: Knob) -> float | None:
    """Where in its range the value lies, 0 to 1, on its scale; None where it has no range."""
    low, high, value = knob.entry.get("low"), knob.entry.get("high"), knob.value
    if low is None or high is None or not isinstance(value, int | float) or not high > low:
        return None
    if knob.entry.get("log"):
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))
