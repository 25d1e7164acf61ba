"""What the runtime bench reads from an installation's database, and that an installation is one of its own."""

import numpy as np
import pytest

from tests.benchmarks.installation import Installation
from tests.benchmarks.runtime import gaps, series, trials_a_minute


class Told:
    """An installation that answers every question with these rows."""

    def __init__(self, rows):
        self.rows = rows

    def ask(self, query, *values):
        return self.rows


def times(*seconds):
    return np.array(seconds, dtype="<f8").tobytes()


def test_a_gap_goes_from_the_last_step_of_a_trial_to_the_first_of_the_next():
    rows = [(0, times(10.0, 11.0)), (0, times(11.5)), (1, times(11.75, 12.0)), (2, times(14.0)), (1, times(11.6, 12.5))]
    assert gaps(Told(rows), "study") == pytest.approx([0.1, 1.5])
    assert gaps(Told(rows[:2]), "study") == []


def test_a_rate_counts_the_trials_after_the_first():
    assert trials_a_minute(Told([(61, 0.5)]), "study") == 120.0


def test_a_row_has_its_median_and_its_tail():
    row = series("gap", [0.1, 0.2, 0.3, 0.4, 5.0])
    assert (row["median s"], row["n"]) == (0.3, 5)
    assert 0.4 < row["p95 s"] <= 10.0
    assert series("gap", [0.5])["p95 s"] == 0.5


def test_an_installation_never_uses_the_database_of_the_one_that_measures(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    monkeypatch.setenv("HPWEB_HOME", "/elsewhere")
    place = Installation(tmp_path / "bench")
    code = (
        "import django; django.setup(); from django.conf import settings; print(settings.DATABASES['default']['NAME'])"
    )
    assert place.python("-c", code).strip() == str(tmp_path / "bench" / "hpweb.sqlite3")
    with pytest.raises(RuntimeError, match="ended with 3"):
        place.python("-c", "raise SystemExit(3)")
