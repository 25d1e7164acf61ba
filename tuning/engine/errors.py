"""The engine's exceptions: each says what was wrong and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SpaceIssue:
    """One thing wrong with a search space or a configuration: where (None: the whole), what, the remedy."""

    parameter: str | None
    field: str | None
    message: str

    def __str__(self) -> str:
        place = ".".join(part for part in (self.parameter, self.field) if part)
        return f"{place}: {self.message}" if place else self.message


class SpaceError(ValueError):
    """A search space that cannot be used; `errors` holds every issue found, not only the first."""

    def __init__(self, errors: Sequence[SpaceIssue]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(str(issue) for issue in self.errors))


class ParamsError(ValueError):
    """A configuration that does not fit its search space; `errors` holds every issue found."""

    def __init__(self, errors: Sequence[SpaceIssue]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(str(issue) for issue in self.errors))


class OptionError(ValueError):
    """A sampler's or scheduler's setting that is unknown or out of range; `option` names it."""

    def __init__(self, option: str, message: str) -> None:
        self.option = option
        self.message = message
        super().__init__(f"{option}: {message}")


class HistoryError(ValueError):
    """A history that does not belong to the space or the study it is used with."""


class SpaceExhausted(Exception):
    """Every configuration that the sampler would try has been handed out."""


class NothingToRun(Exception):
    """No trial can be handed out: `reason` is "waiting" (ask again later) or "exhausted" (never again)."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class TrialError(ValueError):
    """A call about a trial that does not exist, or that its state forbids; nothing was changed."""


class BudgetError(ValueError):
    """A budget that cannot be used; `least` is the smallest one that would do, None where it is no matter of size."""

    def __init__(self, message: str, least: Any) -> None:
        self.least = least
        super().__init__(message)
