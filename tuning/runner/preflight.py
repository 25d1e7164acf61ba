"""The kind "preflight": what should be known of a workload before anything is tuned, one message a check.

A PyTorch workload is checked at its defaults, or at the `params` given. Of functions and programs only what can be told
without running them is checked, and nothing of it holds a study back. The last check of a PyTorch workload opens the
sealed test split, of which nothing but counts leaves this process; the session lets it train nothing afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from tuning.runner.inbox import Inbox
from tuning.runner.pins import steady_digest
from tuning.runner.spec import read
from tuning.training.catalogue import Catalogue
from tuning.training.defaults import defaults
from tuning.training.determinism import prepare_device
from tuning.training.entry import Entry
from tuning.training.examples import load_data

Tell = Callable[[dict[str, Any]], None]


def run_preflight(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Return {"checks", "params", "seconds_per_epoch", "parameters", "seconds", "device", "stopped", "gated",
    "data_digest" (of the examples; "" where they change at every read)}.

    Fields of `spec`: workload; optional: params (null or {}: the middle of the workload's space), device, threads.
    Each check is sent as it ends: {"type": "check", ...}. What was not measured is null.
    """
    from tuning.training.preflight import preflight  # scikit-learn and scipy.stats: a second that no trial should wait

    entry = catalogue.find(read(spec, "workload", str))
    given: dict[str, Any] = read(spec, "params", dict, None) or defaults(entry.space or {})

    def tell(document: dict[str, Any]) -> None:
        inbox.channel.send({"type": "check", **document})

    if entry.workload is None:
        return _outside(entry, given, catalogue, tell)
    threads = read(spec, "threads", int, 1)
    device = prepare_device(read(spec, "device", str, "cpu"), threads=threads, deterministic=False)
    workload = catalogue.make(entry.name)
    report = preflight(workload, given, device=device, found=tell, asked=inbox.request)
    # Where it does not train, the first check has told why; then there is nothing that a study could be pinned to.
    data = steady_digest(load_data(workload)) if report.seconds_per_epoch is not None else ""
    return asdict(report) | {"gated": True, "data_digest": data}


def _outside(entry: Entry, params: Mapping[str, Any], catalogue: Catalogue, tell: Tell) -> dict[str, Any]:
    """The answer for a function or a program."""
    from tuning.training.preflight.outside import outside_checks

    began = time.monotonic()
    checks = outside_checks(entry, params, lambda: catalogue.files_digest(entry.name, entry.kind))
    for document in checks:
        tell(document)
    return {
        "checks": checks,
        "params": dict(params),
        "seconds_per_epoch": None,
        "parameters": None,
        "seconds": time.monotonic() - began,
        "device": "",
        "stopped": False,
        "gated": False,
        "data_digest": "",
    }
