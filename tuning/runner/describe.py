"""The kind "describe": all that pages need to know about the workloads, without torch in the web process.

A source may hang, or end this process, while it is imported. So the worker is told which one is looked into, and what
was found in it, and starts another process that leaves out the ones that it has given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning.runner.inbox import Inbox
from tuning.runner.spec import read
from tuning.training.catalogue import Catalogue
from tuning.training.entry import Entry


def describe(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Return {"workloads": [entry, ...]}, the broken ones with their error."""

    def looking(source: str) -> None:
        inbox.channel.send({"type": "looking", "source": source})

    def found(entries: list[Entry]) -> None:
        inbox.channel.send({"type": "found", "workloads": [entry.to_json() for entry in entries]})

    given_up: dict[str, str] = read(spec, "given_up", dict, {})
    entries = catalogue.entries(given_up=given_up, looking=looking, found=found)
    return {"workloads": [entry.to_json() for entry in entries]}
