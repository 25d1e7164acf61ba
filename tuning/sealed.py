"""Numbers of the test set: which names say that a number is one, and how they are kept out of logs.

Such numbers are stored apart from all others (models.sealed) until a reveal. A program that prints them beside its
reports would show them all the same, so what is stored of its output has SEALED in their places.
"""

import json
import re
from typing import Any

SEALED = "sealed"
LONGEST_HELD = 1 << 20  # bytes of an unfinished line; of a longer one each piece is looked at by itself
_PAIR = re.compile(
    r"""(?P<key>(?P<quote>["'])(?P<name>[^"'\n]{1,120})(?P=quote)\s*:\s*)"""
    r"""(?P<value>"[^"]*"?|'[^']*'?|[\w.]*[\[({]+[^\])}]*[\])}]*|[^\s,}\]]+)"""
)


def is_sealed(name: str) -> bool:
    """Whether a metric is of the test set, by its name: "test" begins it, or is a word of it ("Accuracy/test")."""
    words = name.strip().lower()
    return words.startswith("test") or "test" in re.findall(r"[a-z]+", words)


def without_sealed(value: Any) -> Any:
    """A copy of a JSON value in which all that stands under a name of the test set, at any depth, is SEALED."""
    if isinstance(value, dict):
        return {
            name: SEALED if isinstance(name, str) and is_sealed(name) else without_sealed(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_sealed(item) for item in value]
    return value


def masked_line(line: str) -> str:
    """A printed line without numbers of the test set; any other line comes back as it is.

    Read are a line that is one JSON object, and quoted names with a value ("name": value, as printed dicts have them)
    in any other line. What a sentence says is not.
    """
    text = line.strip()
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return _PAIR.sub(_masked_pair, line)
        masked = without_sealed(document)
        return line if _same(document, masked) else line.replace(text, json.dumps(masked, ensure_ascii=False))
    return _PAIR.sub(_masked_pair, line)


def _same(document: Any, masked: Any) -> bool:
    return json.dumps(document) == json.dumps(masked)  # NaN is not equal to itself, its text is


def _masked_pair(match: re.Match[str]) -> str:
    return f'{match["key"]}"{SEALED}"' if is_sealed(match["name"]) else match[0]


class MaskedStream:
    """The bytes of a log in, the same bytes out without numbers of the test set.

    Whole lines are looked at: the beginning of one that may hold a name waits here for its end, other beginnings pass.
    """

    def __init__(self) -> None:
        self._held = b""

    def take(self, data: bytes) -> bytes:
        """What of `data`, and of what waited, may be written now."""
        data = self._held + data
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        rest = data[end:]
        waits = len(rest) <= LONGEST_HELD and any(mark in rest for mark in (b"{", b'"', b"'"))
        self._held = rest if waits else b""
        return _masked(data[:end] if waits else data)

    def rest(self) -> bytes:
        """What still waits, where the output has ended within a line."""
        data, self._held = self._held, b""
        return _masked(data)


def _masked(data: bytes) -> bytes:
    if b"test" not in data.lower() and b"\\u" not in data:  # a JSON text may spell any letter as \\u0074
        return data
    return b"".join(
        masked_line(line.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        for line in data.splitlines(keepends=True)
    )
