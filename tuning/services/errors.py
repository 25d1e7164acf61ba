"""What a service refuses, in words for the person who asked. REST and pages map these in one place each."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.selectors.errors import NotFound, ServiceError

__all__ = ["Conflict", "Forbidden", "Invalid", "NotFound", "SamplerFailed", "ServiceError", "StaleLease"]


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


class Conflict(ServiceError):
    """The object's state forbids it; the message names the state and what would be possible."""


class StaleLease(Conflict):
    """A trial's lease or fence is no longer the newest: somebody else has the trial, or it has ended."""


class SamplerFailed(ServiceError):
    """A study's sampler raised: no trial of this study can be suggested until a person has looked at it."""
