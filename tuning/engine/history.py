"""The trials that a sampler learns from, in columns: append-only, one row a finished trial, open trials at
the end.

Rebuilding a matrix from 10,000 dicts costs more than a suggestion may, so each row is turned into numbers
once, when it is appended. A history with open trials appended (`with_pending`) is a view that shares those
columns. Rows never change, so whatever a sampler derives from a row alone can be kept (`derived`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tuning.engine.errors import HistoryError
from tuning.engine.outcome import as_value
from tuning.engine.space import SearchSpace
from tuning.engine.trial import REASON_CODES, Direction, Trial, TrialState
from tuning.engine.values import detached, listed, shown

T = TypeVar("T")

_STATES = np.array(list(TrialState), dtype=object)
_CODES = {state: code for code, state in enumerate(TrialState)}


def _reached(trial: Trial) -> float:
    if trial.intermediate:
        return float(max(trial.intermediate))
    return np.nan if trial.resource is None else float(trial.resource)


def _check(trial: Trial) -> None:
    """Raises HistoryError for a trial whose columns could not be kept."""
    for name, whole in (("number", trial.number), ("resource", trial.resource)):
        if whole is not None and (isinstance(whole, bool) or not isinstance(whole, int | np.integer)):
            raise HistoryError(f"{name}: {shown(whole)} is not a whole number")
        if whole is not None and not 0 <= whole < 2**63:
            raise HistoryError(f"{name}: {shown(whole)} is not between 0 and 2^63 - 1")
    if trial.reason_code is not None and trial.reason_code not in REASON_CODES:
        raise HistoryError(f"reason_code: {shown(trial.reason_code)} is not one of {listed(sorted(REASON_CODES))}")
    for step, value in trial.intermediate.items():
        if isinstance(step, bool) or not isinstance(step, int | np.integer) or step < 0:
            raise HistoryError(f"intermediate: {shown(step)} is not a step, a whole number from 0")
        as_value(f"intermediate at step {step}", value)


class _Open:
    """An open trial as it was given, and with its checked params; its place in the unit cube is made when needed."""

    def __init__(self, given: Trial, space: SearchSpace) -> None:
        self.given = given
        self.trial = Trial(**{**given.__dict__, "params": space.validate(given.params)})
        self.space = space

    @cached_property
    def unit(self) -> NDArray[np.float64]:
        return self.space.to_unit(self.trial.params)


class _Columns:
    """Growing columns that several histories share; rows below a reader's count never change."""

    def __init__(self, dimensions: int) -> None:
        self.n = 0
        self.numbers = np.empty(16, dtype=np.int64)
        self.values = np.empty(16)
        self.codes = np.empty(16, dtype=np.int8)
        self.resources = np.empty(16)
        self.steps = np.empty(16)
        self.deters = np.empty(16, dtype=bool)
        self.infeasible = np.empty(16, dtype=bool)
        self.unit = np.empty((16, dimensions))
        self.trials: list[Trial] = []
        self.derived: dict[Hashable, list[Any]] = {}
        self.open: dict[int, _Open] = {}  # of the last view, by number: ten thousand that wait are checked once

    def append(self, trial: Trial, unit: NDArray[np.float64]) -> None:
        if self.n == len(self.numbers):
            self._grow()
        row = self.n
        self.numbers[row] = trial.number
        self.values[row] = np.nan if trial.value is None else trial.value
        self.codes[row] = _CODES[trial.state]
        self.resources[row] = np.nan if trial.resource is None else trial.resource
        self.steps[row] = _reached(trial)
        self.deters[row] = trial.deters
        self.infeasible[row] = trial.infeasible
        self.unit[row] = unit
        self.trials.append(trial)
        self.n += 1

    def _grow(self) -> None:
        # Readers keep the old arrays: replacing instead of resizing in place leaves their rows alone.
        for name in ("numbers", "values", "codes", "resources", "steps", "deters", "infeasible", "unit"):
            column = getattr(self, name)
            grown = np.empty((2 * len(column), *column.shape[1:]), dtype=column.dtype)
            grown[: self.n] = column[: self.n]
            setattr(self, name, grown)


