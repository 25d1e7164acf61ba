"""What a scheduler sees of a study in the database: the engine's `View` and `RungView`, by indexed queries."""

from collections.abc import Sequence

from django.db.models import F, Q, QuerySet

from tuning.engine import Direction
from tuning.engine.schedulers.view import Cohort as OpenCohort
from tuning.engine.schedulers.view import EntryState, RungCounts
from tuning.engine.schedulers.view import RungEntry as Ranked
from tuning.models import Cohort, Rung, RungEntry, Study, Trial

DECIDED = (EntryState.PROMOTED, EntryState.CUT, EntryState.COMPLETE)
PLACE = ("cohort_id", "number", "best_number", "best_loss")
COUNTS = ("busy", "reached", "promoted", "cut", "failed", "complete")


# a cohort's primary key, and by rung its counts and the best that waits for a decision: (number, loss)
Known = tuple[int | None, dict[int, RungCounts], dict[int, tuple[int, float]]]


class StudyView:
    """tuning.engine.schedulers.view.View on the counters of a study's row."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self.direction = Direction.of(study.direction)
        self.budget: int | None = study.budget_total

    @property
    def created(self) -> int:
        return self._study.n_created

    @property
    def waiting(self) -> int:
        return self._study.n_waiting

    @property
    def running(self) -> int:
        return self._study.n_running

    @property
    def paused(self) -> int:
        return self._study.n_paused

    @property
    def open(self) -> int:
        return self._study.n_open

    def resource_of(self, number: int) -> int | None:
        """The resource that the trial may run to. Raises KeyError for an unknown trial."""
        rows = Trial.objects.filter(study=self._study, number=number).values_list("resource", flat=True)
        if not rows:
            raise KeyError(number)
        return rows[0]


class StudyRungView(StudyView):
    """tuning.engine.schedulers.view.RungView on the tables of cohorts and rungs; good for one decision.

    What it has read of a trial, or of a cohort's counts, it does not read again.
    """

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self._known: dict[int, Known] = {}  # by cohort
        self._trials: dict[int, tuple[int | None, int | None, int | None]] = {}  # resource, cohort, rung by number

    @property
    def cohort_count(self) -> int:
        return Cohort.objects.filter(study=self._study).count()

    def open_cohorts(self) -> Sequence[OpenCohort]:
        rows = Cohort.objects.filter(Q(n_open__gt=0) | Q(started__lt=F("planned")), study=self._study)
        columns = rows.order_by("number").values_list("number", "bracket", "planned", "started")
        return [OpenCohort(*row) for row in columns]

    def resource_of(self, number: int) -> int | None:
        return self._trial(number)[0]

    def place_of(self, number: int) -> tuple[int, int]:
        _resource, cohort, rung = self._trial(number)
        if cohort is None or rung is None:
            raise KeyError(number)
        return cohort, rung

    def rung(self, cohort: int, rung: int) -> RungCounts:
        return self._cohort(cohort)[1].get(rung, RungCounts())

    def ranked(self, cohort: int, rung: int, limit: int) -> Sequence[Ranked]:
        rows = self._entries(cohort, rung).order_by("loss", "number")[:limit]
        return [self._ranked(*row) for row in rows.values_list("number", "loss", "state")]

    def rank(self, cohort: int, rung: int, value: float, number: int, most: int | None = None) -> int:
        loss = self.direction.sign * value
        better = Q(loss__lt=loss) | Q(loss=loss, number__lt=number)
        return self._entries(cohort, rung).filter(better, loss__lte=loss)[:most].count()

    def best_reached(self, cohort: int, rung: int) -> Ranked | None:
        best = self._cohort(cohort)[2].get(rung)
        return None if best is None else self._ranked(*best, EntryState.REACHED)

    def promotable(self, cohort: int, rung: int, top: int) -> Ranked | None:
        """Whoever is better than the best that waits has been decided on already; of those few are worse than it, and
        they are what is counted: who went on before the better ones came."""
        best, counts = self.best_reached(cohort, rung), self.rung(cohort, rung)
        decided = counts.promoted + counts.cut + counts.complete
        if best is None or top == 0 or decided < top:
            return best if top else None
        loss = self.direction.sign * best.value
        worse = Q(loss__gt=loss) | Q(loss=loss, number__gt=best.number)
        rows = self._entries(cohort, rung).filter(worse, loss__gte=loss, state__in=DECIDED)
        enough = decided - top + 1
        return best if rows[:enough].count() == enough else None

    def complete_median(self, cohort: int, rung: int) -> tuple[int, float | None]:
        n = self.rung(cohort, rung).complete
        if n == 0:
            return 0, None
        rows = self._entries(cohort, rung).filter(state=EntryState.COMPLETE).order_by("loss", "number")
        middle = [self._value(loss) for loss in rows.values_list("loss", flat=True)[(n - 1) // 2 : n // 2 + 1]]
        return n, sum(middle) / len(middle)

    def _entries(self, cohort: int, rung: int) -> QuerySet[RungEntry]:
        """The entries with a value."""
        key = self._cohort(cohort)[0]
        entries = RungEntry.objects.none() if key is None else RungEntry.objects.filter(cohort_id=key)
        return entries.filter(rung=rung, loss__isnull=False)

    def _trial(self, number: int) -> tuple[int | None, int | None, int | None]:
        """The trial's resource, cohort and rung, which a report asks for together. Raises KeyError."""
        if number not in self._trials:
            rows = Trial.objects.filter(study=self._study, number=number)
            row = rows.values_list("resource", "cohort__number", "rung").first()
            if row is None:
                raise KeyError(number)
            self._trials[number] = row
        return self._trials[number]

    def _cohort(self, number: int) -> Known:
        """What the tables keep of a cohort; no primary key and nothing where it has no member yet."""
        if number not in self._known:
            rows = Rung.objects.filter(cohort__study=self._study, cohort__number=number)
            counts: dict[int, RungCounts] = {}
            best: dict[int, tuple[int, float]] = {}
            key = None
            for key, rung, first, loss, *found in rows.values_list(*PLACE, *COUNTS):  # noqa: B007
                counts[rung] = RungCounts(*found)
                if first is not None and loss is not None:
                    best[rung] = first, loss
            self._known[number] = key, counts, best
        return self._known[number]

    def _ranked(self, number: int, loss: float | None, state: str) -> Ranked:
        return Ranked(number, self._value(loss), EntryState(state))

    def _value(self, loss: float | None) -> float:
        """The metric of an entry that has one."""
        if loss is None:
            raise ValueError("an entry without a value has no rank")
        return self.direction.sign * loss
