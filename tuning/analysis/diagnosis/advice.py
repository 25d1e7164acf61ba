"""What to change next after a verdict, in plain words: the most promising first, with the study's own parameters.

The orders follow Goodfellow, Bengio & Courville 2016 (section 11.4) and the tuning playbook: an unstable training wants
a lower learning rate before anything else, one that has not learnt wants a better learning rate, more time and more
capacity before less regularisation, and one that overfits is stopped at its best epoch before it is regularised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuning.analysis.diagnosis.knobs import Knob, knobs, moved, place

if TYPE_CHECKING:
    from tuning.analysis.diagnosis.measures import Measures


@dataclass(frozen=True)
class Advice:
    """One change to try.

    Attributes:
        action: its stable name, such as "lower_learning_rate"; how often it has helped is counted by it.
        says: one sentence for the reader.
        parameters: the study's own parameters that it moves.
        change: other values for this trial's configuration; empty where it takes more than that: another range, a
            parameter that the study does not have, or other code or data.
    """

    action: str
    says: str
    parameters: tuple[str, ...] = ()
    change: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Situation:
    """The trial's configuration, the space that it comes from, and what its curves count."""

    params: Mapping[str, Any]
    space: Mapping[str, Mapping[str, Any]]
    unit: str = "epoch"

    def of(self, role: str) -> list[Knob]:
        return [knob for knob in knobs(self.space, self.params) if knob.role == role]


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

CLIP = Advice("clip_gradients", "Clip the gradients' norm, to 1 for a start.")
WARM_UP = Advice("warm_up", "Warm the learning rate up over the first epochs.")
CHECK_DATA = Advice("check_data", "Look for NaN and for extreme values in inputs and targets, and for log 0 or a "
                    "division by 0 in the loss.")  # fmt: skip
CHECK_CODE = Advice("check_code", "Look for a fault before anything else: the sign of the loss, a schedule that raises "
                    "the learning rate, batches that differ from epoch to epoch. More regularisation does not help "
                    "here.")  # fmt: skip
MORE_DATA = Advice("more_data", "Get more training data.")
FINDER = Advice("find_learning_rate", "Run the learning-rate finder on this configuration.")
MORE_VALIDATION = Advice("more_validation", "Use a larger validation set, or several folds.")
MORE_SEEDS = Advice("more_seeds", "Repeat the configuration with other seeds and compare means.")
DECAY_LR = Advice("decay_learning_rate", "Let the learning rate fall towards the end, by a cosine or when validation "
                  "stands still.")  # fmt: skip
EVALUATE = Advice("evaluate_training", "Measure the training loss in evaluation mode, without dropout and "
                  "augmentation, on the labels that validation has.")  # fmt: skip
LEAKAGE = Advice("check_leakage", "Check that no validation example lies in the training split, and that validation "
                 "is as hard as what the model will meet.")  # fmt: skip
COMPARE = Advice("compare_validation", "Compare the validation loss of such changes, not the gap: a closed gap with a "
                 "worse validation loss is a loss.")  # fmt: skip


def advice_for(rule: str, m: Measures | None, situation: Situation) -> tuple[Advice, ...]:
    """What to change after the verdict `rule`; `m` is None only where it diverged."""
    if rule == "diverged":
        return (*_moved(LOWER_LR, situation), WARM_UP, CLIP, CHECK_DATA)
    if m is None or rule not in AFTER:
        return ()
    return tuple(AFTER[rule](m, situation))


def _train_rises(m: Measures, s: Situation) -> list[Advice]:
    return [CHECK_CODE, *_moved(LOWER_LR, s), CLIP]


def _spikes(m: Measures, s: Situation) -> list[Advice]:
    return [*_moved(LOWER_LR, s), CLIP, *_moved(LARGER_BATCH, s)]


def _underfit(m: Measures, s: Situation) -> list[Advice]:
    """Too fast, too strongly regularised, too small or too slow: told by the curve, and by where the values lie."""
    larger, loosened, faster = _moved(LARGER, s), _loosened(s), _moved(RAISE_LR, s)
    if _too_fast(m):
        return [*_moved(LOWER_LR, s), WARM_UP, FINDER]
    longer = [Advice("train_longer", "Train longer: the training loss still falls.")] if _falls(m) else []
    if any(_is_strong(knob) for knob in _regularisers(s)):
        return [*loosened, *larger, *longer, FINDER]
    if any(_is_small(knob) for knob in s.of("capacity")):
        return [*larger, *longer, FINDER, *loosened]
    if longer:
        return [*faster, *longer, FINDER, *larger]
    return [FINDER, *larger, *loosened]


def _too_fast(m: Measures) -> bool:
    """It began far above what knowing nothing costs, or goes up and down above where it began."""
    if m.base is not None and max(m.train) > 1.5 * m.base:
        return True
    ups = sum(max(0.0, after - before) for before, after in zip(m.train, m.train[1:], strict=False))
    return ups > 0.05 * m.scale and m.train_end > 0.9 * m.scale


