"""Verdicts, regularisers and strengths from the JSON that they are stored as (`dataclasses.asdict`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning.analysis.diagnosis.moves import Advice
from tuning.analysis.diagnosis.regularisers import Correlation, Regulariser
from tuning.analysis.diagnosis.strength_findings import StrengthFinding
from tuning.analysis.diagnosis.strengths import Cell, Size, Slope, Strengths
from tuning.analysis.diagnosis.verdict import Verdict

Document = Mapping[str, Any]


def verdict_from(document: Document) -> Verdict:
    """The verdict of `asdict`."""
    advice = tuple(Advice(**{**each, "parameters": tuple(each["parameters"])}) for each in document["advice"])
    return Verdict(**{**document, "advice": advice, "also": tuple(document["also"])})


def regulariser_from(document: Document) -> Regulariser:
    """The regulariser of `asdict`."""
    both = {name: Correlation(**document[name]) for name in ("gap", "worse")}
    return Regulariser(**{**document, **both})


def strength_from(document: Document) -> StrengthFinding:
    """The finding of `asdict`."""
    found = document["found"]
    made = {
        "axes": tuple(found["axes"]),
        "sizes": tuple(Size(**{**size, "cells": tuple(map(_cell, size["cells"]))}) for size in found["sizes"]),
        "slopes": tuple(Slope(**slope) for slope in found["slopes"]),
    }
    return StrengthFinding(**{**document, "found": Strengths(**{**found, **made})})


def _cell(document: Document) -> Cell:
    return Cell(document["strength"], tuple(document["losses"]), tuple(document["seeds"]))
