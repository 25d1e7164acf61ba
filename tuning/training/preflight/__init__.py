"""Preflight: what should be known of a workload before anything is tuned, one check or a few kin a file."""

from tuning.training.preflight.check import Check, Result
from tuning.training.preflight.panel import CHECKS, Report, preflight

__all__ = ["CHECKS", "Check", "Report", "Result", "preflight"]
