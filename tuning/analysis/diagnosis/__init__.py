"""What a training's two curves say: one verdict, where it happened, the numbers, and what to change next."""

from tuning.analysis.diagnosis.advice import Advice
from tuning.analysis.diagnosis.pairs import Comparison, compared, difference
from tuning.analysis.diagnosis.regularisers import Regulariser, regulariser_effects
from tuning.analysis.diagnosis.rules import diagnose_curves
from tuning.analysis.diagnosis.strength_design import TRIALS as STRENGTH_TRIALS
from tuning.analysis.diagnosis.strength_design import strength_space
from tuning.analysis.diagnosis.strength_findings import Sized, StrengthFinding, strength_findings
from tuning.analysis.diagnosis.verdict import RULES, TITLES, Verdict

__all__ = [
    "RULES",
    "STRENGTH_TRIALS",
    "TITLES",
    "Advice",
    "Comparison",
    "Regulariser",
    "Sized",
    "StrengthFinding",
    "Verdict",
    "compared",
    "diagnose_curves",
    "difference",
    "regulariser_effects",
    "strength_findings",
    "strength_space",
]
