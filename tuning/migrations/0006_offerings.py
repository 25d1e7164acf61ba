"""What each host has of a workload, and the data that a study is pinned to."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tuning", "0005_devices")]

    operations = [
        migrations.AddField("study", "data_digest", models.CharField(blank=True, default="", max_length=64), preserve_default=False),
        migrations.CreateModel(
            name="Offering",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("workload", models.CharField(max_length=120)),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("data_digest", models.CharField(blank=True, max_length=64)),
                ("data_error", models.TextField(blank=True)),
                ("described", models.DateTimeField(null=True)),
                ("host", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="offerings", to="tuning.host")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("host", "workload"), name="offering_host_workload")],
            },
        ),
    ]
