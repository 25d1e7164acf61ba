"""What an audit of a study's seal reads: everything that is stored, but for the sealed tables themselves."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from tuning.models import SEALED_TABLES, Study, Trial
from tuning.selectors.curves import study_curves

MOST_VALUES = 200  # the newest of each sealed table that are looked for
MOST_TRIALS = 200


def open_tables() -> list[str]:
    """Every table of the database that is not a sealed one, by name."""
    sealed = {table.model._meta.db_table for table in SEALED_TABLES}
    with connection.cursor() as cursor:
        return sorted(set(connection.introspection.table_names(cursor)) - sealed)


def table_cells(table: str, rows_at_once: int = 500) -> Iterator[bytes]:
    """The cells of a table's rows as bytes, many rows at a time: numbers in full length, texts in UTF-8."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a name that the database gave
        while rows := cursor.fetchmany(rows_at_once):
            yield b"\n".join(_bytes(cell) for row in rows for cell in row if cell is not None)


def _bytes(cell: Any) -> bytes:
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell)
    return (repr(cell) if isinstance(cell, float) else str(cell)).encode("utf-8", "surrogatepass")


def study_files(study: Study) -> list[Path]:
    """Logs, checkpoints and notes of the study's trials, and what lies beside the studies' folders."""
    root = Path(settings.ARTIFACT_DIR)
    own = root / f"study-{study.pk}"
    beside = [path for path in root.glob("*") if not path.name.startswith("study-")]
    return sorted(path for top in (own, *beside) for path in (top, *top.rglob("*")) if path.is_file())


def sealed_values(study: Study) -> tuple[list[tuple[float, str]], int]:
    """The newest finite values of each sealed table that are of this study and sealed still, each with a name for it.

    Also how many of them are left out because one of the study's open metrics has the very same value: two splits of
    one size often have. For an audit alone, which tells where it finds a value and never the value.
    """
    values: list[tuple[float, str]] = []
    for table in SEALED_TABLES:
        rows = table.model._default_manager.filter(table.still, **{table.study: study}).order_by("-pk")
        for row in rows.values("pk", *table.values)[:MOST_VALUES]:
            name = f"{table.model._meta.verbose_name} {row['pk']}"
            values += [(row[column], name) for column in table.values if row[column] is not None]
    trials = Trial.objects.filter(study=study).order_by("-pk").values_list("pk", flat=True)
    curves = study_curves(study, list(trials[:MOST_TRIALS]))
    reported = {value for by_name in curves.values() for curve in by_name.values() for value in curve.values}
    told_apart = [(value, name) for value, name in values if value not in reported]
    return told_apart, len(values) - len(told_apart)


def audited_trials(study: Study, at_most: int) -> Sequence[Trial]:
    """The trials whose pages an audit looks at: those with sealed values first, then the newest."""
    rows = Trial.objects.filter(study=study)
    sealed = list(rows.filter(sealed_metrics__isnull=False).distinct().order_by("-pk")[:at_most])
    others = rows.exclude(pk__in=[trial.pk for trial in sealed]).order_by("-pk")
    return [*sealed, *others[: at_most - len(sealed)]]
