"""Trials that wait go in the order in which they began to: of a rung that closes, the best first."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("tuning", "0012_rung_best"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="trial",
            name="trial_study_state",
        ),
        migrations.AddField(
            model_name="trial",
            name="turn",
            field=models.PositiveBigIntegerField(default=0),
        ),
        migrations.AddIndex(
            model_name="trial",
            index=models.Index(fields=["study", "state", "-priority", "turn", "number"], name="trial_study_state"),
        ),
    ]
