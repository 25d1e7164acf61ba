"""The JSON form of a search space, read into parameters; every mistake in it becomes a `SpaceIssue`.

Reading never stops at the first mistake, and a parameter that depends on a faulty one gets no issue of its
own for that.
"""

from tuning.engine.document.reader import read_parameters

__all__ = ["read_parameters"]
