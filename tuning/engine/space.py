"""The search space: parameters with conditions, their JSON form, validation, and the unit cube.

The unit cube has one coordinate for each parameter, constants included, in the space's order (d of them);
the coordinate of a parameter that does not take part is NaN.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tuning.engine.document import read_parameters
from tuning.engine.errors import ParamsError, SpaceError, SpaceIssue
from tuning.engine.lattice import Lattice
from tuning.engine.parameters import Parameter
from tuning.engine.values import shown

SLACK = 1e-9  # how far outside [0, 1] rounding may carry a coordinate


class SearchSpace:
    """The parameters of a study in their order; never changes once made."""

    def __init__(self, parameters: tuple[Parameter, ...]) -> None:
        self._parameters = parameters
        self._by_name = {parameter.name: parameter for parameter in parameters}

    @classmethod
    def from_json(cls, document: Any) -> SearchSpace:
        """The space of a JSON form. Raises SpaceError with every issue, nothing else, for any JSON value."""
        return cls(read_parameters(document))

    def to_json(self) -> dict[str, Any]:
        """The JSON form, order kept, without fields that equal their default."""
        return {parameter.name: parameter.to_json() for parameter in self._parameters}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self._parameters

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def __getitem__(self, name: str) -> Parameter:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self._parameters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and (self is other or self.digest() == other.digest())

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        return f"SearchSpace({', '.join(self._by_name)})"

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the canonical JSON form; the parameters' order counts."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        entries = [[name, entry] for name, entry in self.to_json().items()]
        text = json.dumps(entries, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    # configurations

    def active(self, params: Mapping[str, Any], name: str) -> bool:
        """Whether a parameter takes part, given the canonical values of those before it."""
        condition = self._by_name[name].condition
        return condition is None or condition.holds(params)

    def validate(self, params: Any) -> dict[str, Any]:
        """The configuration with each value in its parameter's own type, in the space's order.

        Raises ParamsError with every issue: unknown, missing, out of range, or given although its condition
        fails.
        """
        if not isinstance(params, Mapping):
            raise ParamsError(
                [
                    SpaceIssue(
                        None,
                        None,
                        f"a configuration is an object that holds a value for each parameter, not {shown(params)}",
                    )
                ]
            )
        issues = [self._unknown(name) for name in params if name not in self._by_name]
        canonical: dict[str, Any] = {}
        doubtful: set[str] = set()  # absent or present for a reason that is an issue already
        for name, parameter in self._by_name.items():
            condition = parameter.condition
            if condition is not None and not doubtful.isdisjoint(condition.parents):
                doubtful.add(name)
            elif condition is not None and not condition.holds(canonical):
                if name in params:
                    issues.append(
                        SpaceIssue(name, None, f"is given, but takes part only when {condition}: leave it out")
                    )
            elif name not in params:
                doubtful.add(name)
                issues.append(SpaceIssue(name, None, f"is missing: give {parameter.domain}"))
            else:
                try:
                    canonical[name] = parameter.canonical(params[name])
                except ValueError as error:
                    doubtful.add(name)
                    issues.append(SpaceIssue(name, None, str(error)))
        if issues:
            raise ParamsError(issues)
        return canonical

    def _unknown(self, name: Any) -> SpaceIssue:
        text = name if isinstance(name, str) and name else shown(name)
        close = difflib.get_close_matches(text, self._by_name, 1)
        remedy = f"did you mean {close[0]}?" if close else f"the space has {', '.join(self._by_name)}"
        return SpaceIssue(text, None, f"is not in the search space: {remedy}")

    def contains(self, params: Any) -> bool:
        """Whether `validate` accepts the configuration."""
        try:
            self.validate(params)
        except ParamsError:
            return False
        return True

    # the unit cube

    def to_unit(self, params: Mapping[str, Any]) -> NDArray[np.float64]:
        """The coordinates (d,) of a valid configuration, NaN where a parameter is absent.

        Raises ParamsError for a value that its parameter does not take.
        """
        unit = np.full(len(self._parameters), np.nan)
        for position, parameter in enumerate(self._parameters):
            if parameter.name in params:
                try:
                    unit[position] = parameter.to_unit(params[parameter.name])
                except ValueError as error:
                    raise ParamsError([SpaceIssue(parameter.name, None, str(error))]) from error
        return unit

    def from_unit(self, u: ArrayLike) -> dict[str, Any]:
        """The configuration at the coordinates u (d,), each in [0, 1]; those of inactive parameters are not
        read.

        Raises ValueError for another shape and for a coordinate outside [0, 1], or NaN where the parameter
        is active.
        """
        unit = np.asarray(u, dtype=np.float64)
        if unit.shape != (len(self._parameters),):
            raise ValueError(f"the unit cube of this space has the shape ({len(self._parameters)},), not {unit.shape}")
        params: dict[str, Any] = {}
        for parameter, coordinate in zip(self._parameters, unit.tolist(), strict=True):
            if parameter.condition is not None and not parameter.condition.holds(params):
                continue
            if not -SLACK <= coordinate <= 1.0 + SLACK:
                raise ValueError(f"{parameter.name}: the coordinate {coordinate!r} is not in 0..1")
            params[parameter.name] = parameter.from_unit(min(max(coordinate, 0.0), 1.0))
        return params

    def sample(self, u: ArrayLike) -> dict[str, Any]:
        """The configuration that uniform random numbers u (d,) draw from the priors: `from_unit`."""
        return self.from_unit(u)

    # the grid

    def continuous(self) -> tuple[Parameter, ...]:
        """The parameters with infinitely many values: floats without a step."""
        return tuple(parameter for parameter in self._parameters if parameter.size is None)

    @cached_property
    def lattice(self) -> Lattice:
        """The numbered configurations of a finite space. Raises SpaceError naming continuous parameters."""
        issues = [
            SpaceIssue(
                parameter.name,
                "step",
                f"{parameter.name} is continuous, and a grid needs finitely many "
                f"values: give it a step, make it an int or list its choices",
            )
            for parameter in self.continuous()
        ]
        if issues:
            raise SpaceError(issues)
        return Lattice(self._parameters)

    def grid_size(self) -> int | None:
        """The number of configurations; None where a parameter is continuous.

        Raises SpaceError where the conditions are too entangled to count (see `Lattice`).
        """
        return None if self.continuous() else self.lattice.size

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every configuration once, the last parameter varying fastest. Raises SpaceError as `lattice`."""
        return iter(self.lattice)
