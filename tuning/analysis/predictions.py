"""A study's forecast held against what happened, in words for its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuning.engine.forecast import Forecast
from tuning.engine.speed import Range
from tuning.findings import Finding

EASE = 0.02  # of a bound: what is above the range by less is not told as a miss


@dataclass(frozen=True)
class Actual:
    """What a study came to: trials, steps of all of them, seconds that they held devices, seconds from its start to its
    end; None where nobody measured it."""

    trials: int
    steps: int | None = None
    device_seconds: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Held:
    """One quantity: its words, what was expected and between which bounds, what it came to."""

    name: str
    expected: Range
    actual: float

    @property
    def verdict(self) -> str:
        """Whether it came to "more" or "less" than its range, or "within" it."""
        if self.actual > self.expected.high * (1 + EASE):
            return "more"
        return "less" if self.actual < self.expected.low * (1 - EASE) else "within"

    def words(self) -> str:
        low, expected, high, actual = (
            shown(self.name, value)
            for value in (self.expected.low, self.expected.expected, self.expected.high, self.actual)
        )
        between = f", {low} to {high}" if low != high else ""
        return f"{actual}{WORDS[self.name]} ({expected} expected{between})"

    def to_json(self) -> dict[str, Any]:
        return {"expected": vars(self.expected), "actual": self.actual, "verdict": self.verdict}


WORDS = {"steps": " steps", "device_seconds": " of device time", "seconds": " from start to end"}


def held_against(prediction: Forecast, actual: Actual, *, ended: bool = True) -> Finding:
    """How the forecast of a study came out, with the numbers: "prediction-missed" where something came to more than its
    range, else "prediction-held". A study that still runs (`ended` False) is not held to have used less.

    Raises ValueError where nothing that was predicted has been measured.
    """
    pairs = [(name, getattr(prediction, name), getattr(actual, name)) for name in WORDS]
    held = [Held(name, range_, float(value)) for name, range_, value in pairs if None not in (range_, value)]
    if not held:
        raise ValueError("nothing that was predicted has been measured: give steps, device_seconds or seconds")
    verdicts = {one.verdict for one in held}
    if "more" in verdicts:
        said = "The study took more than was predicted" if ended else "The study has taken more than was predicted"
    elif not ended:
        said = "The prediction holds so far"
    else:
        said = "The study took less than was predicted" if "less" in verdicts else "The prediction held"
    parts = ", ".join([f"{actual.trials:,} trials ({prediction.trials:,} expected)", *(one.words() for one in held)])
    return Finding(
        rule="prediction-missed" if "more" in verdicts else "prediction-held",
        severity="info",
        message=f"{said}: {parts}.",
        evidence={
            "trials": {"expected": prediction.trials, "actual": actual.trials},
            **{one.name: one.to_json() for one in held},
        },
    )


def shown(name: str, value: float) -> str:
    """A quantity as a person says it: 1,071 steps, 41 s, 6.5 min, 2.2 h."""
    if name == "steps":
        return f"{value:,.0f}"
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.1f} min" if value < 5400 else f"{value / 3600:,.1f} h"
