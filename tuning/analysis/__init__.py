"""What spaces and results mean: rules that read a search space and its trials, and say what to look at.

Pure: no Django, no input or output, no clock. The same space, budget and trials always give the same findings.
"""

from tuning.analysis.importance import importance
from tuning.analysis.lint import lint_space
from tuning.analysis.narrowing import narrowed
from tuning.analysis.roles import role_of

__all__ = ["importance", "lint_space", "narrowed", "role_of"]
