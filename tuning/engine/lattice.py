"""The configurations of a finite, conditional search space, numbered in product order.

Product order: parameters in the space's order, the last varying fastest; a parameter that does not take
part has no values there, so no configuration stands twice. Numbers are found without listing: the number of
ways to fill in the parameters from position i on depends on the values before it only through which later
parameters they have switched off, so it is counted once for each such set. Parameters that no condition
links are independent, and their counts multiply.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuning.engine.conditions import Intervals, passing
from tuning.engine.errors import SpaceError, SpaceIssue
from tuning.engine.parameters import Parameter
from tuning.engine.values import detached

MAX_COUNTS = 100_000  # counted sets, beyond which the order of the space makes counting hopeless

Run = tuple[int, int, int]  # the values of index start..stop - 1 switch off the positions in the mask


class Lattice:
    """Numbers 0..size - 1 for the configurations of parameters that all have finitely many values.

    Raises SpaceError where so many conditions stay undecided at once that their combinations cannot be
    counted.
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = tuple(parameters)
        self._position = {parameter.name: i for i, parameter in enumerate(self._parameters)}
        self._runs = [self._split(parameter) for parameter in self._parameters]
        self._children = [sum(self._children_of(parameter)) for parameter in self._parameters]
        self._groups = self._linked()
        self._counts: dict[tuple[int, int, int], int] = {}
        self._alone = self._products_of_unlinked()
        self.size = self._ways(0, 0)

    def _children_of(self, parent: Parameter) -> Iterator[int]:
        for i, parameter in enumerate(self._parameters):
            if parameter.condition is not None and parent.name in parameter.condition.parents:
                yield 1 << i

    def _split(self, parent: Parameter) -> list[Run]:
        """The parent's values as runs that switch off the same children."""
        size = parent.size or 0
        tests: list[tuple[int, Intervals]] = []
        cuts = {0, size}
        for i, parameter in enumerate(self._parameters):
            for name, test in parameter.condition.tests if parameter.condition is not None else ():
                if name == parent.name:
                    passed = passing(parent, test)
                    tests.append((i, passed))
                    cuts.update(int(edge) for start, end in passed for edge in (start, end + 1))
        edges = sorted(cuts)
        runs = []
        for start, stop in itertools.pairwise(edges):
            dead = sum(1 << i for i, passed in tests if not any(a <= start <= b for a, b in passed))
            runs.append((start, stop, dead))
        return runs

    def _linked(self) -> list[list[int]]:
        """The positions that conditions link, as groups; a parameter that nothing links is in none."""
        root = list(range(len(self._parameters)))

        def find(i: int) -> int:
            while root[i] != i:
                root[i] = root[root[i]]
                i = root[i]
            return i

        for i, parameter in enumerate(self._parameters):
            for parent in parameter.condition.parents if parameter.condition is not None else ():
                root[find(i)] = find(self._position[parent])
        members: dict[int, list[int]] = {}
        for i in range(len(root)):
            members.setdefault(find(i), []).append(i)
        return [group for group in members.values() if len(group) > 1]

    def _products_of_unlinked(self) -> list[int]:
        """For each position, the number of ways to fill in the unlinked parameters from there on."""
        linked = {i for group in self._groups for i in group}
        products = [1]
        for i in range(len(self._parameters) - 1, -1, -1):
            products.append(products[-1] * (1 if i in linked else self._parameters[i].size or 0))
        return products[::-1]

    def _after(self, i: int, dead: int) -> Iterator[tuple[int, int, int]]:
        """The runs of the parameter at i: (first index, number of values, dead set behind it)."""
        if dead >> i & 1:
            yield 0, 1, (dead | self._children[i]) & ~(1 << i)
        else:
            for start, stop, mask in self._runs[i]:
                yield start, stop - start, dead | mask

    def _ways(self, start: int, dead: int) -> int:
        """The number of ways to fill in the parameters from position `start` on."""
        return self._alone[start] * math.prod(
            self._group_ways(number, start, dead) for number in range(len(self._groups))
        )

    def _group_ways(self, number: int, start: int, dead: int) -> int:
        """The same for one linked group, by one pass over the sets that can be dead behind each position."""
        positions = [i for i in self._groups[number] if i >= start]
        if not positions:
            return 1
        relevant = dead & sum(1 << i for i in positions)
        key = (number, positions[0], relevant)
        if key not in self._counts:
            self._fill(number, positions, relevant)
        return self._counts[key]

    def _fill(self, number: int, positions: list[int], dead: int) -> None:
        layers: list[set[int]] = [{dead}]
        for i in positions:
            layers.append({behind for mask in layers[-1] for _, _, behind in self._after(i, mask)})
            if len(layers[-1]) > MAX_COUNTS:
                names = ", ".join(self._parameters[j].name for j in positions[:6])
                raise SpaceError(
                    [
                        SpaceIssue(
                            None,
                            "when",
                            f"the conditions that link {names} and others combine in "
                            f"too many ways to number the grid: write each conditional "
                            f"parameter next after its parents, or use the random "
                            f"sampler",
                        )
                    ]
                )
        counts = dict.fromkeys(layers[-1], 1)
        for depth in range(len(positions) - 1, -1, -1):
            i = positions[depth]
            counts = {
                mask: sum(length * counts[behind] for _, length, behind in self._after(i, mask))
                for mask in layers[depth]
            }
            self._counts.update(((number, i, mask), ways) for mask, ways in counts.items())

    def rank(self, params: Mapping[str, Any]) -> int:
        """The number of a valid configuration. Raises ValueError for a value outside its parameter."""
        rank, dead = 0, 0
        for i, parameter in enumerate(self._parameters):
            if dead >> i & 1:
                dead = (dead | self._children[i]) & ~(1 << i)
                continue
            index = parameter.index_of(params[parameter.name])
            for start, length, behind in self._after(i, dead):
                if index < start + length:
                    rank += (index - start) * self._ways(i + 1, behind)
                    dead = behind
                    break
                rank += length * self._ways(i + 1, behind)
        return rank

    def unrank(self, rank: int) -> dict[str, Any]:
        """The configuration with this number. Raises IndexError outside 0..size - 1."""
        if not 0 <= rank < self.size:
            raise IndexError(f"configuration {rank} of {self.size}")
        params: dict[str, Any] = {}
        dead = 0
        for i, parameter in enumerate(self._parameters):
            active = not dead >> i & 1
            for start, length, behind in self._after(i, dead):
                ways = self._ways(i + 1, behind)
                if rank < length * ways:
                    index, rank = divmod(rank, ways)
                    if active:
                        params[parameter.name] = parameter.value_at(start + index)
                    dead = behind
                    break
                rank -= length * ways
        return params

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for params in self._from(0, {}):
            yield {name: detached(value) for name, value in params.items()}

    def _from(self, i: int, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if i == len(self._parameters):
            yield params
            return
        parameter = self._parameters[i]
        if parameter.condition is not None and not parameter.condition.holds(params):
            yield from self._from(i + 1, params)
            return
        for index in range(parameter.size or 0):
            params[parameter.name] = parameter.value_at(index)
            yield from self._from(i + 1, params)
        del params[parameter.name]
