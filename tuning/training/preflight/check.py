"""One check's result: a plain document for a page, an API and a log."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.training.preflight.subject import Subject

STATUSES = ("passed", "info", "warning", "failed", "skipped")
MOST_POINTS = 200


@dataclass(frozen=True)
class Result:
    """What a check found.

    Attributes:
        status: "failed" holds a study back, "warning" wants a look, "info" is worth knowing, "skipped" does not apply.
        says: what was measured, with the numbers.
        means: what follows from it. todo: what to do about it, "" where there is nothing to do.
        evidence: the numbers. plot: see `line` and `bars`.
    """

    status: str
    says: str
    means: str = ""
    todo: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    plot: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is not one of {', '.join(STATUSES)}")
        if self.status in ("warning", "failed") and not self.todo:
            raise ValueError(f"a {self.status} check says what to do: {self.says}")


@dataclass(frozen=True)
class Check:
    """A rule: its name, what it measures, what must work before it can be asked, and the seconds that it may take.

    `needs` is "" (nothing), "data", "output" (of a fresh model) or "steps" (of a training).
    """

    rule: str
    title: str
    needs: str
    limit: float
    measure: Callable[[Subject], Result]

    def document(self, result: Result, seconds: float) -> dict[str, Any]:
        """The result as messages and tables hold it."""
        return {
            "rule": self.rule,
            "title": self.title,
            "status": result.status,
            "says": result.says,
            "means": result.means,
            "todo": result.todo,
            "evidence": plain(result.evidence),
            "plot": plain(result.plot),
            "seconds": round(seconds, 2),
        }


def skipped(why: str) -> Result:
    """A check that does not apply."""
    return Result("skipped", why)


def line(
    x: Sequence[float],
    y: Mapping[str, Sequence[float]] | Sequence[float],
    x_title: str,
    y_title: str,
    *,
    log_y: bool = False,
    target: float | None = None,
) -> dict[str, Any]:
    """A plot of one line, or of several by name, thinned out to MOST_POINTS."""
    step = max(1, -(-len(x) // MOST_POINTS))
    series: dict[str, Any] = (
        {"series": {name: list(values)[::step] for name, values in y.items()}}
        if isinstance(y, Mapping)
        else {"y": list(y)[::step]}
    )
    axes = {"x_title": x_title, "y_title": y_title, "log_x": False, "log_y": log_y, "target": target}
    return {"kind": "line", "x": list(x)[::step], **series, **axes}


def bars(
    y: Mapping[str, float], x_title: str, y_title: str, *, log_y: bool = False, target: float | None = None
) -> dict[str, Any]:
    """A plot of one bar a name."""
    axes = {"x_title": x_title, "y_title": y_title, "log_x": False, "log_y": log_y, "target": target}
    return {"kind": "bars", "x": list(y), "y": list(y.values()), **axes}


def grouped_bars(
    names: Sequence[str], series: Mapping[str, Sequence[float]], x_title: str, y_title: str
) -> dict[str, Any]:
    """A plot of several bars a name, one of each series."""
    axes = {"x_title": x_title, "y_title": y_title, "log_x": False, "log_y": False, "target": None}
    return {"kind": "bars", "x": list(names), "series": {name: list(y) for name, y in series.items()}, **axes}


def plain(value: Any) -> Any:
    """A copy in which numbers are plain and as precise as a reader needs; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | str | int) or value is None:
        return value
    number = float(value)
    return float(f"{number:.5g}") if math.isfinite(number) else None


def number(value: float) -> str:
    """A number for a sentence, of three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share for a sentence."""
    return f"{100 * share:.1f} %"


def named(names: Sequence[str], most: int = 4) -> str:
    """Some names for a sentence, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
