"""The kind "describe": all that pages need to know about the workloads, without torch in the web process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning.runner.inbox import Inbox
from tuning.training.catalogue import Catalogue


def describe(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Return {"workloads": [entry, ...]}, the broken ones with their error."""
    return {"workloads": [entry.to_json() for entry in catalogue.entries()]}
