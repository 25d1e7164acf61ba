"""What is wrong with the fields of a request, collected so that a person sees everything at once."""

from typing import Any

from tuning.services.errors import Invalid


class Problems:
    """Collects what is wrong with the fields, so that a person sees everything at once."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self.space_issues: list[Any] = []

    def add(self, field: str, message: str) -> None:
        self.fields.setdefault(field, []).append(message)

    def whole(self, field: str, value: Any, low: int, high: int, *, optional: bool = False) -> None:
        if value is None and optional:
            return
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.add(field, f"{value!r} is not usable; give a whole number from {low:,} to {high:,}.")

    def one_of(self, field: str, value: Any, allowed: tuple[str, ...] | list[str]) -> None:
        if value not in allowed:
            self.add(field, f"{value!r} is not known; choose one of {', '.join(allowed)}.")

    def about(self, *names: str) -> bool:
        """Whether something is wrong with one of these fields or with a part of it."""
        return any(field.split(".")[0] in names for field in self.fields)

    def raise_if_any(self) -> None:
        if self.fields:
            raise Invalid(self.fields, self.space_issues)
