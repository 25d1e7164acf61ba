"""The bench of importance: what is kept of Optuna is of these very functions, and a row tells errors from answers."""

import pytest

from tests.analysis.sobol import ADDITIVE, KNOWN
from tests.benchmarks.importance import errors, peers, row
from tests.benchmarks.importance_peers import PEER_SEEDS, kept


def test_kept_values_are_of_the_functions_as_they_are():
    found = peers(quick=True)
    assert set(found) == {known.name for known in KNOWN}
    assert all(len(entries) == PEER_SEEDS for by in found.values() for entries in by.values())
    assert all(set(entry["main"]) == {f"x{i}" for i in range(1, 5)} for entry in found["additive"]["fANOVA"])
    assert len(kept()) == 27


def test_an_error_is_counted_only_where_the_question_is_the_same():
    mains = [dict(ADDITIVE.first), {name: share + 0.1 for name, share in ADDITIVE.first.items()}]
    assert errors(mains, ADDITIVE.first).mean() == pytest.approx(0.05)
    assert row(ADDITIVE, "fanova", mains, 0.4, True)["mean error"] == pytest.approx(0.05)
    assert row(ADDITIVE, "ped_anova", mains, 0.4, False)["mean error"] is None