def _falls(m: Measures) -> bool:
    """It falls nearly every epoch, and at the end no slower than at a fifth of its pace."""
    downs = sum(after < before for before, after in zip(m.train, m.train[1:], strict=False))
    pace = (m.train[0] - m.train[-1]) / max(1, m.epochs[-1] - m.epochs[0])
    return downs >= 0.8 * (len(m.train) - 1) and -m.train_slope(m.tail) > 0.2 * pace


def _turning(m: Measures, s: Situation) -> list[Advice]:
    epoch = m.epochs[m.at_best]
    stop = Advice(
        "early_stop", f"Stop at {s.unit} {epoch}, or keep the checkpoint of it: what came after made it worse."
    )
    return [stop, *_regularised(s), *_moved(SMALLER, s), MORE_DATA]


def _overfit(m: Measures, s: Situation) -> list[Advice]:
    return [*_regularised(s), COMPARE, MORE_DATA]


def _noise(m: Measures, s: Situation) -> list[Advice]:
    return [MORE_VALIDATION, MORE_SEEDS, *_moved(LARGER_BATCH, s), DECAY_LR]


def _plateau(m: Measures, s: Situation) -> list[Advice]:
    shorter = Advice("shorten", f"Train for fewer {s.unit}s: {m.epochs[m.at_best]} were enough for the best validation "
                     "loss.")  # fmt: skip
    return [DECAY_LR, *_moved(LOWER_LR, s), shorter]


def _negative_gap(m: Measures, s: Situation) -> list[Advice]:
    return [EVALUATE, LEAKAGE]


def _healthy(m: Measures, s: Situation) -> list[Advice]:
    """Nothing, but for one that still gets better by more than 1 % {_a(s.unit)}."""
    if m.validation_slope(m.tail) < -0.01 * m.validation_end:
        return [Advice("train_longer", f"Train longer: validation still gets better by more than 1 % {_a(s.unit)}.")]
    return []


AFTER: dict[str, Callable[[Measures, Situation], list[Advice]]] = {
    "train_rises": _train_rises,
    "spikes": _spikes,
    "underfit": _underfit,
    "overfit_turning": _turning,
    "overfit": _overfit,
    "noise": _noise,
    "plateau": _plateau,
    "negative_gap": _negative_gap,
    "healthy": _healthy,
}
AFTER["diverged"] = _spikes  # finite, but ten times as high as at the start


def _regularised(s: Situation) -> list[Advice]:
    """Weight decay, L1 where the study has it, dropout, augmentation."""
    return [one for move in (MORE_DECAY, MORE_DROPOUT, MORE_L1, AUGMENT) for one in _moved(move, s)]


def _loosened(s: Situation) -> list[Advice]:
    strong = {knob.name for knob in _regularisers(s) if _is_strong(knob)}
    every = [one for move in (LESS_DECAY, LESS_DROPOUT, LESS_L1) for one in _moved(move, s)]
    return sorted(every, key=lambda one: not strong & set(one.parameters))


def _regularisers(s: Situation) -> list[Knob]:
    return [knob for role in ("weight_decay", "dropout", "l1") for knob in s.of(role)]


def _is_small(knob: Knob) -> bool:
    """At the lower end of its range."""
    where = place(knob)
    return where is not None and where <= 0.05


def _is_strong(knob: Knob) -> bool:
    """In the upper part of its range, or by itself: dropout of more than a half, decay of more than 1."""
    where = place(knob)
    most = 0.5 if knob.role == "dropout" else 1.0
    return (where is not None and where > 0.8) or (isinstance(knob.value, int | float) and knob.value > most)


def _moved(move: Move, s: Situation) -> list[Advice]:
    """The advice with the study's own parameters; one that asks for a new parameter where there is none."""
    found = s.of(move.role)
    if found and move.times is not None and move.times < 1 and all(knob.value == 0 for knob in found):
        return []  # what is switched off cannot be lowered
    if not found:
        return [Advice(move.action, f"{move.without}.")] if move.without else []
    values = {knob.name: moved(knob, times=move.times, plus=move.plus) for knob in found}
    change = {name: value for name, value in values.items() if value is not None}
    names = tuple(knob.name for knob in found)
    if not change:
        says = f"{move.does}: {_listed(names)} cannot move that way in this space, so widen it."
        return [Advice(move.action, says, names)]
    written = ", ".join(
        f"{name} from {_written(s.params[name])} to {_written(value)}" for name, value in change.items()
    )
    return [Advice(move.action, f"{move.does}: {written}.", names, change)]


def _a(unit: str) -> str:
    return f"{'an' if unit[:1] in 'aeiou' else 'a'} {unit}"


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _written(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
