"""The database's clock. Leases of several hosts must be read off one clock, and theirs may be wrong."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, FloatField, Func, Value
from django.db.models.functions import Now
from django.utils import timezone


def after(seconds: float) -> ExpressionWrapper:
    """The database's time `seconds` from now, as an expression for an UPDATE."""
    return ExpressionWrapper(Now() + Value(timedelta(seconds=seconds)), output_field=DateTimeField())


def database_now() -> datetime:
    """The database's time, aware. On SQLite the database is this process."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now


def before(seconds: float) -> ExpressionWrapper:
    """The database's time `seconds` ago, as an expression for a comparison."""
    return ExpressionWrapper(Now() - Value(timedelta(seconds=seconds)), output_field=DateTimeField())


class SecondsSince(Func):
    """Seconds from a column's time until now, by the database's clock; NULL where the column is."""

    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "((JULIANDAY('now') - JULIANDAY(%(expressions)s)) * 86400.0)"
        return super().as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP() - %(expressions)s)::double precision"
        return super().as_sql(compiler, connection, template=template, **extra)
