"""What the lint says of a search space that nobody has stored yet: for forms and for the API."""

from typing import Any

from tuning.analysis import lint_space
from tuning.findings import Finding


def space_findings(
    document: Any,
    *,
    budget: int | None = None,
    sampler: str = "auto",
    scheduler: str = "none",
    metric: str = "",
    first_round: bool = True,
) -> list[Finding]:
    """The findings about the JSON form of a space, valid or not; see `lint_space`."""
    return lint_space(document, budget, sampler=sampler, scheduler=scheduler, metric=metric, first_round=first_round)
