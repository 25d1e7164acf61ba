"""The final look at the test set. The database itself refuses to change or delete one, whoever asks."""

import django.db.models.deletion
import tuning.models.fields
from django.conf import settings
from django.db import migrations, models

SEAL_COLUMNS = (
    "study_id, trial_id, actor_id, actor_name, params, params_digest, retrain, seeds, epochs, validation, workload, "
    "workload_digest, data_digest, version, n_trials, n_trials_all, looks_before, reason, created"
)
WORDS = "a reveal and its seal are kept for ever"
SQLITE = [
    f"CREATE TRIGGER tuning_reveal_no_update BEFORE UPDATE ON tuning_reveal BEGIN SELECT RAISE(ABORT, '{WORDS}'); END",
    f"CREATE TRIGGER tuning_reveal_no_delete BEFORE DELETE ON tuning_reveal BEGIN SELECT RAISE(ABORT, '{WORDS}'); END",
    f"CREATE TRIGGER tuning_sealedchoice_no_update BEFORE UPDATE OF {SEAL_COLUMNS} ON tuning_sealedchoice "
    f"BEGIN SELECT RAISE(ABORT, '{WORDS}'); END",
]
SQLITE_BACK = [
    "DROP TRIGGER tuning_reveal_no_update",
    "DROP TRIGGER IF EXISTS tuning_reveal_no_delete",
    "DROP TRIGGER tuning_sealedchoice_no_update",
]
POSTGRESQL = [
    "CREATE FUNCTION tuning_reveal_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{WORDS}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
    "CREATE TRIGGER tuning_reveal_append_only BEFORE UPDATE OR DELETE ON tuning_reveal "
    "FOR EACH ROW EXECUTE FUNCTION tuning_reveal_refuse()",
    f"CREATE TRIGGER tuning_sealedchoice_unchanged BEFORE UPDATE OF {SEAL_COLUMNS} ON tuning_sealedchoice "
    "FOR EACH ROW EXECUTE FUNCTION tuning_reveal_refuse()",
]
POSTGRESQL_BACK = [
    "DROP TRIGGER tuning_reveal_append_only ON tuning_reveal",
    "DROP TRIGGER tuning_sealedchoice_unchanged ON tuning_sealedchoice",
    "DROP FUNCTION tuning_reveal_refuse()",
]


def run(schema_editor, by_vendor):
    for statement in by_vendor[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def forwards(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRESQL})


def backwards(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE_BACK, "postgresql": POSTGRESQL_BACK})


class Migration(migrations.Migration):
    dependencies = [
        ("tuning", "0021_sealed_metrics"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="study",
            name="archived",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="SealedChoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("actor_name", models.CharField(max_length=150)),
                ("params", tuning.models.fields.JSONTextField(default=dict)),
                ("params_digest", models.CharField(max_length=64)),
                (
                    "retrain",
                    models.CharField(
                        choices=[
                            ("train", "the training split"),
                            ("train+validation", "the training and the validation split together"),
                            ("none", "nothing: the trial's own test metrics are opened"),
                        ],
                        max_length=16,
                    ),
                ),
                ("seeds", tuning.models.fields.JSONTextField(default=list)),
                ("epochs", models.PositiveIntegerField(null=True)),
                ("validation", tuning.models.fields.JSONTextField(default=dict)),
                ("workload", models.CharField(blank=True, max_length=120)),
                ("workload_digest", models.CharField(blank=True, max_length=64)),
                ("data_digest", models.CharField(blank=True, max_length=64)),
                ("version", models.CharField(blank=True, max_length=64)),
                ("n_trials", models.PositiveIntegerField()),
                ("n_trials_all", models.PositiveIntegerField()),
                ("looks_before", models.PositiveIntegerField()),
                ("reason", models.TextField(blank=True)),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "actor",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="seals", to="tuning.job"
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="seals", to="tuning.study"
                    ),
                ),
                (
                    "trial",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="seals", to="tuning.trial"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Reveal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("test_digest", models.CharField(blank=True, max_length=64)),
                ("looks_before", models.PositiveIntegerField()),
                ("result", tuning.models.fields.JSONTextField()),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reveals", to="tuning.study"
                    ),
                ),
                (
                    "trial",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reveals", to="tuning.trial"
                    ),
                ),
                (
                    "seal",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reveal", to="tuning.sealedchoice"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddIndex(
            model_name="sealedchoice",
            index=models.Index(fields=["workload", "data_digest"], name="seal_test_set"),
        ),
        migrations.AddIndex(
            model_name="reveal",
            index=models.Index(fields=["test_digest"], name="reveal_test_digest"),
        ),
        migrations.RunPython(forwards, backwards),
    ]
