"""Running single checks on a variant of a shipped workload."""

from __future__ import annotations

from typing import Any

import torch

from tuning.training import Splits, TensorDataset, Workload
from tuning.training.defaults import defaults
from tuning.training.preflight import CHECKS, preflight

RULES = [check.rule for check in CHECKS]


def examine(workload: type[Workload], *rules: str, **options: Any) -> dict[str, dict[str, Any]]:
    """The documents of RUNS and of the checks named, by rule."""
    torch.set_num_threads(1)
    checks = [check for check in CHECKS if check.rule in ("RUNS", *rules)]
    report = preflight(workload(), defaults(workload.space), checks=checks, **options)
    return {document["rule"]: document for document in report.checks}


def one(workload: type[Workload], rule: str) -> dict[str, Any]:
    """The document of one check."""
    return examine(workload, rule)[rule]


def changed(splits: Splits, inputs: Any = None, targets: Any = None) -> Splits:
    """Both splits with their tensors put through functions."""
    parts = []
    for dataset in (splits.train, splits.validation):
        x, y = dataset.tensors  # type: ignore[attr-defined]
        parts.append(TensorDataset(inputs(x) if inputs else x, targets(y) if targets else y))
    return Splits(*parts)
