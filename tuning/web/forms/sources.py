"""The earlier studies that a new one may learn from, as boxes to tick, and the values that their trials lack."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from tuning.selectors.sources import MOST_TRIALS, Offer, offer_of
from tuning.services.errors import Invalid
from tuning.services.sources import FIELD, WORDS, assumptions_of
from tuning.web.forms.rows import read_value

COUNTED = 500  # finished trials: how many of them fit is counted before the study is ticked
PREFIX = "assume-"
SHOWN = "assume"  # hidden: the parameters that the page asks for, so that what is typed is not swapped away


@dataclass
class SourceRow:
    """One earlier study: ticked or not, and what it could teach where that is known."""

    study: Any
    chosen: bool
    comparable: bool = True
    offer: Offer | None = None

    @property
    def words(self) -> str:
        """How much of it fits, in a sentence."""
        study = self.study
        if not self.comparable:
            better = WORDS[study.direction]
            return f"About {study.metric}, {better} is better: its values cannot be compared with the new study's."
        if self.offer is None:
            return f"{study.n_ended:,} finished trials."
        total, fitting = self.offer.n_finished, self.offer.n_fitting
        if not fitting:
            return "Its finished trial does not fit." if total == 1 else f"None of {total:,} finished trials fits."
        if fitting == total:
            return "Its finished trial fits." if total == 1 else f"All {total:,} finished trials fit."
        looked_at = "the best and latest of " if self.offer.n_looked_at < total else ""
        return f"{fitting:,} of {looked_at}{total:,} finished trials fit."

    @property
    def left_out(self) -> list[str]:
        return self.offer.reasons if self.offer is not None and self.comparable else []

    @property
    def learnt(self) -> str:
        """What the plan says of a ticked study."""
        if not self.chosen or self.offer is None or not self.comparable or not self.offer.n_fitting:
            return ""
        of = f"{self.offer.n_fitting:,} of {self.offer.n_finished:,} trials of {self.study.name}"
        why = f" ({'; '.join(self.left_out)})" if self.left_out else ""
        return f"Learns from {of}{why}."


@dataclass
class Assumption:
    """A parameter that earlier trials lack: what was typed for it, what it takes, what is wrong."""

    name: str
    text: str
    domain: str
    errors: list[str] = field(default_factory=list)


class SourceRows:
    """All boxes of the form, read from what was sent; `look` fills in what fits the space of the moment."""

    def __init__(self, studies: Iterable[Any], data: QueryDict | None = None) -> None:
        self.chosen = list(dict.fromkeys(data.getlist(FIELD))) if data is not None else []
        self.rows = [SourceRow(study, str(study.pk) in self.chosen) for study in studies]
        self.typed = {
            key.removeprefix(PREFIX): str(value).strip()
            for key, value in (data or {}).items()
            if key.startswith(PREFIX) and str(value).strip()
        }
        self.shown = data.getlist(SHOWN) if data is not None else []
        self.assumptions: list[Assumption] = []
        self.errors: list[str] = []
        self._values: dict[str, Any] = {}

    def look(self, space: Any, metric: str, direction: str) -> None:
        """Count what fits `space` (the engine's, None while it has errors), and ask for what trials lack."""
        for row in self.rows:
            row.comparable = (row.study.metric, row.study.direction) == (metric, direction)
        if space is None:
            return
        values = {name: read_value(text) for name, text in self.typed.items() if name in space}
        self._values, wrong = assumptions_of(space, values)
        lacking: set[str] = set(values)
        for row in self.rows:
            if not row.comparable:
                continue
            if row.chosen or row.study.n_ended <= COUNTED:
                row.offer = offer_of(row.study, space, self._values)
                lacking |= set(row.offer.fitting.missing)
            elif row.study.space is not None:
                lacking |= set(space.names) - set(row.study.space.document)
        self.assumptions = [
            Assumption(
                parameter.name, self.typed.get(parameter.name, ""), parameter.domain, wrong.get(parameter.name, [])
            )
            for parameter in space.parameters
            if parameter.name in lacking and parameter.kind != "constant"
        ]

    @property
    def asks_anew(self) -> bool:
        """Whether the page shows other questions than those that `look` has found."""
        return self.shown != [assumption.name for assumption in self.assumptions]

    @property
    def learnt(self) -> list[str]:
        """The lines of the plan."""
        learnt = [row for row in self.rows if row.learnt]
        total = sum(row.offer.n_fitting for row in learnt if row.offer is not None)
        lines = [row.learnt for row in learnt]
        if total > MOST_TRIALS:
            half = MOST_TRIALS // 2
            lines.append(f"Of these {total:,} trials the best {half:,} and the latest {half:,} of the others count.")
        return lines

    def valid(self) -> bool:
        """Whether every assumed value can be taken, where any is needed."""
        return not self.chosen or not any(assumption.errors for assumption in self.assumptions)

    def warm_start(self) -> list[dict[str, Any]]:
        """What is ticked, for services.studies.create_study; a study gets the assumed values that its trials lack."""
        offers = {str(row.study.pk): row.offer for row in self.rows}
        entries = []
        for text in self.chosen:
            offer = offers.get(text)
            assumed = {} if offer is None else {k: v for k, v in self._values.items() if offer.lacks(k)}
            entries.append({"study": int(text) if text.isdecimal() and len(text) < 19 else text, "assumed": assumed})
        return entries

    def take_errors(self, error: Invalid) -> None:
        """Keep what the service refused about earlier studies."""
        for name, texts in error.fields.items():
            if name.split(".")[0] == FIELD:
                self.errors += texts
