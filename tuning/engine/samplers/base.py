"""What a sampler is: history in, configuration out, nothing kept in between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tuning.engine.errors import HistoryError
from tuning.engine.history import History
from tuning.engine.options import Option, check_options, whole_setting
from tuning.engine.space import SearchSpace
from tuning.engine.threads import on_one_thread


@dataclass(frozen=True)
class Suggestion:
    """A configuration to try, and one sentence on why."""

    params: dict[str, Any]
    why: str


class Sampler(ABC):
    """Suggests configurations. A subclass gives `name`, `title`, `summary`, `options` and `propose`.

    A suggestion depends on the space, the history, the random generator and the options alone, so it can be
    repeated. `budget` (trials, None: not known) and `parallel` (trials at once) describe the study, for
    samplers that plan ahead.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    options: ClassVar[tuple[Option, ...]] = ()
    needs_history: ClassVar[bool] = True  # False: an empty history gives the same suggestions
    learns: ClassVar[bool] = True  # False: what trials came to does not matter, so that earlier studies teach nothing

    def __init__(self, *, budget: int | None = None, parallel: int = 1, **options: Any) -> None:
        """Raises OptionError naming an option that does not exist or does not take its value."""
        self.budget = None if budget is None else whole_setting("budget", budget, 1)
        self.parallel = whole_setting("parallel", parallel, 1)
        self.settings = check_options(self.name, self.options, options)

    def suggest(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Suggestion:
        """The next configuration to try.

        Raises SpaceExhausted where none is left, SpaceError as `check`, HistoryError for a history of
        another space.
        """
        if history.space is not space and history.space != space:
            raise HistoryError(
                f"the history belongs to another search space, which differs in "
                f"{_difference(space, history.space)}: give the history of this one, or add its trials "
                f"to a new history of this space"
            )
        if not self.needs_history:
            return self.propose(space, history, rng)
        with on_one_thread():  # or a model, and what it suggests, would depend on the number of cores
            return self.propose(space, history, rng)

    @abstractmethod
    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Suggestion:
        """`suggest` after the check of the history."""

    def check(self, space: SearchSpace) -> None:  # noqa: B027 - most samplers can search every space
        """Raises SpaceError, naming parameter and remedy, for a space that the sampler cannot search."""

    def plan_size(self, space: SearchSpace) -> int | None:
        """The number of configurations after which the sampler is exhausted; None where it never is."""
        return None


def _difference(space: SearchSpace, other: SearchSpace) -> str:
    """The parameters that only one of two spaces has, or that they define differently; else it is the order."""
    ours, theirs = space.to_json(), other.to_json()
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    if not names:
        return "the order or the types of its parameters"
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
