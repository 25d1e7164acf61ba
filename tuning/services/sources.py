"""What a new study learns from: earlier studies are checked, and those of their trials that count are copied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from tuning.engine import History, SearchSpace, TrialState, registry, transferred
from tuning.engine import Trial as EngineTrial
from tuning.engine.transfer import usable_assumptions
from tuning.models import Study, StudySource
from tuning.selectors.sources import MOST_TRIALS, Offer, offer_of
from tuning.selectors.studies import visible_studies
from tuning.services.problems import Problems

FIELD = "warm_start"
MOST_SOURCES = 20
WORDS = {"minimize": "lower", "maximize": "higher"}


@dataclass(frozen=True)
class Source:
    """An earlier study with the trials that are copied from it, as it ran them."""

    offer: Offer
    assumed: dict[str, Any]
    trials: tuple[EngineTrial, ...]


def check_sources(
    problems: Problems,
    owner: AbstractBaseUser,
    warm_start: Sequence[Mapping[str, Any]],
    *,
    sampler: str,
    metric: str,
    direction: str,
    space: SearchSpace | None,
) -> list[Source]:
    """The sources of a study that `owner` creates; what is wrong with them is noted, field by field.

    warm_start: [{"study": id, "assumed": {parameter: value}}]. Of more than MOST_TRIALS fitting trials in all, half
    are the best ones and half the latest.
    """
    if not warm_start:
        return []
    if len(warm_start) > MOST_SOURCES:
        problems.add(FIELD, f"{len(warm_start)} studies are named; name at most {MOST_SOURCES}.")
        return []
    method = registry.samplers().get(sampler)
    if method is not None and not method.learns:
        learning = ", ".join(name for name, other in registry.samplers().items() if other.learns)
        problems.add(
            FIELD, f"The sampler {sampler} learns from no trials; choose one of {learning}, or name no earlier study."
        )
    if space is None:
        if not problems.about("space", "workload"):
            problems.add(
                FIELD,
                "This workload suggests its parameters while it runs, so there is no space to carry earlier trials "
                "over to. Declare a space, or name no earlier study.",
            )
        return []
    if problems.about("metric", "direction"):
        return []
    if not all(isinstance(entry, Mapping) and isinstance(entry.get("assumed", {}), Mapping) for entry in warm_start):
        problems.add(FIELD, 'Write each earlier study as {"study": 3, "assumed": {"dropout": 0.1}}.')
        return []
    offers = []
    for position, entry in enumerate(warm_start):
        place = f"{FIELD}.{position}"
        named = [earlier.get("study") for earlier in warm_start[:position]]
        study = _comparable(problems, place, owner, entry.get("study"), named, metric, direction)
        if study is None:
            continue
        assumed, issues = usable_assumptions(space, entry.get("assumed", {}))
        for issue in issues:
            problems.add(f"{place}.assumed.{issue.parameter}", issue.message)
        offer = offer_of(study, space, assumed)
        if offer.n_fitting:
            offers.append((offer, assumed))
        elif not issues:
            problems.add(f"{place}.study", _nothing_fits(offer))
    return _best_and_latest(offers, direction)


def assumptions_of(space: SearchSpace, assumed: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The assumed values that `space` takes, and by name what is wrong with the others."""
    usable, issues = usable_assumptions(space, assumed)
    return usable, {str(issue.parameter): [f"{issue.message}."] for issue in issues}


def _comparable(
    problems: Problems,
    place: str,
    owner: AbstractBaseUser,
    number: Any,
    named: list[Any],
    metric: str,
    direction: str,
) -> Study | None:
    """The study of this number, if the person may look at it and its values mean what the new study's will."""
    study = None
    if isinstance(number, int) and not isinstance(number, bool) and abs(number) < 2**63:
        study = visible_studies(owner).select_related("space").filter(pk=number).first()
    if study is None:
        problems.add(f"{place}.study", f"There is no study {number!r} that you may look at.")
    elif number in named:
        problems.add(f"{place}.study", f"Study {number} is named twice; name it once.")
    elif (study.metric, study.direction) != (metric, direction):
        problems.add(
            f"{place}.study",
            f"Study {number} is about {study.metric} ({WORDS[study.direction]} is better) and the new one about "
            f"{metric} ({WORDS[direction]} is better), so their values cannot be compared. Give the new study that "
            f"metric, or leave study {number} out.",
        )
    else:
        return study
    return None


