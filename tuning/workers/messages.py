"""What a trial process says, checked before it is used: a user's code may have written to the channel."""

from pathlib import Path
from typing import Any

from tuning.constraints import NAMES
from tuning.runner.protocol import Message, ProtocolError
from tuning.sealed import is_sealed
from tuning.selectors.artifacts import stored
from tuning.services.metrics import Point
from tuning.services.reporting import CheckpointNote


def point_of(message: Message) -> Point:
    """The point of a step message. Raises ProtocolError."""
    metrics = _field(message, "metrics", dict)
    for name, value in metrics.items():
        if not _is_number(value):
            shown = "something" if is_sealed(name) else repr(value)
            raise ProtocolError(f"the metric {name!r} is {shown}, which is not a number")
    return Point(_whole(message, "step"), {name: float(value) for name, value in metrics.items()}, _wall(message))


def checkpoint_of(message: Message, folder: Path) -> CheckpointNote:
    """The note of a checkpoint message; its file lies in `folder`, whatever the message says. Raises ProtocolError."""
    kind, name = _field(message, "kind", str), Path(_field(message, "path", str)).name
    if kind not in ("last", "best"):
        raise ProtocolError(f"a checkpoint of kind {kind!r}; there are last and best")
    try:
        path = stored(folder / name)
    except ValueError as error:
        raise ProtocolError(f"the checkpoint {name!r} lies outside of the artifact folder") from error
    return CheckpointNote(kind, _whole(message, "step"), path)


def value_of(message: Message) -> float | None:
    """The value of a result message; None where the reported metric decides. Raises ProtocolError."""
    value = message.get("value")
    if value is not None and not _is_number(value):
        raise ProtocolError(f"the value is {value!r}, which is not a number")
    return value


def constraints_of(message: Message) -> list[float] | None:
    """The constraints of a result message, None where there are none. Raises ProtocolError."""
    bounds = message.get("constraints") or []
    if not isinstance(bounds, list) or not all(_is_number(bound) for bound in bounds):
        raise ProtocolError(f"the constraints are {bounds!r}, which is not a list of numbers")
    return bounds or None


def footprint_of(message: Message) -> dict[str, int]:
    """What a result message says of the model's size, by name. Raises ProtocolError."""
    counts = _field(message, "footprint", dict)
    if not all(name in NAMES and isinstance(count, int) for name, count in counts.items()):
        raise ProtocolError(f"the footprint is {counts!r}, which is not a whole number by name")
    return dict(counts)


def peak_memory_of(message: Message) -> int | None:
    """The peak memory (bytes) that a result message tells, None where it tells none."""
    value = message.get("peak_memory")
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**60 else None


def text_of(message: Message, name: str) -> str:
    """A text of a message, empty where it is missing. Raises ProtocolError."""
    return _field({name: "", **{key: value for key, value in message.items() if value is not None}}, name, str)


def _field(message: Message, name: str, kind: type) -> Any:
    value = message.get(name)
    if not isinstance(value, kind):
        raise ProtocolError(f"a message of type {message.get('type')!r} whose {name!r} is {value!r}")
    return value


def _whole(message: Message, name: str) -> int:
    value = _field(message, name, int)
    if isinstance(value, bool):
        raise ProtocolError(f"a message of type {message.get('type')!r} whose {name!r} is {value!r}")
    return int(value)


def _wall(message: Message) -> float:
    value = message.get("wall")
    if not _is_number(value):
        raise ProtocolError(f"a message of type {message.get('type')!r} whose 'wall' is {value!r}")
    return float(value)  # type: ignore[arg-type]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
