"""Train every example of the gallery and write it down: `python -m tests.analysis.curve_gallery.make`.

Neighbours in the lists belong to one family of interventions; the first of each two goes to `seen.json`, by which rules
may be shaped, the second to `unseen.json`, by which they are judged. `healthy.json` holds the ordinary trainings. One
run a line; the same numbers on the same processor and version of torch, nearly the same on others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.analysis.curve_gallery.broken import BROKEN
from tests.analysis.curve_gallery.example import Example, train_example
from tests.analysis.curve_gallery.gaps import GAPS
from tests.analysis.curve_gallery.ordinary import ORDINARY, REPLACED
from tests.analysis.curve_gallery.poor import POOR

FOLDER = Path(__file__).parent
TROUBLED = [*BROKEN, *POOR, *GAPS]
HALVES: dict[str, list[Example]] = {"seen": TROUBLED[::2], "unseen": TROUBLED[1::2], "healthy": ORDINARY}


def main() -> None:
    for name, examples in HALVES.items():
        about = {"replaced": REPLACED} if name == "healthy" else {}
        (FOLDER / f"{name}.json").write_text(_document(about, map(train_example, examples)))


def _document(about: dict[str, Any], runs: Iterable[dict[str, Any]]) -> str:
    """A JSON object with one run a line, so that a change of one example is a change of one line."""
    head = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in about.items())
    lines = ",\n".join(json.dumps(run, separators=(",", ":"), allow_nan=False) for run in runs)
    return f'{{{head}"runs": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    main()