def _nothing_fits(offer: Offer) -> str:
    if not offer.n_finished:
        return f"Study {offer.study.pk} has no finished trial yet; wait for some, or leave it out."
    trials = "the only finished trial" if offer.n_finished == 1 else f"the {offer.n_finished:,} finished trials"
    return (
        f"None of {trials} of study {offer.study.pk} can be used: {'; '.join(offer.reasons)}. "
        "Widen the space, assume what is missing, or leave the study out."
    )


def _best_and_latest(offers: list[tuple[Offer, dict[str, Any]]], direction: str) -> list[Source]:
    pool = [(which, trial) for which, (offer, _) in enumerate(offers) for trial in offer.fitting.trials]
    if len(pool) > MOST_TRIALS:
        sign = 1.0 if direction == "minimize" else -1.0

        def loss(entry: tuple[int, EngineTrial]) -> float:
            value = entry[1].value
            unranked = value is None or entry[1].state is not TrialState.COMPLETE
            return float("inf") if unranked else sign * float(value or 0.0)

        def ended(entry: tuple[int, EngineTrial]) -> datetime:
            return offers[entry[0]][0].completed[entry[1].number] or datetime.min.replace(tzinfo=UTC)

        best = sorted(pool, key=loss)[: MOST_TRIALS // 2]
        chosen = {(which, trial.number) for which, trial in best}
        rest = [entry for entry in pool if (entry[0], entry[1].number) not in chosen]
        latest = sorted(rest, key=ended)[-(MOST_TRIALS - len(best)) :]
        chosen |= {(which, trial.number) for which, trial in latest}
        pool = [entry for entry in pool if (entry[0], entry[1].number) in chosen]
    return [
        Source(offer, assumed, tuple(offer.raw[trial.number] for at, trial in pool if at == which))
        for which, (offer, assumed) in enumerate(offers)
    ]


def store_sources(study: Study, sources: Sequence[Source]) -> None:
    """Copy the sources' trials into a study that has just been created, in its transaction."""
    numbers = [source.offer.study.pk for source in sources]
    # Locked, so that none is deleted before the commit; one that is gone already is named without a link.
    locked = Study.objects.select_for_update(no_key=True).filter(pk__in=numbers).order_by("pk")
    present = set(locked.values_list("pk", flat=True)) if sources else set()
    StudySource.objects.bulk_create(
        StudySource(
            study=study,
            position=position,
            source_id=source.offer.study.pk if source.offer.study.pk in present else None,
            name=source.offer.study.name,
            assumed=source.assumed,
            n_finished=source.offer.n_finished,
            n_used=len(source.trials),
            left_out=dict(source.offer.fitting.left_out),
            trials=[_written(trial) for trial in source.trials],
        )
        for position, source in enumerate(sources)
    )


def earlier_histories(study: Study, space: SearchSpace) -> tuple[History, ...]:
    """The copied trials of the study's sources in `space`, a history for each source that has some there."""
    histories = []
    for source in StudySource.objects.filter(study=study).order_by("position"):
        assumed, _no_longer = usable_assumptions(space, source.assumed)  # a later version may not take them
        fitting = transferred(space, [_read(entry) for entry in source.trials], assumed).trials
        if fitting:
            histories.append(History.of_trials(space, study.direction, fitting))
    return tuple(histories)


def _written(trial: EngineTrial) -> dict[str, Any]:
    entry: dict[str, Any] = {"number": trial.number, "params": dict(trial.params), "state": str(trial.state)}
    entry |= {"value": trial.value, "resource": trial.resource}
    if trial.reason_code:
        entry["reason_code"] = trial.reason_code
    if trial.infeasible:
        entry["infeasible"] = True
    return entry


def _read(entry: dict[str, Any]) -> EngineTrial:
    return EngineTrial(**{**entry, "state": TrialState(entry["state"])})
