"""Numbers of the test set that trials report go to a table of their own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tuning", "0020_worth"),
    ]

    operations = [
        migrations.CreateModel(
            name="SealedMetric",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120)),
                ("fence", models.PositiveIntegerField()),
                ("step", models.PositiveIntegerField()),
                ("value", models.FloatField(null=True)),
                ("value_kind", models.CharField(blank=True, max_length=4)),
                ("created", models.DateTimeField(auto_now_add=True)),
                (
                    "trial",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="sealed_metrics", to="tuning.trial"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("trial", "name", "fence", "step"), name="sealedmetric_unique")
                ],
            },
        ),
    ]
