"""The tab What if of a study: its recorded curves through other schedulers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from tuning.charts import OutcomePoint, what_if_figure
from tuning.engine import registry
from tuning.selectors.what_if import WhatIf, what_if


@dataclass(frozen=True)
class Outcome:
    """One setting in a table: what it comes to, in words, and the address of a new study that has it."""

    method: str
    settings: str
    steps: int | None
    share: str
    winner: str
    kept: bool
    best: Any | None
    regret: float | None
    seconds: float | None
    follow_up: str


def what_if_tab(study: Any, unit: str) -> dict[str, Any]:
    """The sentence, the best setting of each method, all of them, and the figure."""
    found = what_if(study)
    context: dict[str, Any] = {"study": study, "found": found, "problem": found.problem, "unit": unit}
    if found.record is None:
        return context
    outcomes = [_outcome(study, found, alternative, unit) for alternative in found.alternatives]
    told = [alternative for alternative in found.alternatives if alternative.replay.gap is None]
    points = [
        OutcomePoint(f"{one.setting.method}, {one.setting.words}", made.share, made.best.value, made.kept is True)
        for one in told
        if (made := one.replay).best is not None and made.best.value is not None and made.share is not None
    ]
    recorded = found.record.winner.value if found.record.winner is not None else None
    return context | {
        "record": found.record,
        "scheduler_title": registry.schedulers()[study.scheduler].title,
        "sentence": sentence(found, unit),
        "best_of_each": _first_of_each(outcomes),
        "outcomes": outcomes,
        "unknown": len(outcomes) - len(told),
        "figure": what_if_figure(points, recorded, direction=study.direction, unit=unit),
    }


def _first_of_each(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The best setting of each method, in the order of the outcomes."""
    first: dict[str, Outcome] = {}
    for outcome in outcomes:
        first.setdefault(outcome.method, outcome)
    return list(first.values())


def sentence(found: WhatIf, unit: str) -> str:
    """What the tab has to say, in a sentence."""
    record, told = found.record, [one for one in found.alternatives if one.replay.gap is None]
    if record is None or record.winner is None:
        return found.problem
    if not told:
        return (
            "What other schedulers would have done cannot be told from this record: each would have trained some trial "
            "further than anybody did."
        )
    first = told[0]
    name, share = first.setting.method, percent(first.replay.share)
    if not first.replay.kept:
        instead = first.replay.best
        lost = "ends without a value" if instead is None else f"ends with trial {instead.number} instead"
        closest = f"{name}, which comes closest, {lost}"
        return f"None of these would have kept the winner, trial {record.winner.number}: {closest}."
    if first.replay.steps >= record.steps:
        return f"Nothing tried here would have kept the winner, trial {record.winner.number}, for fewer {unit}."
    return f"{name} would have kept this winner, trial {record.winner.number}, for {share} of the {unit}."


def percent(share: float | None) -> str:
    """A share in whole percent; never 100 or 0 % for what is not quite."""
    if share is None:
        return ""
    if 0 < share < 0.01:
        return "less than 1 %"
    return f"{min(round(100 * share), 99) if share < 1 else 100} %"


def _outcome(study: Any, found: WhatIf, one: Any, unit: str) -> Outcome:
    made, known = one.replay, one.replay.gap is None
    return Outcome(
        one.setting.method,
        one.setting.words,
        made.steps if known else None,
        percent(made.share),
        _winner(made, unit),
        known and bool(made.kept),
        made.best,
        made.regret,
        made.seconds if known and found.timed else None,
        follow_up(study, one.setting),
    )


def _winner(made: Any, unit: str) -> str:
    if made.cut_at is None:
        words = "kept" if made.kept else ""
    else:
        noun = unit[:-1] if made.cut_at == 1 else unit
        words = f"cut after {made.cut_at:,} {noun}" if made.cut_at else "never started"
    if made.gap is None:
        return words
    gap = made.gap
    rest = f"cannot be told: trial {gap.number} goes on to {gap.wanted:,}, and its record ends at {gap.step:,}"
    return f"{words}; the rest {rest}" if words else rest


def follow_up(study: Any, setting: Any) -> str:
    """The address of the form of a new study with everything of this one and this setting."""
    query: dict[str, Any] = {"from": study.pk, "scheduler": setting.scheduler}
    if study.max_resource is None:
        query["max_resource"] = setting.max_resource
    values = {"min_resource": setting.min_resource, "reduction_factor": setting.reduction_factor}
    used: Sequence[str] = registry.schedulers()[setting.scheduler].uses
    named = {name: values[name] for name in used} | setting.all_options
    query |= {f"{setting.scheduler}-{name}": value for name, value in named.items()}
    return f"{reverse('study_new')}?{urlencode(query)}"
