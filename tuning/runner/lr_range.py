"""The kind "lr_range": range tests of one workload, a curve for each configuration that is laid over the others."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tuning.runner.failures import JobError
from tuning.runner.inbox import Inbox
from tuning.runner.spec import read
from tuning.training import Splits, Workload, lr_range_test
from tuning.training.catalogue import Catalogue
from tuning.training.defaults import defaults
from tuning.training.examples import load_data
from tuning.training.lr_finder import HIGH, LOW, STEPS

DIGITS = 6  # significant ones, of what the answer holds


def range_tests(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Return {"curves", "device", "seconds", "stopped"}, each curve with its label and its configuration.

    Fields: workload, curves ([{"label", "params"}, ...]; empty params are the workload's defaults); optional: low,
    high, steps, seed, parameter (whose values the learning rates are), device, threads. A stop ends the curve that
    runs, and with it the job; the curves until then are the answer.
    """
    started = time.perf_counter()
    workload = catalogue.make(read(spec, "workload", str))
    seed = read(spec, "seed", int, 0)
    if not 0 <= seed < 2**63:
        raise JobError(f"the spec's 'seed' lies between 0 and 2**63 - 1, not {seed}")
    wanted = read(spec, "curves", list)
    splits = load_data(workload)  # once for all curves

    def loaded(_: Workload) -> Splits:
        return splits

    curves: list[dict[str, Any]] = []
    stopped = False
    for one in wanted:
        if not isinstance(one, dict):
            raise JobError(f"each of the spec's 'curves' is an object with a label and params, not {one!r}")
        params = read(one, "params", dict) or defaults(workload.space)
        curve = lr_range_test(
            workload,
            params,
            low=read(spec, "low", float, LOW),
            high=read(spec, "high", float, HIGH),
            steps=read(spec, "steps", int, STEPS),
            seed=seed,
            device=read(spec, "device", str, "cpu"),
            threads=read(spec, "threads", int, 1),
            parameter=read(spec, "parameter", str, None),
            load=loaded,
            stop=lambda: inbox.request() is not None,
        )
        stopped = curve.ended == "stopped"
        curves.append({"label": read(one, "label", str, ""), "params": params, **_short(curve.to_json())})
        if stopped:
            break
    device = curves[-1]["device"] if curves else ""
    return {"curves": curves, "device": device, "seconds": time.perf_counter() - started, "stopped": stopped}


def _short(value: Any) -> Any:
    """The same with floats of few digits: a page draws them, and a table keeps them."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list | tuple):
        return [_short(one) for one in value]
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    return value
