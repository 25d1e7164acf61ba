"""Categorical and Constant: parameters whose values are any JSON values, true, 1 and 1.0 being three."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuning.engine.conditions import Condition
from tuning.engine.parameters.base import Finite
from tuning.engine.scales import EqualBins, WeightedBins
from tuning.engine.values import detached, identity, listed, plain, shown


class Categorical(Finite):
    """One of several JSON values, equally likely or in the proportion of `weights`."""

    kind = "categorical"

    def __init__(
        self,
        name: str,
        choices: tuple[Any, ...],
        *,
        weights: tuple[float, ...] | None = None,
        condition: Condition | None = None,
        annotation: str | None = None,
    ) -> None:
        super().__init__(name, condition, annotation)
        self.choices, self.weights = choices, weights
        self._choices = choices
        self._index = {identity(choice): k for k, choice in enumerate(choices)}
        self._bins = EqualBins(len(choices)) if weights is None else WeightedBins(np.array(weights))

    @property
    def size(self) -> int:
        return len(self._choices)

    @property
    def domain(self) -> str:
        return f"one of {listed(self._choices)}"

    def canonical(self, value: Any) -> Any:
        return self.value_at(self.index_of(value))

    def value_at(self, index: int) -> Any:
        return detached(self._choices[index])

    def index_of(self, value: Any) -> int:
        key = identity(plain(value))
        index = self._index.get(key)
        if index is None:
            raise ValueError(f"{shown(value)} is not {self.domain}")
        return index

    def _own_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"choices": [detached(choice) for choice in self._choices]}
        if self.weights is not None:
            document["weights"] = list(self.weights)
        return document


class Constant(Finite):
    """One value that every trial gets."""

    kind = "constant"

    def __init__(
        self, name: str, value: Any, *, condition: Condition | None = None, annotation: str | None = None
    ) -> None:
        super().__init__(name, condition, annotation)
        self._value, self._key = value, identity(value)
        self._bins = EqualBins(1)

    @property
    def value(self) -> Any:
        return detached(self._value)

    @property
    def size(self) -> int:
        return 1

    @property
    def domain(self) -> str:
        return shown(self._value)

    def canonical(self, value: Any) -> Any:
        return self.value_at(self.index_of(value))

    def value_at(self, index: int) -> Any:
        return detached(self._value)

    def index_of(self, value: Any) -> int:
        if identity(plain(value)) != self._key:
            raise ValueError(f"{shown(value)} is not {self.domain}, the constant")
        return 0

    def _own_json(self) -> dict[str, Any]:
        return {"value": self.value}
