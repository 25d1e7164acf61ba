"""What a workload may require of what trains it: memory of the device (on a CPU, of the host), such as "8 GB", and
labels of the host, such as ("a100", "fast-disk"), which it offers by HPWEB_LABELS."""

from __future__ import annotations

import re
from typing import Any

UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
MOST_BYTES = 2**60
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B)")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


def memory_of(given: Any, name: str, problems: list[str]) -> int | None:
    """Bytes of a size such as "8 GB" or "512 MiB"; None where nothing is required, or with a complaint."""
    if given is None:
        return None
    match = _SIZE.fullmatch(given.strip()) if isinstance(given, str) else None
    size = round(float(match[1]) * UNITS[match[2]]) if match else 0
    if 0 < size <= MOST_BYTES:
        return size
    problems.append(f'{name} is a size with its unit, such as "8 GB" or "512 MiB" ({", ".join(UNITS)}), not {given!r}')
    return None


def labels_of(given: Any, name: str, problems: list[str]) -> tuple[str, ...]:
    """Labels as they are, each once; none with a complaint."""
    words = f'{name} is a list of words of letters, digits, _, . and -, such as ["a100", "fast-disk"], not {given!r}'
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) and _LABEL.fullmatch(one) for one in given):
        problems.append(words)
        return ()
    return tuple(dict.fromkeys(given))
