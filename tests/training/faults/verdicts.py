"""What the preflight says of a workload, against what the author of a fault expected."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tests.training.faults.gallery import Fault
from tuning.training import Workload
from tuning.training.defaults import defaults
from tuning.training.preflight import CHECKS, preflight

# True of the data and no false alarm: white pixels of the digits, and small tables that a linear model knows as well.
TRUE_WARNINGS = {"CONSTANT", "BASELINES"}
RULES = [check.rule for check in CHECKS]
ORDER = ("skipped", "passed", "info", "warning", "failed")


def verdicts(workload: Workload, rules: Collection[str] = RULES) -> dict[str, str]:
    """The status of every check, or of RUNS and those that are named, by its rule: the worst where it has several."""
    seen: list[dict[str, Any]] = []
    checks = [check for check in CHECKS if check.rule in (*rules, "RUNS")]
    report = preflight(workload, defaults(workload.space), found=seen.append, checks=checks)
    if seen != report.checks:
        raise RuntimeError("the checks that were told are not those of the report")
    found: dict[str, str] = {}
    for check in report.checks:
        found[check["rule"]] = max(found.get(check["rule"], "skipped"), check["status"], key=ORDER.index)
    return found


def loud(verdict: dict[str, str]) -> dict[str, str]:
    """The rules that failed or warned."""
    return {rule: status for rule, status in verdict.items() if status in ("failed", "warning")}


def is_caught(fault: Fault, verdict: dict[str, str]) -> bool:
    """Whether one of the rules that the fault names speaks up as loudly as was expected, at least.

    A workload that does not run at all is caught by whatever says so.
    """
    enough = {"failed"} if fault.severity == "failed" else {"failed", "warning"}
    return any(verdict.get(rule) in enough for rule in (*fault.rules, "RUNS"))
