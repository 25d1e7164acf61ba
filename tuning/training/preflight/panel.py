"""All checks of a PyTorch workload, one after the other, each within its time; none ends the others."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from tuning.training.determinism import device_name
from tuning.training.preflight.baselines import baselines
from tuning.training.preflight.check import Check, Result, skipped
from tuning.training.preflight.clock import Clock
from tuning.training.preflight.duplicates import duplicates
from tuning.training.preflight.errors import Stopped, WorkloadRaised, described
from tuning.training.preflight.giveaway import target_leak
from tuning.training.preflight.initial import initial_loss
from tuning.training.preflight.input_free import input_free
from tuning.training.preflight.labels import labels
from tuning.training.preflight.learning import gradients, loss_falls
from tuning.training.preflight.numbers import constant, finite, normalised
from tuning.training.preflight.overfitting import overfits
from tuning.training.preflight.pace import parameter_count, seconds_per_epoch
from tuning.training.preflight.repeats import repeats
from tuning.training.preflight.running import runs
from tuning.training.preflight.sealed import sealed_labels
from tuning.training.preflight.shuffled import shuffled
from tuning.training.preflight.subject import Subject
from tuning.training.workload import Workload

SECONDS = 230.0  # for all checks
NOT_SO_FAR = "The workload does not run so far: see the first check."
STAGES = ("", "data", "output", "steps")

# The last two open the sealed test split: nothing is trained after them.
CHECKS = (
    Check("RUNS", "The workload runs", "", 60, runs),
    Check("FINITE", "NaN and infinity", "data", 10, finite),
    Check("LABELS", "Targets and their balance", "data", 10, labels),
    Check("CONSTANT", "Constant features", "data", 10, constant),
    Check("TARGET-LEAK", "No feature gives the target away", "output", 10, target_leak),
    Check("NORMALISED", "Normalised inputs", "data", 10, normalised),
    Check("INIT-LOSS", "Initial loss", "output", 15, initial_loss),
    Check("GRADIENTS", "Every parameter receives a gradient", "output", 20, gradients),
    Check("LOSS-FALLS", "The loss falls", "output", 20, loss_falls),
    Check("OVERFIT", "Learns one tiny batch by heart", "output", 30, overfits),
    Check("BASELINES", "Better than simple baselines", "steps", 40, baselines),
    Check("INPUT-FREE", "Needs its inputs", "steps", 30, input_free),
    Check("SHUFFLED", "Shuffled labels fall to chance", "steps", 30, shuffled),
    Check("REPEATS", "Two runs with one seed agree", "steps", 20, repeats),
    Check("DUPLICATES", "Duplicates across splits", "data", 25, duplicates),
    Check("TEST-LABELS", "Targets of the test split", "output", 10, sealed_labels),
)


@dataclass
class Report:
    """What a preflight found; numbers that nothing could be measured for are None."""

    checks: list[dict[str, Any]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    seconds_per_epoch: float | None = None
    parameters: int | None = None
    seconds: float = 0.0
    device: str = ""
    stopped: bool = False


def preflight(
    workload: Workload,
    params: Mapping[str, Any],
    *,
    device: torch.device | None = None,
    found: Callable[[dict[str, Any]], None] = lambda document: None,
    asked: Callable[[], object] = lambda: None,
    seconds: float = SECONDS,
    checks: Sequence[Check] = CHECKS,
) -> Report:
    """Check a workload at one configuration, on a device that `prepare_device` returned.

    `found` is told each check's document as it ends; once `asked` returns something, the rest is left out. The first of
    `checks` must be RUNS, which tells the others how far the workload works.
    The last checks open the sealed test split: this process may train nothing afterwards.
    """
    device = device or torch.device("cpu")
    clock = Clock(seconds, asked)
    subject = Subject(workload, dict(params), device, clock)
    report = Report(params=dict(params), device=device_name(device))
    try:
        for check in checks:
            if check.rule == "DUPLICATES":
                _measure(subject, report)
            document = _document(check, subject)
            report.checks.append(document)
            found(document)
    except Stopped:
        report.stopped = True
    report.seconds = time.monotonic() - clock.started
    return report


def _measure(subject: Subject, report: Report) -> None:
    """Parameters and pace; where they cannot be measured the checks have told why, and the log has it whole."""
    if subject.works != "steps":
        return
    subject.clock.begin(10)
    try:
        report.parameters = parameter_count(subject)
        report.seconds_per_epoch = seconds_per_epoch(subject)
    except Stopped:
        raise
    except Exception as error:
        traceback.print_exception(error, file=sys.stderr)


def _document(check: Check, subject: Subject) -> dict[str, Any]:
    began = time.monotonic()
    subject.clock.begin(check.limit)
    return check.document(_result(check, subject), time.monotonic() - began)


def _result(check: Check, subject: Subject) -> Result:
    """What the check says; what the workload raises fails it, and a fault of the check's own is told as such."""
    if STAGES.index(subject.works) < STAGES.index(check.needs):
        return skipped(NOT_SO_FAR)
    if subject.clock.ended():
        return skipped("The time for the whole preflight was over before its turn.")
    try:
        return check.measure(subject)
    except Stopped:
        raise
    except WorkloadRaised as raised:
        if described(raised.error) == subject.raised:
            return skipped(NOT_SO_FAR)
        traceback.print_exception(raised, file=sys.stderr)
        return Result("failed", f"{raised}.", "The check could not be made, and trials may fail alike.", raised.todo)
    except Exception as error:  # a fault of ours is no verdict on the workload; the log has it whole
        traceback.print_exception(error, file=sys.stderr)
        why = f"The check itself broke down ({described(error)}), which says nothing about the workload"
        return skipped(f"{why}; the job's log has the traceback, for a report of the fault.")
