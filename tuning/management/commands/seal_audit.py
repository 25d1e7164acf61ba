"""`manage.py seal_audit STUDY`: look for the study's sealed numbers everywhere that a person could read."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tuning.management.needles import Search, search_for
from tuning.management.walk import UnknownPart, Walk
from tuning.models import Study
from tuning.selectors.seal_audit import audited_trials, open_tables, sealed_values, study_files, table_cells
from tuning.selectors.studies import study_now
from tuning.services.errors import ServiceError
from tuning.services.seal_audit import planted, unusual_numbers

PIECE = 1 << 20  # bytes of a file that are looked at together


class Look(NamedTuple):
    """One place that was looked at; `failed` says why it could not be, where it could not."""

    kind: str
    place: str
    address: str
    size: int
    found: set[str]
    failed: str = ""


class Command(BaseCommand):
    help = (
        "Plant unusual numbers as sealed metrics of a study, and look for them and for its own sealed values in the "
        "database, the files, the exports, REST and all pages. Ends with 1 where one is found. All happens in a "
        "transaction that is taken back, so the study stays as it was; with SQLite nothing else can write meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", type=int, help="id of the study")
        parser.add_argument("--trials", type=int, default=3, help="of how many trials the pages are looked at")

    def handle(self, *args: Any, **options: Any) -> None:
        numbers = unusual_numbers()
        try:
            study = study_now(options["study"])
            stored, n_alike = sealed_values(study)
            search = search_for([(value, "a planted number") for value in numbers.values()], stored)
            looks = list(look_everywhere(study, search, numbers, max(1, options["trials"])))
        except ServiceError as error:
            raise CommandError(error.message) from error
        except UnknownPart as error:
            raise CommandError(str(error)) from error
        self._print(looks)
        self.stdout.write(
            f"Looked for {len(numbers)} planted numbers and {len(search.digits):,} sealed ones of the study; not for "
            f"{n_alike:,} that equal a value of an open metric, and {len(stored) - len(search.digits):,} with too few "
            "digits to be told from others."
        )
        self._judge(study, looks)

    def _print(self, looks: list[Look]) -> None:
        rows: dict[tuple[str, str], list[Look]] = defaultdict(list)
        for look in looks:
            rows[look.kind, look.place].append(look)
        width = max(len(place) for _kind, place in rows)
        self.stdout.write(f"{'':8}{'place':{width}}{'looked at':>12}{'bytes':>16}  found")
        for (kind, place), own in rows.items():
            found = sum(bool(look.found) for look in own)
            size = sum(look.size for look in own)
            self.stdout.write(
                f"{kind:8}{place:{width}}{len(own):>12,}{size:>16,}  {f'in {found:,}' if found else 'no'}"
            )

    def _judge(self, study: Study, looks: list[Look]) -> None:
        """Raises CommandError where a number was found, or where a place could not be looked at."""
        leaks = [look for look in looks if look.found]
        failures = [look for look in looks if look.failed]
        for look in leaks:
            self.stderr.write(f"found in {look.kind} {look.address}: {', '.join(sorted(look.found))}")
        for look in failures:
            self.stderr.write(f"not looked at: {look.kind} {look.address}: {look.failed}")
        if leaks:
            raise CommandError(f"The seal of study {study.pk} leaks: a sealed number stands in {len(leaks):,} places.")
        if failures:
            raise CommandError(f"{len(failures):,} places could not be looked at, so nothing is said about the seal.")
        self.stdout.write(f"No sealed number of study {study.pk} stands anywhere else.")


def look_everywhere(study: Study, search: Search, numbers: Mapping[str, float], n_trials: int) -> Iterator[Look]:
    """Every place that is looked at. Raises Conflict, UnknownPart."""
    for path in study_files(study):
        folder = str(path.parent.relative_to(settings.ARTIFACT_DIR))
        yield Look("files", folder, str(path), *in_file(path, search))
    cache.clear()  # what was rendered before does not hold the planted numbers
    try:
        with planted(study_id=study.pk, numbers=numbers) as plant:
            for table in open_tables():
                yield Look("table", table, table, *in_pieces(table_cells(table), search))
            trials = [plant.trial, *audited_trials(study, n_trials)]
            ids = list(dict.fromkeys(trial.pk for trial in trials))[:n_trials]
            for answer in Walk(study.pk, ids, plant.owner, plant.token).answers():
                kind = "REST" if answer.place.startswith("/api/") else "page"
                failed = f"the server answered {answer.status}" if answer.status >= 500 else ""
                found = search.found_in(answer.content)
                yield Look(kind, answer.place, answer.address, len(answer.content), found, failed)
    finally:
        cache.clear()


def in_file(path: Path, search: Search) -> tuple[int, set[str]]:
    """The size of a file and what was found in it."""
    with path.open("rb") as file:
        return in_pieces(iter(lambda: file.read(PIECE), b""), search)


def in_pieces(pieces: Iterator[bytes], search: Search) -> tuple[int, set[str]]:
    """How many bytes there are and what was found in them, also across the end of a piece."""
    size, found, before = 0, set[str](), b""
    for piece in pieces:
        size += len(piece)
        found |= search.found_in(before + piece)
        before = (before + piece)[-search.overlap :]
    return size, found
