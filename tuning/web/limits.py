"""Limits on a study's model beside what was counted of a trial's, in words."""

from collections.abc import Mapping
from typing import Any

from tuning.constraints import NAMES, count_words, limit_text

TITLES = {"parameters": "Parameters", "memory": "Memory of a step", "flops": "FLOPs for one example"}
SAID = {"parameters": " parameters", "memory": " of memory", "flops": "FLOPs for one example"}  # by the title already


def size_rows(limits: Mapping[str, int], counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """A row for each count of a trial's model, with the study's limit where there is one."""
    return [
        {
            "title": TITLES[name],
            "count": count_words(name, counts[name]).removesuffix(SAID[name]).strip(),
            "limit": limit_text(name, limits[name]) if name in limits else "",
            "above": name in limits and counts[name] > limits[name],
        }
        for name in NAMES
        if name in counts
    ]


def limit_rows(limits: Mapping[str, int]) -> list[tuple[str, str]]:
    """Title and limit, for a list of settings."""
    return [(TITLES[name], limit_text(name, limits[name])) for name in NAMES if name in limits]
