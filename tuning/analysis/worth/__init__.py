"""Whether another hour of device time is worth it: the judgement, what a row of looks says, and its words."""

from tuning.analysis.worth.judgement import FEWEST, Worth, worth_going_on
from tuning.analysis.worth.looks import APART, Stand
from tuning.analysis.worth.words import RULE, finding, gain_words, reason

__all__ = ["APART", "FEWEST", "RULE", "Stand", "Worth", "finding", "gain_words", "reason", "worth_going_on"]