class History:
    """The n trials of one study in one search space: finished ones in order of finishing, then open ones.

    `earlier` holds the histories of other studies that a sampler may learn from too, each carried over to the same
    space (see `transfer`), with a direction and a scale of values of its own. They are no rows of this one.
    """

    def __init__(self, space: SearchSpace, direction: str = "minimize", earlier: Sequence[History] = ()) -> None:
        """Raises HistoryError for an earlier history of another space."""
        self.space = space
        self.direction = Direction.of(direction)
        self.earlier = tuple(self._as_earlier(history) for history in earlier)
        self._columns = _Columns(len(space))
        self._finished = 0
        self._is_view = False
        self._pending: tuple[_Open, ...] = ()

    @classmethod
    def of_trials(cls, space: SearchSpace, direction: str, trials: Iterable[Trial]) -> History:
        """A history of these finished trials. Raises as `extend`."""
        history = cls(space, direction)
        history.extend(trials)
        return history

    def _as_earlier(self, history: History) -> History:
        """The finished rows of another history as they are now: what it gains later counts no more."""
        if history.space is not self.space and history.space != self.space:
            raise HistoryError(
                "an earlier history belongs to another search space: carry its trials over with "
                "transferred(space, trials), and give History.of_trials(space, direction, carried.trials)"
            )
        return history._view(())

    def append(
        self,
        number: int,
        params: Mapping[str, Any],
        state: TrialState | str,
        value: float | None = None,
        resource: int | None = None,
        reason_code: str | None = None,
        infeasible: bool = False,
        constraints: Sequence[float] | None = None,
        intermediate: Mapping[int, float] | None = None,
        origin: str | None = None,
    ) -> None:
        """Add one finished trial.

        Raises ParamsError where the params do not fit the space, TrialError for a value that is no number, HistoryError
        for any other column that could not be kept, for an open state and on a view.
        """
        self.append_trial(
            Trial(
                number=number,
                params=params,
                state=TrialState(state),
                value=value,
                resource=resource,
                reason_code=reason_code,
                infeasible=infeasible,
                constraints=None if constraints is None else tuple(constraints),
                intermediate=dict(intermediate or {}),
                origin=origin or "asked",
            )
        )

    def append_trial(self, trial: Trial) -> None:
        """The same for a `Trial`."""
        if trial.state.open:
            raise HistoryError(
                f"trial {trial.number} is {trial.state}: append it when it has finished, and show it "
                f"to a sampler by with_pending until then"
            )
        if self._is_view:
            raise HistoryError("this history is a view of an earlier moment: append to the one it was made from")
        _check(trial)
        params = self.space.validate(trial.params)
        value = None if trial.value is None else as_value("value", trial.value)
        value = value if value is not None and np.isfinite(value) else None
        row = Trial(**{**trial.__dict__, "params": params, "value": value})
        self._columns.append(row, self.space.to_unit(params))
        self._finished += 1

    def extend(self, trials: Iterable[Trial]) -> None:
        """Add several finished trials. Raises as `append`; those before the faulty one stay added."""
        for trial in trials:
            self.append_trial(trial)

    def with_pending(self, trials: Iterable[Trial]) -> History:
        """A view with open trials appended, sharing the finished columns; this history stays as it is.

        A trial that is the same object as at the last call is not checked again. Raises ParamsError where an open trial
        does not fit the space, HistoryError for a finished one.
        """
        pending, known = list(self._pending), self._columns.open
        for trial in trials:
            if not trial.state.open:
                raise HistoryError(f"trial {trial.number} is {trial.state}, not open: append it")
            found = known.get(trial.number)
            pending.append(found if found is not None and found.given is trial else _Open(trial, self.space))
        if pending:  # replaced, not changed in place, so that two threads can only do the same work twice
            self._columns.open = {found.given.number: found for found in pending}
        return self._view(tuple(pending))

    def _view(self, pending: tuple[_Open, ...]) -> History:
        view = History.__new__(History)
        view.space, view.direction, view.earlier = self.space, self.direction, self.earlier
        view._columns, view._finished, view._is_view = self._columns, self._finished, True
        view._pending = pending
        return view

    # columns, (n,) each

    @property
    def n(self) -> int:
        """The number of rows, finished and open."""
        return self._finished + len(self._pending)

    @property
    def n_finished(self) -> int:
        """The number of finished rows, which come first."""
        return self._finished

    def __len__(self) -> int:
        return self.n

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The trials' numbers, (n,)."""
        return self._column("numbers", lambda trial: trial.number)

    @property
    def values(self) -> NDArray[np.float64]:
        """The objective values as they were told, (n,), NaN where there is none."""
        return self._column("values", lambda trial: np.nan)

    @property
    def losses(self) -> NDArray[np.float64]:
        """The objective values turned so that smaller is better, (n,), NaN where there is none."""
        losses: NDArray[np.float64] = self.direction.sign * self.values
        return losses

    @property
    def states(self) -> NDArray[np.object_]:
        """The trials' states, (n,) of TrialState."""
        states: NDArray[np.object_] = _STATES[self._column("codes", lambda trial: _CODES[trial.state])]
        return states

    def mask(self, *states: TrialState) -> NDArray[np.bool_]:
        """Which rows are in one of these states, (n,)."""
        codes = self._column("codes", lambda trial: _CODES[trial.state])
        return np.isin(codes, [_CODES[state] for state in states])

    @property
    def resources(self) -> NDArray[np.float64]:
        """The resource that each trial got, (n,), NaN where unknown."""
        return self._column("resources", lambda trial: np.nan if trial.resource is None else trial.resource)

    @property
    def steps(self) -> NDArray[np.float64]:
        """The last step that each trial reported, (n,); its resource where it reported none, NaN where unknown."""
        return self._column("steps", _reached)

    @property
    def deters(self) -> NDArray[np.bool_]:
        """Which rows failed for their configuration, (n,): a sampler should stay away from them."""
        return self._column("deters", lambda trial: False)

    @property
    def infeasible(self) -> NDArray[np.bool_]:
        """Which rows broke a constraint, (n,)."""
        return self._column("infeasible", lambda trial: trial.infeasible)

    @property
    def unit(self) -> NDArray[np.float64]:
        """The configurations in the unit cube, (n, d), NaN where a parameter is absent."""
        finished = self._shared("unit")
        if not self._pending:
            return finished
        return np.concatenate([finished, self._pending_unit])

    @cached_property
    def _pending_unit(self) -> NDArray[np.float64]:
        return np.array([found.unit for found in self._pending])

    def _shared(self, name: str) -> NDArray[Any]:
        column: NDArray[Any] = getattr(self._columns, name)[: self._finished]
        column.flags.writeable = False
        return column

    def _column(self, name: str, of_pending: Callable[[Trial], Any]) -> NDArray[Any]:
        finished = self._shared(name)
        if not self._pending:
            return finished
        return np.concatenate([finished, np.array([of_pending(t.trial) for t in self._pending], dtype=finished.dtype)])

    # rows

    def params(self, i: int) -> dict[str, Any]:
        """The configuration of row i, as a copy."""
        return {name: detached(value) for name, value in self.trial(i).params.items()}

    def trial(self, i: int) -> Trial:
        """Row i as a trial. Raises IndexError outside 0..n - 1."""
        if not 0 <= i < self.n:
            raise IndexError(f"row {i} of {self.n}")
        return self._columns.trials[i] if i < self._finished else self._pending[i - self._finished].trial

    def derived(self, key: Hashable, of_params: Callable[[Mapping[str, Any]], T]) -> list[T]:
        """of_params(params) for each row, (n,), computed once for each finished row.

        `key` names the function: the same key must always come with the same pure function.
        """
        known: list[T] = self._columns.derived.get(key, [])
        if len(known) < self._finished:
            # Replaced, not extended in place, so that two threads can only do the same work twice.
            known = known + [of_params(trial.params) for trial in self._columns.trials[len(known) : self._finished]]
            self._columns.derived[key] = known
        return known[: self._finished] + [of_params(found.trial.params) for found in self._pending]
