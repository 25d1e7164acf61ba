"""Finding a number in bytes, in whichever form a program may have written it."""

import math
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

TELLING_DIGITS = 7  # significant digits; a number that is written with fewer may be another one by chance
EXTRAORDINARY = 1e40
_NUMBER = re.compile(rb"\d+\.\d{4,}(?:e[+-]?\d{1,3})?", re.IGNORECASE)


def written_forms(value: float) -> list[bytes]:
    """Texts that a positive number may be written as, with so many digits that none is of another one by chance, and
    its binary forms.

    Of a size that nothing else has three digits are enough: 6.03e44.
    """
    texts = {repr(value)}
    if value >= EXTRAORDINARY:
        texts |= {f"{value:.{digits - 1}e}" for digits in range(3, 18)} | {f"{value:.0f}", f"{value:,.0f}"}
        texts |= {text.replace("e+", "e") for text in texts}
    else:
        texts |= {f"{value:#.{digits}g}" for digits in range(TELLING_DIGITS, 18)}
    return [text.encode() for text in sorted(texts)] + packed_forms(value)


def packed_forms(value: float) -> list[bytes]:
    """The number as eight bytes, in both orders: arrays and pickles."""
    return [struct.pack(order + "d", value) for order in "<>"]


def is_telling(value: float) -> bool:
    """Whether a number has so many digits that it is hardly another one by chance, as 0.5 may be."""
    return math.isfinite(value) and value != 0 and float(f"{value:.{TELLING_DIGITS - 1}g}") != value


@dataclass(frozen=True)
class Search:
    """What is looked for: forms, each with what it is called, and numbers to compare with all that a text writes out.

    Attributes:
        forms: (bytes, name); found wherever they stand.
        digits: the first TELLING_DIGITS significant digits of a number -> name.
    """

    forms: tuple[tuple[bytes, str], ...]
    digits: dict[str, str]

    @property
    def overlap(self) -> int:
        """How many bytes of one piece belong before the next, so that nothing is missed between them."""
        return max((len(form) for form, _name in self.forms), default=0) + 64

    def found_in(self, data: bytes) -> set[str]:
        """The names of what stands in `data`."""
        found = {name for form, name in self.forms if form in data}
        if self.digits:
            found |= {
                self.digits[digits] for text in _NUMBER.findall(data) if (digits := _digits(float(text))) in self.digits
            }
        return found


def search_for(planted: Iterable[tuple[float, str]], stored: Iterable[tuple[float, str]]) -> Search:
    """`planted` numbers are looked for in every form, `stored` ones that are telling in full length or binary.

    Both come with their names.
    """
    telling = [(value, name) for value, name in stored if is_telling(value)]
    forms = [(form, name) for value, name in planted for form in written_forms(abs(value))]
    forms += [(form, name) for value, name in telling for form in packed_forms(value)]
    return Search(tuple(forms), {_digits(value): name for value, name in telling})


def _digits(value: float) -> str:
    return f"{abs(value):.{TELLING_DIGITS - 1}e}"
