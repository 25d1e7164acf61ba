"""Rules about lists of values, and about parameters that are none: batch sizes, single and ordered choices, seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from tuning.analysis.lint.entries import Plan, as_kind, changed, is_number, role, written
from tuning.engine.parameters import Categorical, Int, Parameter
from tuning.findings import Finding

EIGHT = 8
LOOKED_AT = 4096  # values of a batch size; a range with more holds others than powers of two in any case
MOST_LISTED = 16
ORDERED = 3  # numbers from which a list loses an order worth having
LISTED = ("batch_size", "seed", "train_fraction")  # which are chosen one by one, whatever their order
GEOMETRIC = 8  # last / first from which a list of numbers is spaced by factors


def is_even(size: Any) -> bool:
    """Whether a batch of this size fills the hardware: a power of two, or a multiple of 8."""
    return (
        is_number(size) and size >= 1 and size == int(size) and (int(size) % EIGHT == 0 or int(size).bit_count() == 1)
    )


def batch_2(parameter: Parameter, plan: Plan) -> Finding | None:
    """BATCH-2: batch sizes that are neither powers of two nor multiples of 8."""
    if role(parameter) != "batch_size" or not isinstance(parameter, Int | Categorical) or parameter.size == 1:
        return None
    values = [parameter.value_at(index) for index in range(min(parameter.size, LOOKED_AT))]
    odd = next((value for value in values if is_number(value) and not is_even(value)), None)
    if odd is None or not all(map(is_number, values)):
        return None
    message = (
        f"{parameter.name} may be {written(odd)}: powers of two and multiples of 8 fill the hardware. Choose it for "
        f"speed, then search the learning rate, with which it interacts."
    )
    return Finding("BATCH-2", "info", message, {"example": odd}, _even(parameter, values), parameter.name)


def _even(parameter: Int | Categorical, values: Sequence[Any]) -> dict[str, Any] | None:
    """The entry with even sizes alone: multiples of 8 of a linear range, powers of two of a log range or a list."""
    if isinstance(parameter, Categorical):
        kept = list(dict.fromkeys(_nearest_power(value) for value in values))
        return changed(parameter, choices=kept) if len(kept) > 1 and parameter.weights is None else None
    low, high = math.ceil(parameter.low / EIGHT) * EIGHT, math.floor(parameter.high / EIGHT) * EIGHT
    low = max(low, EIGHT)
    if not parameter.log and parameter.prior is None and high - low >= EIGHT:
        return changed(parameter, low=low, high=high, step=EIGHT)
    powers = [2**k for k in range(41) if parameter.low <= 2**k <= parameter.high]
    return as_kind(parameter, "categorical", choices=powers) if 1 < len(powers) <= MOST_LISTED else None


def _nearest_power(size: float) -> int:
    return int(2 ** max(0, round(math.log2(size)))) if size > 0 else 1


def dup_cat(parameter: Parameter, plan: Plan) -> Finding | None:
    """DUP-CAT: a list of one choice. (The engine refuses one that stands twice.)"""
    if not isinstance(parameter, Categorical) or parameter.size != 1:
        return None
    message = (
        f"{parameter.name} has a single choice, so nothing is searched: make it a constant, or give it another choice."
    )
    value = parameter.value_at(0)
    return Finding("DUP-CAT", "warning", message, {}, as_kind(parameter, "constant", value=value), parameter.name)


def ordered_cat(parameter: Parameter, plan: Plan) -> Finding | None:
    """ORDERED-CAT: numbers as a list of choices, of which a model does not know that 32 lies between 16 and 64."""
    if not isinstance(parameter, Categorical) or parameter.weights is not None or plan.is_grid:
        return None
    choices = parameter.choices or ()
    if len(choices) < ORDERED or not all(map(is_number, choices)) or role(parameter) in LISTED:
        return None
    message = (
        f"{parameter.name} lists numbers, whose order the search does not see: it learns faster from a range, "
        f"{written(min(choices))} to {written(max(choices))}, where your code takes the values between."
    )
    return Finding("ORDERED-CAT", "info", message, {"n": len(choices)}, _range(parameter, choices), parameter.name)


def _range(parameter: Categorical, choices: Sequence[Any]) -> dict[str, Any] | None:
    """The list as a range: in steps where its numbers are evenly spaced, else linear or by factors."""
    low, high, whole = min(choices), max(choices), all(isinstance(choice, int) for choice in choices)
    if low == high:
        return None
    if whole:
        ordered = sorted(choices)
        gaps = {after - before for before, after in itertools.pairwise(ordered)}
        if len(gaps) == 1:
            step = gaps.pop()
            return as_kind(parameter, "int", low=low, high=high, step=step if step > 1 else None)
    ratios = [after / before for before, after in itertools.pairwise(sorted(choices))] if low > 0 else []
    by_factors = bool(ratios) and (high >= GEOMETRIC * low or max(ratios) < 1.05 * min(ratios))
    log = True if by_factors else None
    return as_kind(parameter, "int" if whole else "float", low=low, high=high, log=log)


def seed(parameter: Parameter, plan: Plan) -> Finding | None:
    """SEED: a random seed in the space; the best seed is luck, and luck does not carry over."""
    if role(parameter) != "seed" or parameter.size == 1:
        return None
    message = f"{parameter.name} is a source of chance, not a hyperparameter: the best seed is luck. Keep it constant."
    value = parameter.value_at(0) if isinstance(parameter, Int | Categorical) else 0
    fix = as_kind(parameter, "constant", value=value)
    return Finding("SEED", "error", message, {}, fix, parameter.name)


def epochs(parameter: Parameter, plan: Plan) -> Finding | None:
    """EPOCHS: the length of a training in the space, while a scheduler decides how far each trial runs."""
    if plan.scheduler == "none" or role(parameter) != "epochs" or not isinstance(parameter, Int):
        return None
    message = (
        f"{parameter.name} is searched while the scheduler decides how far each trial runs, and the two fight: keep it "
        f"at {parameter.effective_high}."
    )
    fix = as_kind(parameter, "constant", value=parameter.effective_high)
    return Finding("EPOCHS", "warning", message, {"scheduler": plan.scheduler}, fix, parameter.name)


RULES = (batch_2, dup_cat, ordered_cat, seed, epochs)
