"""Rules about the scale and the range of one numeric parameter, each `(parameter, plan) -> Finding or None`.

Thresholds are rules of thumb, not theorems: two decades on a linear scale, six on a log scale, one for a learning rate
in a first round. Sources: Bergstra and Bengio 2012, section 2 (log scales), the Google tuning playbook, and for dropout
(0 to 0.7) the founding article.
"""

from __future__ import annotations

import math

from tuning.analysis.lint.entries import (
    BY_NATURE_LOG,
    ZERO_SHARE,
    Plan,
    changed,
    decades,
    is_number,
    role,
    rounded,
    rounded_down,
    rounded_up,
    written,
)
from tuning.analysis.lint.grids import as_choices
from tuning.engine.parameters import Categorical, Float, Int, Parameter, SteppedFloat
from tuning.engine.parameters.numeric import stepped_size
from tuning.findings import Finding

WIDE = 100  # high / low from which a linear scale hides the small values
MOST_DECADES = 6.0
ADAMS_EPSILON = 0.01  # above it an epsilon is another one, such as PPO's clip or an exploration rate
NEAR_ONE = 0.95
MOST_DROPOUT, TOO_MUCH_DROPOUT = 0.7, 0.9
ROUNDING = 1e-6  # in units of a step

Numeric = Float | Int | SteppedFloat


def is_linear(parameter: Parameter) -> bool:
    """Whether a number is drawn evenly from its range, or around a centre (normal, beta)."""
    prior = parameter.prior
    return isinstance(parameter, Numeric) and not parameter.log and (prior is None or prior.name != "log_normal")


def log_lr(parameter: Parameter, plan: Plan) -> Finding | None:
    """LOG-LR: a learning rate, a penalty or an epsilon that is not searched on a log scale."""
    what = role(parameter)
    if what not in BY_NATURE_LOG or not is_linear(parameter) or isinstance(parameter, Int):
        return None
    low, high = parameter.low, parameter.high
    if what == "epsilon" and (high is None or high > ADAMS_EPSILON):
        return None
    if parameter.prior is not None or low is None or high is None or high <= 0:
        words = "a scale that does not follow its size: search it on a log scale, or with the prior log_normal."
        return Finding("LOG-LR", "error", f"{parameter.name} is drawn on {words}", parameter=parameter.name)
    start = low if low > 0 else rounded(high * ZERO_SHARE)
    share = min(1.0, (high - max(high / 10, low)) / (high - low))
    message = (
        f"{parameter.name} is searched on a linear scale: {share:.0%} of the trials would lie between "
        f"{written(max(high / 10, low))} and {written(high)}. Use a log scale"
    )
    message += "." if low > 0 else f", which cannot hold {written(low)}: begin at {written(start)}."
    entry = changed(parameter, low=start, log=True, step=None)
    fix = as_choices(parameter, start, high, log=True) if plan.is_grid else entry
    return Finding("LOG-LR", "error", message, {"share_of_top_decade": rounded(share, 4)}, fix, parameter.name)


def wide_lin(parameter: Parameter, plan: Plan) -> Finding | None:
    """WIDE-LIN: two decades or more on a linear scale."""
    low, high = parameter.low, parameter.high
    if not is_linear(parameter) or parameter.prior is not None or low is None or high is None or low <= 0:
        return None
    if high < WIDE * low or role(parameter) in (*BY_NATURE_LOG, "dropout", "near_one", "seed"):
        return None
    middle = (low + high) / 2
    message = (
        f"{parameter.name} spans {decades(parameter):.1f} powers of ten on a linear scale: half of the trials would "
        f"lie above {written(rounded(middle, 3))}. Use a log scale."
    )
    evidence = {"decades": rounded(decades(parameter), 3)}
    fix = changed(parameter, log=True, step=None)
    if plan.is_grid and not isinstance(parameter, Int):
        listed = as_choices(parameter, low, high, log=True)
        return Finding("WIDE-LIN", "warning", message, evidence, listed, parameter.name)
    return Finding("WIDE-LIN", "warning", message, evidence, fix, parameter.name)


def step_div(parameter: Parameter, plan: Plan) -> Finding | None:
    """STEP-DIV: the step does not reach the high, which is lowered without a word."""
    if not isinstance(parameter, Int | SteppedFloat):
        return None
    reached = parameter.effective_high
    if abs(parameter.high - reached) <= ROUNDING * parameter.step:
        return None
    message = (
        f"Steps of {written(parameter.step)} from {written(parameter.low)} on end at {written(reached)}: "
        f"{parameter.name} never is {written(parameter.high)}. Write {written(reached)}, or choose a step that fits."
    )
    return Finding(
        "STEP-DIV", "warning", message, {"reached": reached}, changed(parameter, high=reached), parameter.name
    )


def mirror(parameter: Parameter, plan: Plan) -> Finding | None:
    """MIRROR: a momentum or the like that comes near 1, where only its distance to 1 matters."""
    low, high = parameter.low, parameter.high
    if role(parameter) != "near_one" or not is_linear(parameter) or isinstance(parameter, Int):
        return None
    if parameter.prior is not None or low is None or high is None or not (low >= 0 and NEAR_ONE <= high <= 1):
        return None
    message = (
        f"{parameter.name} comes near 1, where what counts is 1 - {parameter.name}: 0.9 and 0.99 are as far apart as "
        f"0.99 and 0.999. Let your code take 1 - {parameter.name} and search that on a log scale."
    )
    return Finding("MIRROR", "info", message, {"high": high}, None, parameter.name)


