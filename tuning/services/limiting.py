"""The limits on a study's model: checking them, and what may be limited at all."""

from collections.abc import Mapping
from typing import Any

from tuning.constraints import NAMES, read_limit
from tuning.services.problems import Problems

UNCOUNTED = (
    "Only the model of a PyTorch workload is counted before it trains. A script, a function or a program tells "
    "constraints of its own: pruned, with one above 0."
)


def checked_constraints(problems: Problems, given: Any, kind: str | None) -> dict[str, int]:
    """The limits as they are stored: whole numbers by name, memory in bytes; those given as None or "" are none.

    kind: of the workload, as its description says. What is wrong is noted under constraints.<name>.
    """
    if given in (None, {}):
        return {}
    if not isinstance(given, Mapping):
        problems.add("constraints", 'Give limits by name, such as {"parameters": 100000, "memory": "2 GB"}.')
        return {}
    limits: dict[str, int] = {}
    for name, value in given.items():
        if name not in NAMES:
            problems.add(f"constraints.{name}", f"It cannot be limited; {', '.join(NAMES)} can.")
        elif value not in (None, ""):
            try:
                limits[name] = read_limit(name, value)
            except ValueError as error:
                problems.add(f"constraints.{name}", str(error))
    if limits and kind != "pytorch":
        problems.add("constraints", UNCOUNTED)
    return {name: limits[name] for name in NAMES if name in limits}
