"""A mark in the ranking of each rung, which the first decision sets; one index fewer, which misled the planner."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tuning", "0016_before_tuning")]

    operations = [
        migrations.AddField("rung", "mark_among", models.CharField(blank=True, max_length=8, default=""), False),
        migrations.AddField("rung", "mark_rank", models.PositiveIntegerField(default=0)),
        migrations.AddField("rung", "mark_loss", models.FloatField(null=True)),
        migrations.AddField("rung", "mark_number", models.PositiveIntegerField(null=True)),
        migrations.AlterField(
            "rungentry",
            "cohort",
            models.ForeignKey("tuning.cohort", models.CASCADE, db_index=False, related_name="entries"),
        ),
    ]