def narrow(parameter: Parameter, plan: Plan) -> Finding | None:
    """NARROW: less than one decade of learning rates, before any trial has said where to look."""
    low, high = parameter.low, parameter.high
    if role(parameter) != "learning_rate" or not parameter.log or not plan.first_round:
        return None
    if not isinstance(parameter, Float) or low is None or high is None or decades(parameter) >= 1:
        return None
    wider = rounded_down(low / math.sqrt(10), 1), rounded_up(high * math.sqrt(10), 1)
    message = (
        f"{parameter.name} spans {decades(parameter):.2g} powers of ten in a first round: the best may lie outside. "
        f"Search {written(wider[0])} to {written(wider[1])}, and narrow it when trials say where."
    )
    fix = changed(parameter, low=wider[0], high=wider[1])
    return Finding("NARROW", "warning", message, {"decades": rounded(decades(parameter), 3)}, fix, parameter.name)


def too_wide(parameter: Parameter, plan: Plan) -> Finding | None:
    """TOO-WIDE: more than six decades on a log scale."""
    low, high = parameter.low, parameter.high
    if not parameter.log or low is None or high is None or decades(parameter) <= MOST_DECADES + 1e-9:
        return None
    if role(parameter) == "learning_rate" and low < 1 < high:
        high = 1.0  # of a learning rate the upper end is the less likely one
    start = max(low, rounded_up(high / 10**MOST_DECADES))
    if isinstance(parameter, Int):
        start = math.ceil(start)
    message = (
        f"{parameter.name} spans {decades(parameter):.3g} powers of ten: most trials would lie where nothing is to be "
        f"found. Begin with {written(start)} to {written(high)}."
    )
    fix = changed(parameter, low=start, high=high)
    return Finding("TOO-WIDE", "warning", message, {"decades": rounded(decades(parameter), 3)}, fix, parameter.name)


def dropout(parameter: Parameter, plan: Plan) -> Finding | None:
    """DROPOUT: outside of 0 to 0.7, or on a log scale."""
    if role(parameter) != "dropout" or not isinstance(parameter, Float | SteppedFloat | Categorical):
        return None
    if isinstance(parameter, Categorical):
        return _dropout_choices(parameter)
    low = parameter.bounds[0] if isinstance(parameter, Float) else parameter.low
    high = parameter.bounds[1] if isinstance(parameter, Float) else parameter.effective_high
    outside = low < 0 or high > MOST_DROPOUT + 1e-9
    if not outside and not parameter.log:
        return None
    start, end = max(low, 0.0), min(high, MOST_DROPOUT)
    if isinstance(parameter, SteppedFloat) and start < end:
        end = parameter.value_at(stepped_size(parameter.low, end, parameter.step) - 1)
    if outside:
        message = f"{parameter.name} leaves the range from 0 to 0.7: beyond it too little is left to learn from"
        message += f". Search {written(start)} to {written(end)}." if start < end else "."
    else:
        message = f"{parameter.name} is on a log scale, which spends most trials on next to none: use a linear scale."
    fix = changed(parameter, low=start, high=end, log=None) if start < end else None
    evidence = {side: bound for side, bound in (("low", low), ("high", high)) if math.isfinite(bound)}
    return Finding("DROPOUT", _dropout_severity(low, high), message, evidence, fix, parameter.name)


def _dropout_severity(low: float, high: float) -> str:
    return "error" if low < 0 or high > TOO_MUCH_DROPOUT else "warning"


def _dropout_choices(parameter: Categorical) -> Finding | None:
    rates = parameter.choices or ()
    if not all(map(is_number, rates)):
        return None
    kept = [rate for rate in rates if 0 <= rate <= MOST_DROPOUT]
    if len(kept) == len(rates):
        return None
    message = (
        f"{parameter.name} has choices outside of 0 to 0.7, where too little is left to learn from: leave them out."
    )
    fix = changed(parameter, choices=kept) if len(kept) > 1 and parameter.weights is None else None
    evidence = {"low": min(rates), "high": max(rates)}
    return Finding("DROPOUT", _dropout_severity(min(rates), max(rates)), message, evidence, fix, parameter.name)


def train_fraction(parameter: Parameter, plan: Plan) -> Finding | None:
    """TRAIN-FRACTION: a share of the training examples that is not above 0 and at most 1."""
    if role(parameter) != "train_fraction":
        return None
    if isinstance(parameter, Categorical):
        ends = [value for value in parameter.choices or () if is_number(value)]
    else:
        ends = [value for value in (parameter.low, parameter.high) if value is not None]
    if not ends or (min(ends) > 0 and max(ends) <= 1):
        return None
    message = f"{parameter.name} is a share of the training examples: give values above 0 and at most 1."
    evidence = {"low": min(ends), "high": max(ends)}
    return Finding("TRAIN-FRACTION", "error", message, evidence, None, parameter.name)


RULES = (log_lr, wide_lin, step_div, mirror, narrow, too_wide, dropout, train_fraction)
