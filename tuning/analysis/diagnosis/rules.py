"""The ordered rules: the first that holds is the verdict.

After Prechelt 1998 (generalisation loss), Goodfellow, Bengio & Courville 2016 (sections 5.2, 7.8 and 11.4) and the
tuning playbook's "Examining the training curves". The thresholds are rules of thumb. Beside those of relative size
there is one of absolute size, MATTERS and GAP_MATTERS: a loss that goes from 0.07 to 0.08 where knowing nothing costs
2.3 has lost nothing that anybody would miss, although it rose by 14 %.

Losses are those of evaluation (dropout off); where training losses are running averages over an epoch they are half an
epoch older than validation's, and the gap is smaller than it looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from tuning.analysis.diagnosis.advice import Situation, advice_for
from tuning.analysis.diagnosis.measures import Measures
from tuning.analysis.diagnosis.verdict import Verdict
from tuning.analysis.diagnosis.words import FEW_EXAMPLES, sentence

FEWEST, FEW = 4, 6  # epochs: for any verdict, and for those that rest on how the curves go on
DIVERGED = 10.0  # times the first training loss
RISES, RISES_LATE = 1.05, 1.10
SPIKE, SPIKES, BEFORE = 2.0, 3, 5
SWING, SWINGS, SWING_SHARE = 1.3, 5, 0.15  # of the epochs: a loss that is thrown about all along, though never far
JUMP_MATTERS = 0.02  # of what there was to learn
UNLEARNT, UNLEARNT_GUESSED = 0.7, 0.9  # of the base; of the first epoch's loss, where the base is not known
NOTHING = 0.95  # of the base: then whatever validation does, nothing has been learnt
NARROW = 0.10
GL, TURN_EPOCHS, TURN_SHARE = 5.0, 3, 0.1
WIDE, POINTS = 0.30, 0.05
NOISY = 0.5
RISE = 2.0  # times the wobble
FLAT = 0.005
MATTERS, GAP_MATTERS = 0.01, 0.05  # of what there was to learn

Found = tuple[bool, int | None]  # whether the rule holds, and the index of its epoch


def diagnose_curves(
    train: Sequence[float | None],
    validation: Sequence[float | None],
    *,
    epochs: Sequence[int] | None = None,
    base: float | None = None,
    n_validation: int | None = None,
    validation_se: float | None = None,
    train_score: float | None = None,
    validation_score: float | None = None,
    spread: float | None = None,
    diverged: bool = False,
    params: Mapping[str, Any] | None = None,
    space: Mapping[str, Mapping[str, Any]] | None = None,
    unit: str = "epoch",
) -> Verdict:
    """The verdict on the losses of one training by epoch, None and NaN standing for a loss that is no number.

    Args:
        epochs: of the values; 1, 2, 3, ... where not given.
        base: the loss of knowing nothing (ln C for balanced classes, the variance for squared errors).
        n_validation, validation_se: what a validation loss can be trusted to; the second where it is known.
        train_score, validation_score: the last accuracies, 0 to 1.
        spread: the standard deviation of the validation loss over seeds or folds.
        diverged: the training ended because its loss was no number.
        params: the trial's configuration; space: the search space in its JSON form: the advice names their parameters.
        unit: what the curves count, for the sentences.

    Raises:
        ValueError: the curves have different lengths.
    """
    steps = list(epochs) if epochs is not None else list(range(1, len(train) + 1))
    if not len(train) == len(validation) == len(steps):
        raise ValueError(f"curves of one length are needed, not {len(train)}, {len(validation)} and {len(steps)}")
    situation = Situation(params or {}, space or {}, unit)
    both = enumerate(zip(train, validation, strict=True))
    broken = next((i for i, pair in both if not all(map(_finite, pair))), None)
    if broken is not None or diverged:
        return _broken(train, validation, steps, broken, situation)
    pairs = [(float(a), float(b)) for a, b in zip(train, validation, strict=True) if a is not None and b is not None]
    if len(pairs) < FEWEST:
        return _unclear({"epochs": len(pairs)}, f"{len(pairs)} {unit}s are too few to tell; {FEWEST} are needed.")
    if min(min(pair) for pair in pairs) <= 0:
        lowest = min(min(pair) for pair in pairs)
        return _unclear({"lowest": lowest}, f"The loss goes down to {lowest:.4g}: shares of it mean nothing below 0.")
    measured = Measures(
        [a for a, _ in pairs], [b for _, b in pairs], steps, base, n_validation, validation_se,
        *_scores(train_score, validation_score, n_validation),
    )  # fmt: skip
    return _first(measured, spread, situation)


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _scores(train: float | None, validation: float | None, n: int | None) -> tuple[float | None, float | None]:
    """The gap of the accuracies and validation's standard error (binomial)."""
    if train is None or validation is None or not (0 <= validation <= 1 and 0 <= train <= 1):
        return None, None
    return train - validation, math.sqrt(validation * (1 - validation) / n) if n else None


def _broken(
    train: Sequence[float | None], validation: Sequence[float | None], steps: list[int], at: int | None, s: Situation
) -> Verdict:
    """Not finite: at the value that is none, or in the epoch after the last that ended."""
    epoch = steps[at] if at is not None else (steps[-1] + 1 if steps else 1)
    evidence: dict[str, float] = {"epoch": epoch}
    before = [value for value in train[:at] if value is not None and math.isfinite(value)]
    if before:
        evidence |= {"first_train": before[0], "last_train": before[-1]}
    return Verdict(
        "diverged", epoch, evidence, advice_for("diverged", None, s), sentence("diverged", epoch, evidence, s.unit)
    )


