"""The four kinds of parameter: Float (continuous or stepped), Int, Categorical and Constant.

A parameter knows its values, its JSON form and its place in the unit interval: `to_unit` and `from_unit`
are inverse to each other, exactly where the parameter has finitely many values, to a double's precision
elsewhere.
"""

from tuning.engine.parameters.base import Parameter
from tuning.engine.parameters.categorical import Categorical, Constant
from tuning.engine.parameters.numeric import Float, Int, SteppedFloat

__all__ = ["Categorical", "Constant", "Float", "Int", "Parameter", "SteppedFloat"]
