"""The audit log: written by every service that a person calls, and append-only in the database itself."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories import make_study
from tuning.models import AuditEvent
from tuning.services.audit import record

MIGRATION = import_module("tuning.migrations.0002_audit_append_only")


@pytest.fixture
def guarded(db):
    """The migration's own triggers; on SQLite the test database goes without the one on DELETE (tests/conftest.py)."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for name in ("no_update", "no_delete"):
                cursor.execute(f"DROP TRIGGER IF EXISTS tuning_auditevent_{name}")
            for statement in MIGRATION.SQLITE:
                cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tuning_auditevent SET verb = 'nothing'",
        "UPDATE tuning_auditevent SET at = at",
        "DELETE FROM tuning_auditevent",
    ],
)
def test_the_database_refuses_changes(guarded, alice, statement):
    record(actor=alice, verb="did", kind="study", object_id=1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.all().delete()
    assert AuditEvent.objects.get().verb == "did"


def test_the_migration_can_be_taken_back(guarded):
    with connection.cursor() as cursor:
        editor = SimpleNamespace(connection=connection, execute=cursor.execute)
        MIGRATION.backwards(None, editor)
        record(actor=None, verb="did", kind="study", object_id=1)
        AuditEvent.objects.all().delete()
        MIGRATION.forwards(None, editor)
    record(actor=None, verb="did", kind="study", object_id=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEvent.objects.update(verb="x")


def test_events_keep_the_name_and_stand_newest_first(alice):
    study = make_study(alice)
    record(actor=None, verb="finished", kind="study", object_id=study.pk, name="n" * 300, after={"z": 1, "a": 2})
    newest, created = AuditEvent.objects.filter(object_kind="study", object_id=study.pk)
    assert (newest.actor_id, newest.actor_name, len(newest.object_name)) == (None, "hpweb", 200)
    assert list(newest.after) == ["z", "a"]
    assert (created.actor_id, created.actor_name, created.verb) == (alice.pk, "alice", "created")