def _unclear(evidence: dict[str, float], says: str) -> Verdict:
    return Verdict("unclear", None, evidence, (), says)


def _first(m: Measures, spread: float | None, situation: Situation) -> Verdict:
    found = {rule: look(m) for rule, look in LOOKS.items()}
    if spread is not None and spread > abs(m.gap):
        found["noise"] = (True, None)
    held = [rule for rule, (holds, _) in found.items() if holds]
    if not held and len(m.train) < FEW:
        says = f"Nothing is wrong in {len(m.train)} {situation.unit}s, which are too few to tell."
        return _unclear(m.evidence(), says)
    rule = held[0] if held else "healthy"
    at = found[rule][1] if held else None
    epoch = None if at is None else m.epochs[at]
    evidence = m.evidence()
    says = sentence(rule, epoch, evidence, situation.unit)
    return Verdict(rule, epoch, evidence, advice_for(rule, m, situation), says, tuple(held[1:]))


def _diverged(m: Measures) -> Found:
    limit = max(DIVERGED * m.train[0], m.base or 0.0)
    at = next((i for i, value in enumerate(m.train) if value > limit), None)
    return at is not None, at


def _train_rises(m: Measures) -> Found:
    """Above where it began, or going up over the last part: from where it was lowest."""
    lowest = m.L.index(min(m.L))
    late = m.L[m.tail]
    whole = m.train_end > RISES * m.train[0] and m.train_end - m.train[0] > MATTERS * m.scale
    end = m.train_end > RISES_LATE * late and m.train_end - late > MATTERS * m.scale and m.train_slope(m.tail) > 0
    return whole or end, lowest


def _spikes(m: Measures) -> Found:
    """Some high jumps of the training loss above what it had just been, or many lesser ones."""
    high, lesser = _jumps(m, SPIKE), _jumps(m, SWING)
    thrown = len(lesser) >= max(SWINGS, SWING_SHARE * len(m.train))
    return len(high) >= SPIKES or thrown, next(iter(high or lesser), None)


def _jumps(m: Measures, factor: float) -> list[int]:
    """Where the training loss is above `factor` times the median of the epochs before, by something that matters."""
    usual = [median(m.train[max(0, i - BEFORE) : i]) for i in range(3, len(m.train))]
    return [
        i
        for i, before in enumerate(usual, start=3)
        if m.train[i] > factor * before and m.train[i] - before > JUMP_MATTERS * m.scale
    ]


def _underfit(m: Measures) -> Found:
    if m.base and m.train_end > NOTHING * m.base:
        return True, None
    limit = UNLEARNT * m.base if m.base else UNLEARNT_GUESSED * m.train[0]
    return m.train_end > limit and m.relative_gap < NARROW, None


def _turning(m: Measures) -> Found:
    best, last = m.at_best, len(m.V) - 1
    after = m.epochs[last] - m.epochs[best]
    turned = (
        m.generalisation_loss > GL
        and m.validation_end - m.validation_best > max(MATTERS * m.scale, RISE * m.wobble(best))
        and m.validation_slope(best) > 0
        and (m.train_slope(best) < 0 or m.train_end <= m.L[best])
        and after >= max(TURN_EPOCHS, TURN_SHARE * m.epochs[last])
    )
    return turned, best


def _overfit(m: Measures) -> Found:
    by_loss = m.relative_gap > WIDE and m.gap > 2 * m.se and m.gap > GAP_MATTERS * m.scale
    by_score = m.score_gap is not None and m.score_gap > max(POINTS, 2 * (m.score_se or 0.0))
    return by_loss or by_score, _since(m)


def _since(m: Measures) -> int:
    """From where on the gap has been wide."""
    narrow = [i for i, (low, high) in enumerate(zip(m.L, m.V, strict=True)) if (high - low) / high <= WIDE]
    return min(narrow[-1] + 1, len(m.V) - 1) if narrow else 0


def _noise(m: Measures) -> Found:
    if m.n_validation is not None and m.n_validation < FEW_EXAMPLES:
        return True, None
    learnt = max(m.validation[0] - m.validation_best, 0.0)
    wild = m.jitter > NOISY * learnt and m.jitter > MATTERS * m.scale
    return wild and len(m.validation) >= FEW, None  # before, the first fall is a large part of how the loss changes


def _plateau(m: Measures) -> Found:
    """Flat over the last part; the epoch is the one from which nothing much was gained."""
    flat = abs(m.validation_slope(m.tail)) < FLAT * m.validation_end
    reached = m.validation_best + 0.02 * max(m.validation[0] - m.validation_best, 0.0)
    return flat, next(i for i, value in enumerate(m.V) if value <= reached)


def _negative_gap(m: Measures) -> Found:
    return -m.gap > 2 * m.se and -m.gap > MATTERS * m.scale, None


LOOKS: dict[str, Callable[[Measures], Found]] = {
    "diverged": _diverged,
    "train_rises": _train_rises,
    "spikes": _spikes,
    "underfit": _underfit,
    "overfit_turning": _turning,
    "overfit": _overfit,
    "noise": _noise,
    "plateau": _plateau,
    "negative_gap": _negative_gap,
}
