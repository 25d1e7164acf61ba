"""What is said to people of the next hour, in one way everywhere."""

from __future__ import annotations

from tuning.analysis.worth.judgement import Worth
from tuning.findings import Finding

RULE = "WORTH"
BY = {"model": "by the study's model", "records": "by the values alone"}
NOISE_BY = {"model": "as the study's model sees it", "repeats": "measured on configurations that ran more than once"}


def gain_words(worth: Worth) -> str:
    """Such as "expected gain 0.0004 (90 %: 0 to 0.002), seed noise 0.003"; why not where it is not known."""
    if worth.gain is None or worth.low is None or worth.high is None:
        return worth.problem
    gain = f"expected gain {_short(worth.gain)} (90 %: {_short(worth.low)} to {_short(worth.high)})"
    return f"{gain}, seed noise {'not known' if worth.noise is None else _short(worth.noise)}"


def reason(worth: Worth) -> str:
    """Why another hour is not worth it, without a full stop."""
    if worth.gain is None or worth.high is None or worth.noise is None:
        raise ValueError(f"nothing is known of the next hour: {worth.problem}")
    trials = f"{worth.hour:,} trial{'' if worth.hour == 1 else 's'}"
    return (
        f"an hour of device time pays {trials}, which better the best value by {_short(worth.gain)} on average and, "
        f"with 95 % certainty, by less than {_short(worth.high)} ({BY[worth.method]}); the seed alone moves a value "
        f"by {_short(worth.noise)} ({NOISE_BY[worth.noise_of]})"
    )


def finding(worth: Worth, *, stops: bool) -> Finding:
    """The finding that another hour is not worth it. stops: whether the study ends by itself for that."""
    remedy = "It ends" if stops else "Stop it and confirm the best configurations with further seeds"
    words = reason(worth)
    return Finding(
        RULE,
        "warning",
        f"Another hour is not worth it. {words[0].upper()}{words[1:]}. {remedy}.",
        {name: value for name, value in worth.to_json().items() if name != "problem"},
    )


def _short(value: float) -> str:
    return f"{value:.2g}"
