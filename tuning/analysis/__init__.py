"""What spaces and results mean: rules that read a search space and its trials, and say what to look at.

Pure: no Django, no input or output, no clock. The same space, budget and trials always give the same findings.
"""

from tuning.analysis.diagnosis import Verdict, diagnose_curves
from tuning.analysis.importance import importance
from tuning.analysis.lint import lint_space
from tuning.analysis.narrowing import narrowed
from tuning.analysis.roles import role_of
from tuning.analysis.worth import Worth, worth_going_on

__all__ = [
    "Verdict",
    "Worth",
    "diagnose_curves",
    "importance",
    "lint_space",
    "narrowed",
    "role_of",
    "worth_going_on",
]
