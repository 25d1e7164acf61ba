"""The rungs of a study with a scheduler: who came to each, who went on, who was cut and by how much, what it saved."""

from collections import defaultdict
from dataclasses import dataclass, replace

from django.db.models import Max, Min, Sum

from tuning.engine import Direction
from tuning.models import Cohort, Rung, RungEntry, Study, Trial
from tuning.selectors.schedulers import scheduler_of

State = RungEntry.State
WENT_ON = (State.PROMOTED, State.COMPLETE)
WORDS = {
    State.REACHED: "waits for a decision",
    State.PROMOTED: "went on",
    State.CUT: "was cut",
    State.FAILED: "ended before it had a value here",
    State.COMPLETE: "went on, to its end",
}
PER_PAGE = 50
DRAWN = 2_000  # entries of a bracket at the most


@dataclass(frozen=True)
class Step:
    """One rung of a bracket, over all its cohorts. Values are the metric's, None where nobody has one."""

    number: int
    step: int
    going: int  # waiting or running towards it
    waits: int  # for a decision
    promoted: int
    cut: int
    failed: int
    complete: int
    best: float | None = None
    last_in: float | None = None  # the worst that went on
    first_out: float | None = None  # the best that was cut

    @property
    def came(self) -> int:
        return self.waits + self.promoted + self.cut + self.failed + self.complete

    @property
    def went_on(self) -> int:
        return self.promoted + self.complete


@dataclass(frozen=True)
class Bracket:
    """One bracket: its number, its cohorts, and its rungs from the lowest up."""

    number: int
    cohorts: int
    trials: int
    steps: tuple[Step, ...]

    def at(self, number: int) -> Step | None:
        """The rung of this number."""
        return next((step for step in self.steps if step.number == number), None)


@dataclass(frozen=True)
class Ladder:
    """All brackets, and the resource (epochs) that the trials have used, against running each to its end."""

    brackets: tuple[Bracket, ...]
    used: int
    full: int | None

    @property
    def saved(self) -> int | None:
        return None if self.full is None else max(self.full - self.used, 0)

    @property
    def saved_percent(self) -> int | None:
        """The share of `full` that is saved, rounded down; None where nobody knows it."""
        return 100 * self.saved // self.full if self.full and self.saved is not None else None


@dataclass(frozen=True)
class Standing:
    """One trial at a rung; `short` is by how much it is behind the last that went on in its cohort (above 0)."""

    trial_id: int
    number: int
    rung: int
    step: int | None
    value: float | None
    state: str
    short: float | None = None

    @property
    def words(self) -> str:
        return WORDS[State(self.state)]


def ladder(study: Study) -> Ladder:
    """The rungs of a study, in four queries whatever its size."""
    sign = Direction.of(study.direction).sign
    sums = Rung.objects.filter(cohort__study=study).values_list("cohort__bracket", "number").order_by()
    counts = sums.annotate(
        Sum("busy"), Sum("reached"), Sum("promoted"), Sum("cut"), Sum("failed"), Sum("complete")
    ).order_by("-cohort__bracket", "number")
    limits = _limits(study, sign)
    scheduler = scheduler_of(study)
    steps: dict[int, list[Step]] = defaultdict(list)
    for bracket, number, *found in counts:
        rungs = scheduler.ladder(bracket)
        step = Step(number, rungs[number] if number < len(rungs) else study.max_resource or 0, *found)
        limit = limits.get((bracket, number), {})
        steps[bracket].append(
            replace(step, best=limit.get("best"), last_in=limit.get("last_in"), first_out=limit.get("first_out"))
        )
    cohorts: dict[int, list[int]] = defaultdict(list)
    for bracket, started in Cohort.objects.filter(study=study).values_list("bracket", "started"):
        cohorts[bracket].append(started)
    used = Trial.objects.filter(study=study).aggregate(used=Sum("resource_done"))["used"] or 0
    return Ladder(
        tuple(
            Bracket(number, len(cohorts[number]), sum(cohorts[number]), tuple(found)) for number, found in steps.items()
        ),
        used,
        study.n_counted * study.max_resource if study.max_resource else None,
    )


def _limits(study: Study, sign: float) -> dict[tuple[int, int], dict[str, float]]:
    """(bracket, rung) -> best, last_in and first_out, where there are any."""
    rows = RungEntry.objects.filter(cohort__study=study, loss__isnull=False).order_by()
    grouped = rows.values_list("cohort__bracket", "rung", "state").annotate(Min("loss"), Max("loss"))
    found: dict[tuple[int, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for bracket, rung, state, low, high in grouped:
        place = found[bracket, rung]
        place["best"].append(low)
        if state in WENT_ON:
            place["last_in"].append(high)
        elif state == State.CUT:
            place["first_out"].append(low)
    worst = {"best": min, "last_in": max, "first_out": min}
    return {
        key: {name: sign * worst[name](losses) for name, losses in by_name.items()} for key, by_name in found.items()
    }


def standings(study: Study, bracket: int, rung: int, *, first: int = 0) -> list[Standing]:
    """PER_PAGE entries of a rung from place `first` on, best first, those without a value at the end."""
    rows = RungEntry.objects.filter(cohort__study=study, cohort__bracket=bracket, rung=rung)
    ordered = list(rows.order_by("loss", "number").filter(loss__isnull=False)[first : first + PER_PAGE])
    if len(ordered) < PER_PAGE:
        valued = rows.filter(loss__isnull=False).count()
        start = max(first - valued, 0)
        ordered += rows.filter(loss__isnull=True).order_by("number")[start : start + PER_PAGE - len(ordered)]
    went_on = RungEntry.objects.filter(
        cohort_id__in={entry.cohort_id for entry in ordered}, rung=rung, state__in=WENT_ON
    )
    last_in = dict(went_on.values_list("cohort_id").annotate(Max("loss")))
    return [_standing(study, entry, last_in.get(entry.cohort_id)) for entry in ordered]


def _standing(study: Study, entry: RungEntry, last_in: float | None) -> Standing:
    sign = Direction.of(study.direction).sign
    short = None
    if entry.state in (State.CUT, State.REACHED) and entry.loss is not None and last_in is not None:
        short = entry.loss - last_in if entry.loss > last_in or entry.state == State.CUT else None
    value = None if entry.loss is None else sign * entry.loss
    return Standing(entry.trial_id, entry.number, entry.rung, entry.step, value, entry.state, short)


def drawn_standings(study: Study, bracket: int) -> list[Standing]:
    """The entries with a value of a bracket by trial and rung; of too many, those that came farthest and a sample."""
    rows = RungEntry.objects.filter(cohort__study=study, cohort__bracket=bracket, loss__isnull=False)
    n = rows.count()
    if n > DRAWN:
        farthest = rows.order_by("-rung", "loss").values_list("trial_id", flat=True)[: DRAWN // 2]
        every = list(rows.filter(rung=0).order_by("number").values_list("trial_id", flat=True))
        sample = every[:: -(-len(every) // (DRAWN // 4))]
        rows = rows.filter(trial_id__in={*list(dict.fromkeys(farthest))[: DRAWN // 8], *sample})
    return [_standing(study, entry, None) for entry in rows.order_by("number", "rung")]
