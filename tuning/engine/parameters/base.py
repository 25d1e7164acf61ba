"""What every parameter is: its values, its JSON form, and its place in the unit interval."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from tuning.engine.conditions import Condition
from tuning.engine.priors import Prior
from tuning.engine.scales import Bins, centre
from tuning.engine.values import shown


class Parameter(ABC):
    """One hyperparameter: its name, its values, the condition under which it takes part, its annotation."""

    kind: ClassVar[str]
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: float | int | None = None
    prior: Prior | None = None
    choices: tuple[Any, ...] | None = None
    weights: tuple[float, ...] | None = None

    def __init__(self, name: str, condition: Condition | None = None, annotation: str | None = None) -> None:
        self.name, self.condition, self.annotation = name, condition, annotation

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The number of values; None for a continuous parameter."""

    @property
    @abstractmethod
    def domain(self) -> str:
        """The values in words, for messages: "a number from 0.0 to 0.99"."""

    @abstractmethod
    def canonical(self, value: Any) -> Any:
        """The value in the parameter's own type. Raises ValueError, saying what would be right."""

    @abstractmethod
    def to_unit(self, value: Any) -> float:
        """The coordinate in [0, 1] of a value. Raises ValueError for one outside the parameter."""

    @abstractmethod
    def from_unit(self, u: float) -> Any:
        """The value at the coordinate u in [0, 1], the ends included."""

    def quantile(self, u: float) -> Any:
        """The value below which a share u of the prior lies: the same as `from_unit`."""
        return self.from_unit(u)

    def value_at(self, index: int) -> Any:
        """The value with this index, 0..size - 1. Raises TypeError for a continuous parameter."""
        raise TypeError(f"{self.name} is continuous: it has no value with index {index}")

    def index_of(self, value: Any) -> int:
        """The index of a value, 0..size - 1. Raises TypeError for a continuous parameter."""
        raise TypeError(f"{self.name} is continuous: {shown(value)} has no index")

    def to_json(self) -> dict[str, Any]:
        """The parameter's entry in the space's JSON form; what equals the default is left out."""
        document = {"type": self.kind, **self._own_json()}
        if self.condition is not None:
            document["when"] = self.condition.to_json()
        if self.annotation is not None:
            document["annotation"] = self.annotation
        return document

    @abstractmethod
    def _own_json(self) -> dict[str, Any]: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.domain})"


class Finite(Parameter):
    """What every parameter with finitely many values shares: coordinates through bins."""

    _bins: Bins

    def to_unit(self, value: Any) -> float:
        return centre(self._bins, self.index_of(value))

    def from_unit(self, u: float) -> Any:
        return self.value_at(self._bins.index(u))

    def span(self, value: Any) -> tuple[float, float]:
        """The bin of [0, 1] whose every point gives this value; its width is the value's probability."""
        return self._bins.span(self.index_of(value))
