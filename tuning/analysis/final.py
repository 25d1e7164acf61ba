"""What the final look at the test set says of a score: its mean, how sure that is, and what choosing had added to it.

Symbols: n seeds; sd the spread of the test score over them; s its standard error for want of test examples, which all
seeds share because they are measured on the same ones; s_v that of the validation score.

The test score is the mean over the seeds with the standard error √(sd²/n + s²); its interval has 95 %: Student's t with
n − 1 degrees of freedom for the seeds, the normal distribution for the examples. The optimism is the validation score
that chose the configuration, of one training, minus the test score, turned so that more than 0 is worse on the test
set: its standard error is √(sd²·(1 + 1/n) + s² + s_v²). s_v is taken from s by the sizes of the splits: s·√(n_test /
n_validation).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import scipy

from tuning.findings import Finding

NORMAL = 1.959963984540054  # the 97.5 % quantile
WORSE = 2.0  # standard errors that the test score lies below the validation score before it is told
SPLIT = "(?:validation|valid|val|dev|test|train)"
_SPLIT_OF_NAME = re.compile(rf"^{SPLIT}[/_. -]+|[/_. -]+{SPLIT}$", re.IGNORECASE)


@dataclass(frozen=True)
class FinalScore:
    """One score on the test set; what cannot be said is None.

    Attributes:
        name: of the score, without its split: "accuracy".
        goal: "minimize" or "maximize"; "" where nobody has said.
        test, validation: one number a seed; `validation` is empty where that split was trained on.
        mean, error, low, high: over the seeds, with the 95 % interval.
        chosen: the validation score that chose the configuration.
        optimism, optimism_error: see above; `worse`: it is more than WORSE standard errors.
    """

    name: str
    goal: str
    test: list[float]
    validation: list[float]
    mean: float | None
    error: float | None
    low: float | None
    high: float | None
    chosen: float | None
    optimism: float | None
    optimism_error: float | None
    worse: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def score_name(metric: str) -> str:
    """A metric's name without its split: "accuracy" of "validation/accuracy", "val_accuracy" or "accuracy.test"."""
    return _SPLIT_OF_NAME.sub("", metric.strip(), count=1)


def final_scores(
    result: Mapping[str, Any], chosen: Mapping[str, float], goals: Mapping[str, str], first: str
) -> list[FinalScore]:
    """Every score of a reveal's result, the one named `first` first, the others by name.

    result: {"seeds": [{"test", "validation" or None, "errors"}, ...], "sizes"}. chosen and goals: by score.
    """
    rows, sizes = result["seeds"], result.get("sizes") or {}
    names = sorted({name for row in rows for name in row["test"]}, key=lambda name: (name != first, name))
    return [_score(name, rows, sizes, chosen.get(name), goals.get(name, "")) for name in names]


def _score(
    name: str, rows: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], chosen: float | None, goal: str
) -> FinalScore:
    test = [row["test"][name] for row in rows if name in row["test"]]
    held = [row["validation"][name] for row in rows if row.get("validation") and name in row["validation"]]
    if not all(map(_finite, test)):
        return FinalScore(name, goal, test, held, None, None, None, None, chosen, None, None, False)
    n, mean = len(test), math.fsum(test) / len(test)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in test) / (n - 1)) if n > 1 else None
    drawn = [row["errors"][name] for row in rows if _finite(row.get("errors", {}).get(name))]
    examples = math.fsum(drawn) / len(drawn) if drawn else None
    if spread is None and examples is None:
        error = low = high = None
    else:
        sd, s = spread or 0.0, examples or 0.0
        error = math.hypot(sd / math.sqrt(n), s)
        quantile = float(scipy.stats.t.ppf(0.975, n - 1)) if n > 1 else 0.0
        half = math.hypot(quantile * sd / math.sqrt(n), NORMAL * s)
        low, high = mean - half, mean + half
    optimism = optimism_error = None
    if chosen is not None and _finite(chosen) and goal:
        optimism = chosen - mean if goal == "maximize" else mean - chosen
        optimism_error = _optimism_error(n, spread, examples, sizes)
    worse = optimism is not None and optimism_error is not None and optimism > WORSE * optimism_error
    return FinalScore(name, goal, test, held, mean, error, low, high, chosen, optimism, optimism_error, worse)


def _optimism_error(n: int, spread: float | None, examples: float | None, sizes: Mapping[str, int]) -> float | None:
    if spread is None and examples is None:
        return None
    s, sd = examples or 0.0, spread or 0.0
    ratio = sizes["test"] / sizes["validation"] if sizes.get("validation") and sizes.get("test") else 0.0
    return math.sqrt(sd * sd * (1 + 1 / n) + s * s * (1 + ratio))


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def final_findings(scores: Sequence[FinalScore], looks_before: int, diverged: int = 0, seeds: int = 0) -> list[Finding]:
    """What a reader of the result is to know first: that the test set is used, that some of the seeds diverged, and
    that the score does not hold."""
    found = []
    if looks_before:
        times = "once" if looks_before == 1 else f"{looks_before} times"
        found.append(
            Finding(
                "TEST-REUSED",
                "warning",
                f"Test reused {times}: it had been looked at {times} before this look. Whoever chooses by what was "
                "seen tunes on it, and the score is no longer that of unseen examples.",
                {"looks_before": looks_before},
            )
        )
    if diverged:
        found.append(
            Finding(
                "SEED-DIVERGED",
                "warning",
                f"{diverged} of {seeds} fresh seeds diverged and {'has' if diverged == 1 else 'have'} no score: the "
                f"numbers are of the other {seeds - diverged} alone, and say nothing of how often this configuration "
                "fails. A lower learning rate or clipped gradients would make it dependable.",
                {"diverged": diverged, "seeds": seeds},
            )
        )
    first = scores[0] if scores else None
    if first is not None and first.worse and first.optimism is not None and first.optimism_error is not None:
        found.append(
            Finding(
                "TEST-WORSE",
                "warning",
                f"The {first.name} on the test set is worse than the validation score that chose this configuration, "
                f"by {first.optimism:.3g} ± {first.optimism_error:.2g}: more than {WORSE:g} standard errors. Quote the "
                "test score; part of the validation score came from choosing the best of many.",
                {"optimism": first.optimism, "error": first.optimism_error},
            )
        )
    return found
