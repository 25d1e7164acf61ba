"""What to try next: search spaces, histories, samplers, schedulers, and the ask-and-tell loop over them.

Pure: numpy, scipy and scikit-learn, no clock, no input or output, no global random state. The same history,
seed and trial number always give the same suggestion.

`import scipy` alone loads a part such as `scipy.stats` at its first use: processes that suggest nothing start a second
sooner.
"""

from tuning.engine import registry
from tuning.engine.errors import (
    HistoryError,
    NothingToRun,
    OptionError,
    ParamsError,
    SpaceError,
    SpaceExhausted,
    SpaceIssue,
    TrialError,
)
from tuning.engine.history import History
from tuning.engine.optimizer import Optimizer
from tuning.engine.samplers.base import Suggestion
from tuning.engine.space import SearchSpace
from tuning.engine.transfer import Transferred, transferred
from tuning.engine.trial import Direction, Trial, TrialState, rng_for

__all__ = [
    "Direction",
    "History",
    "HistoryError",
    "NothingToRun",
    "Optimizer",
    "OptionError",
    "ParamsError",
    "SearchSpace",
    "SpaceError",
    "SpaceExhausted",
    "SpaceIssue",
    "Suggestion",
    "Transferred",
    "Trial",
    "TrialError",
    "TrialState",
    "registry",
    "rng_for",
    "transferred",
]
