"""What to change next after a verdict, in plain words: the most promising first, with the study's own parameters.

The orders follow Goodfellow, Bengio & Courville 2016 (section 11.4) and the tuning playbook: an unstable training wants
a lower learning rate before anything else, one that has not learnt wants a better learning rate, more time and more
capacity before less regularisation, and one that overfits is stopped at its best epoch before it is regularised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tuning.analysis.diagnosis.knobs import Knob, place
from tuning.analysis.diagnosis.moves import (
    AUGMENT,
    CLIP,
    LARGER,
    LARGER_BATCH,
    LESS_DECAY,
    LESS_DROPOUT,
    LESS_L1,
    LOWER_LR,
    MORE_DECAY,
    MORE_DROPOUT,
    MORE_L1,
    RAISE_LR,
    SMALLER,
    Advice,
    Situation,
    as_advice,
    switched_to,
)

if TYPE_CHECKING:
    from tuning.analysis.diagnosis.measures import Measures

__all__ = ["Advice", "Situation", "advice_for"]

LONGER = 2  # times as many steps
OTHER_DATA = "It takes other data, not another configuration."
NO_CHANGE = "It is something to look at, not a change of the configuration."

CHECK_DATA = Advice(
    "check_data",
    "Look for NaN and for extreme values in inputs and targets, and for log 0 or a division by 0 in the loss.",
    untested=NO_CHANGE,
)
CHECK_CODE = Advice(
    "check_code",
    "Look for a fault before anything else: the sign of the loss, a schedule that raises the learning rate, batches "
    "that differ from epoch to epoch. More regularisation does not help here.",
    untested=NO_CHANGE,
)
MORE_DATA = Advice("more_data", "Get more training data.", untested=OTHER_DATA)
FINDER = Advice("find_learning_rate", "Run the learning-rate finder on this configuration.", untested=NO_CHANGE)
MORE_VALIDATION = Advice("more_validation", "Use a larger validation set, or several folds.", untested=OTHER_DATA)
MORE_SEEDS = Advice("more_seeds", "Repeat the configuration with other seeds and compare means.", untested=NO_CHANGE)
EVALUATE = Advice(
    "evaluate_training",
    "Measure the training loss in evaluation mode, without dropout and augmentation, on the labels that validation "
    "has.",
    untested=NO_CHANGE,
)
LEAKAGE = Advice(
    "check_leakage",
    "Check that no validation example lies in the training split, and that validation is as hard as what the model "
    "will meet.",
    untested=NO_CHANGE,
)
COMPARE = Advice(
    "compare_validation",
    "Compare the validation loss of such changes, not the gap: a closed gap with a worse validation loss is a loss.",
    untested=NO_CHANGE,
)


def advice_for(rule: str, m: Measures | None, situation: Situation) -> tuple[Advice, ...]:
    """What to change after the verdict `rule`; `m` is None only where it diverged."""
    if rule == "diverged":
        return (*as_advice(LOWER_LR, situation), _warm_up(situation), *as_advice(CLIP, situation), CHECK_DATA)
    if m is None or rule not in AFTER:
        return ()
    return tuple(AFTER[rule](m, situation))


def _train_rises(m: Measures, s: Situation) -> list[Advice]:
    return [CHECK_CODE, *as_advice(LOWER_LR, s), *as_advice(CLIP, s)]


def _spikes(m: Measures, s: Situation) -> list[Advice]:
    return [*as_advice(LOWER_LR, s), *as_advice(CLIP, s), *as_advice(LARGER_BATCH, s)]


def _underfit(m: Measures, s: Situation) -> list[Advice]:
    """Too fast, too strongly regularised, too small or too slow: told by the curve, and by where the values lie."""
    larger, loosened, faster = as_advice(LARGER, s), _loosened(s), as_advice(RAISE_LR, s)
    longer = [_longer(m, s, "the training loss still falls")] if _falls(m) else []
    if _too_fast(m) or (not longer and any(_is_large(knob) for knob in s.of("learning_rate"))):
        return [*as_advice(LOWER_LR, s), _warm_up(s), FINDER]
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
    says = f"Stop at {s.unit} {epoch}, or keep the checkpoint of it: what came after made it worse."
    stop = Advice("early_stop", says, resource=epoch)
    return [stop, *_regularised(s), *as_advice(SMALLER, s), MORE_DATA]


def _overfit(m: Measures, s: Situation) -> list[Advice]:
    """While validation still gets better, time does more than a regulariser, which makes learning slower."""
    return [*_still_better(m, s), *_regularised(s), COMPARE, MORE_DATA]


def _noise(m: Measures, s: Situation) -> list[Advice]:
    return [MORE_VALIDATION, MORE_SEEDS, *as_advice(LARGER_BATCH, s), _decay(s)]


def _plateau(m: Measures, s: Situation) -> list[Advice]:
    enough = f"Train for fewer {s.unit}s: {m.epochs[m.at_best]} were enough for the best validation loss."
    shorter = Advice("shorten", enough, untested="It saves time; validation cannot get better by it.")
    return [_decay(s), *as_advice(LOWER_LR, s), shorter]


def _negative_gap(m: Measures, s: Situation) -> list[Advice]:
    return [EVALUATE, LEAKAGE]


def _healthy(m: Measures, s: Situation) -> list[Advice]:
    """Nothing, but for one that still gets better."""
    return _still_better(m, s)


def _still_better(m: Measures, s: Situation) -> list[Advice]:
    """To train longer, where validation gets better by more than 1 % an epoch at the end."""
    if m.validation_slope(m.tail) < -0.01 * m.validation_end:
        return [_longer(m, s, f"validation still gets better by more than 1 % {_a(s.unit)}")]
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


def _longer(m: Measures, s: Situation, why: str) -> Advice:
    return Advice("train_longer", f"Train longer: {why}.", resource=LONGER * m.epochs[-1])


def _decay(s: Situation) -> Advice:
    does = "Let the learning rate fall towards the end, by a cosine or when validation stands still."
    return switched_to("decay_learning_rate", does, ("cosine", "linear", "plateau"), s)


def _warm_up(s: Situation) -> Advice:
    return switched_to("warm_up", "Warm the learning rate up over the first epochs.", ("warm", "onecycle"), s)


def _regularised(s: Situation) -> list[Advice]:
    """Dropout, weight decay, L1 where the study has it, augmentation.

    Dropout before weight decay: where an optimizer decouples the decay from the gradient (AdamW), ten times a small one
    moves nothing that can be measured in one training (`manage.py bench advised`).
    """
    return [one for move in (MORE_DROPOUT, MORE_DECAY, MORE_L1, AUGMENT) for one in as_advice(move, s)]


def _loosened(s: Situation) -> list[Advice]:
    strong = {knob.name for knob in _regularisers(s) if _is_strong(knob)}
    every = [one for move in (LESS_DECAY, LESS_DROPOUT, LESS_L1) for one in as_advice(move, s)]
    return sorted(every, key=lambda one: not strong & set(one.parameters))


def _regularisers(s: Situation) -> list[Knob]:
    return [knob for role in ("weight_decay", "dropout", "l1") for knob in s.of(role)]


def _is_small(knob: Knob) -> bool:
    """At the lower end of its range."""
    where = place(knob)
    return where is not None and where <= 0.05


def _is_large(knob: Knob) -> bool:
    """In the upper part of its range."""
    where = place(knob)
    return where is not None and where > 0.8


def _is_strong(knob: Knob) -> bool:
    """In the upper part of its range, or by itself: dropout of more than a half, decay of more than 1."""
    most = 0.5 if knob.role == "dropout" else 1.0
    return _is_large(knob) or (isinstance(knob.value, int | float) and knob.value > most)


def _a(unit: str) -> str:
    return f"{'an' if unit[:1] in 'aeiou' else 'a'} {unit}"
