"""Sharing: the ledger of device time, caps, requirements, reservations; and deadlines of trials."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import tuning.models.fields


class Migration(migrations.Migration):
    dependencies = [("tuning", "0006_offerings"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="DeviceTime",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField()),
                ("seconds", models.FloatField(default=0.0)),
                ("owner", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="device_time", to=settings.AUTH_USER_MODEL)),
                ("study", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="device_time", to="tuning.study")),
            ],
            options={
                "indexes": [models.Index(fields=["hour"], name="devicetime_hour")],
                "constraints": [models.UniqueConstraint(fields=("owner", "study", "hour"), name="devicetime_owner_study_hour")],
            },
        ),
        migrations.AddField("account", "max_running", models.PositiveIntegerField(null=True)),
        migrations.AddField("host", "labels", tuning.models.fields.JSONTextField(default=list)),
        migrations.AddField("workload", "memory", models.PositiveBigIntegerField(null=True)),
        migrations.AddField("workload", "labels", tuning.models.fields.JSONTextField(default=list)),
        migrations.AddField("device", "reserved_until", models.DateTimeField(null=True)),
        migrations.AddField("device", "reserved_for", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL)),
        migrations.AddField("device", "reserved_reason", models.CharField(blank=True, default="", max_length=200), preserve_default=False),
        migrations.AddField("device", "reserved_by", models.CharField(blank=True, default="", max_length=150), preserve_default=False),
        migrations.AddField("study", "trial_seconds", models.PositiveIntegerField(null=True)),
        migrations.AddField("trial", "claimed", models.DateTimeField(null=True)),
        migrations.AddField("trial", "run_seconds", models.FloatField(default=0.0)),
        migrations.AddField("trial", "deadline", models.DateTimeField(null=True)),
        migrations.AddIndex("trial", models.Index(condition=models.Q(("deadline__isnull", False)), fields=["deadline"], name="trial_deadline")),
    ]
