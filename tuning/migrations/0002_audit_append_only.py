"""The audit log refuses UPDATE and DELETE in the database itself, whoever asks."""

from django.db import migrations

SQLITE = [
    "CREATE TRIGGER tuning_auditevent_no_update BEFORE UPDATE ON tuning_auditevent "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER tuning_auditevent_no_delete BEFORE DELETE ON tuning_auditevent "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
]
SQLITE_BACK = ["DROP TRIGGER tuning_auditevent_no_update", "DROP TRIGGER tuning_auditevent_no_delete"]
POSTGRESQL = [
    "CREATE FUNCTION tuning_auditevent_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
    "CREATE TRIGGER tuning_auditevent_append_only BEFORE UPDATE OR DELETE ON tuning_auditevent "
    "FOR EACH ROW EXECUTE FUNCTION tuning_auditevent_refuse()",
]
POSTGRESQL_BACK = [
    "DROP TRIGGER tuning_auditevent_append_only ON tuning_auditevent",
    "DROP FUNCTION tuning_auditevent_refuse()",
]


def run(schema_editor, by_vendor):
    for statement in by_vendor[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def forwards(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRESQL})


def backwards(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE_BACK, "postgresql": POSTGRESQL_BACK})


class Migration(migrations.Migration):
    dependencies = [("tuning", "0001_tables")]
    operations = [migrations.RunPython(forwards, backwards)]
