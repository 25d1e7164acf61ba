"""From looks to a statement that stays calm: it takes two looks in a row to say so, and two to take it back.

A look counts only when some trials have ended since the one before: of the same trials two looks say the same.
"""

from __future__ import annotations

from typing import NamedTuple

APART = 5  # complete trials between two looks
AGREEING = 2  # looks in a row that it takes to change the statement


class Stand(NamedTuple):
    """Whether another hour is said not to be worth it, and how many looks in a row have contradicted that."""

    not_worth: bool = False
    contrary: int = 0

    def after(self, not_worth: bool) -> Stand:
        """Where a further look leaves the statement."""
        if not_worth == self.not_worth:
            return Stand(self.not_worth)
        contrary = self.contrary + 1
        return Stand(not_worth) if contrary >= AGREEING else Stand(self.not_worth, contrary)
