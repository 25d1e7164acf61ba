"""What a service refuses, in words for the person who asked. REST and pages map these in one place each."""

from collections.abc import Mapping, Sequence
from typing import Any


class ServiceError(Exception):
    """Base of everything that a service or selector refuses; `message` is for the reader."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(ServiceError):
    """Input that cannot be taken. `fields` maps a field's name to its messages; `space_issues` are the engine's
    findings about a search space (each with .parameter, .field, .message)."""

    def __init__(self, fields: Mapping[str, Sequence[str]], space_issues: Sequence[Any] = ()) -> None:
        self.fields = {name: list(messages) for name, messages in fields.items()}
        self.space_issues = list(space_issues)
        words = [f"{name}: {text}" for name, messages in self.fields.items() for text in messages]
        super().__init__("; ".join(words) or "The input is not valid.")


class Forbidden(ServiceError):
    """The person may see the object but not do this."""


class NotFound(ServiceError):
    """There is no such object, or the person may not see it."""


class Conflict(ServiceError):
    """The object's state forbids it; the message names the state and what would be possible."""


class StaleLease(Conflict):
    """A trial's lease or fence is no longer the newest: somebody else has the trial, or it has ended."""
